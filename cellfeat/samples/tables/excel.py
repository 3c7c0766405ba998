"""Read a sheet of an Excel file as text, with remarks where Excel may have changed or hidden something."""

import datetime
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from cellfeat.errors import ManifestError
from cellfeat.samples.tables.encoding import SAVE_AS_CSV
from cellfeat.samples.tables.foreign import foreign_zip
from cellfeat.samples.tables.header import FIRST_ROWS, find_header
from cellfeat.storage.url import Location
from cellfeat.text import first_line, first_ten

MAX_SHEET_BYTES = 300_000_000
"""Cells in memory take about ten times the room of their XML."""
# What openpyxl raises on damaged files; a parse error of XML is a SyntaxError.
_DAMAGED = (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, SyntaxError, NotImplementedError,
            zipfile.BadZipFile, zlib.error)  # fmt: skip
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
# A formula whose value was never computed. Excel writes the empty value of a computed one as text, t="str".
_NOT_COMPUTED = re.compile(
    rb'<c r="([A-Z]+\d+)"(?![^>]*t="str")[^>]*>\s*<f[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)
# The format 00000 shows 1 as 00001.
_ZEROS = re.compile(r"0+")
_DATES = (datetime.date, datetime.time, datetime.timedelta)


class Sheet(NamedTuple):
    """The rows of a sheet with their numbers, the header first, and messages for the user about how they were read."""

    rows: list[tuple[int, list[str]]]
    remarks: tuple[str, ...]


def read_sheet(content: bytes, file: Location) -> Sheet:
    """Read the first sheet that is visible and not empty.

    Merged cells have their value in each of their rows. Numbers keep the zeros that their format shows, dates are
    written as 2024-03-01, and errors of formulas are empty cells, except ``#N/A``, which means a missing value.

    Parameters
    ----------
    content
        The bytes of the file.
    file
        The file, for messages.

    Raises
    ------
    ManifestError
        If the file is damaged, is no ``.xlsx``, is too large, or holds formulas without computed values, and where
        openpyxl is not installed.
    """
    uncomputed = _check_archive(content, file)
    if find_spec("openpyxl") is None:
        raise ManifestError(
            f"{file}: an Excel table, which needs the extra excel: pip install 'cellfeat[excel]', or {SAVE_AS_CSV}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and rules that it does not know
            book = import_module("openpyxl").load_workbook(io.BytesIO(content), data_only=True, keep_links=False)
    except _DAMAGED as error:
        raise ManifestError(f"{file}: cannot be read as Excel: {first_line(error)}; {SAVE_AS_CSV}") from None
    filled = [sheet for sheet in book.worksheets if any(cell.value is not None for row in sheet for cell in row)]
    sheet = next((sheet for sheet in filled if sheet.sheet_state == "visible"), None)
    if sheet is None:
        return Sheet([], ())
    texts = [[_text(cell) for cell in row] for row in sheet]
    absent = [one for one in uncomputed if sheet[one].value is None]
    if absent:
        raise ManifestError(
            f"{file}: sheet {sheet.title!r}: {first_ten(absent)}: formulas without computed values; "
            f"open the file in Excel or LibreOffice and save it there, or {SAVE_AS_CSV}"
        )
    merged = list(_filled_down(sheet, texts))
    numbered = list(enumerate(texts, start=1))
    rows = [(number, cells) for number, cells in numbered if any(cells)]
    n_titles = find_header([cells for _, cells in rows[:FIRST_ROWS]]).n_titles
    remarks = [*_sheet_remarks(sheet, filled), *_cell_remarks(sheet, rows[n_titles:])]
    if merged:
        remarks.append(f"merged cells {first_ten(merged)}: each of their rows has their value")
    return Sheet(rows, tuple(f"{file}: {remark}" for remark in remarks))


def _check_archive(content: bytes, file: Location) -> list[str]:
    """Check the archive, and give the cells whose formulas have no computed value, of whichever sheet."""
    if content.startswith(b"\xd0\xcf"):
        raise ManifestError(f"{file}: the Excel format before 2007 is not read; save it as .xlsx or CSV UTF-8")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = {member.filename: member.file_size for member in archive.infolist()}
        sheets = [name for name in members if _SHEET.fullmatch(name)]
        if "xl/workbook.xml" not in members:
            kind = foreign_zip(members)
            what = f"is {kind}" if kind else f"a zip archive and no Excel table; unpack it, or {SAVE_AS_CSV}"
            raise ManifestError(f"{file}: {what}")
        if any(members[name] > MAX_SHEET_BYTES for name in [*sheets, *members.keys() & {"xl/sharedStrings.xml"}]):
            raise ManifestError(f"{file}: a sheet of more than {MAX_SHEET_BYTES:,} bytes; {SAVE_AS_CSV}")
        return [cell.decode() for name in sheets for cell in _NOT_COMPUTED.findall(archive.read(name))]
    except ManifestError:  # a ValueError
        raise
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise ManifestError(f"{file}: a damaged Excel or zip file: {error}; copy it again, or {SAVE_AS_CSV}") from None


def _text(cell: Any) -> str:
    value = cell.value
    if value is None or (_is_error(cell) and value != "#N/A"):
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    # Excel computes with 15 digits.
    text = str(int(value)) if float(value).is_integer() else f"{value:.15g}"
    return text.zfill(len(cell.number_format)) if _ZEROS.fullmatch(cell.number_format) else text


def _is_error(cell: Any) -> bool:
    return bool(cell.data_type == "e")


def _filled_down(sheet: Any, texts: list[list[str]]) -> Iterator[str]:
    """Copy the value of merged cells into all of their rows, and name them; one row of merged cells stays as it is."""
    for merged in sorted(sheet.merged_cells.ranges, key=lambda cells: cells.bounds):
        column, first, _, last = merged.bounds
        if last > first and texts[first - 1][column - 1]:
            for row in texts[first:last]:
                row[column - 1] = texts[first - 1][column - 1]
            yield str(merged)


def _sheet_remarks(sheet: Any, filled: Sequence[Any]) -> Iterator[str]:
    others = [
        f"{one.title!r}{'' if one.sheet_state == 'visible' else ' (hidden)'}" for one in filled if one is not sheet
    ]
    if others:
        yield f"sheet {sheet.title!r} is read, the first that is visible and not empty; left out: {first_ten(others)}"


def _cell_remarks(sheet: Any, rows: Sequence[tuple[int, list[str]]]) -> Iterator[str]:
    """Name hidden rows, errors of formulas, and dates that may have been other text."""
    numbers = [number for number, _ in rows]
    hidden = [number for number in numbers[1:] if sheet.row_dimensions[number].hidden]
    if hidden:
        yield f"{len(hidden)} hidden rows are read like the others: row {first_ten(hidden)}"
    columns = list(sheet.iter_cols(min_row=numbers[0] + 1))
    errors = [cell for column in columns for cell in column if _is_error(cell) and cell.value != "#N/A"]
    if errors:
        named = first_ten(f"{cell.coordinate} {cell.value}" for cell in errors)
        yield f"errors of formulas are read as empty cells: {named}"
    for name, column in zip(rows[0][1], columns, strict=True):
        values = [cell for cell in column if cell.value is not None]
        dates = [cell for cell in values if isinstance(cell.value, _DATES)]
        if 0 < len(dates) < len(values):
            yield (
                f"column {name}: {len(dates)} dates among other values: "
                f"{first_ten(f'{cell.coordinate} {_text(cell)}' for cell in dates)}; "
                "Excel makes dates of text such as SEPT2 and 1-2: format the column as text, and type them again"
            )
