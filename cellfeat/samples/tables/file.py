"""Read a table from CSV, compressed CSV, Parquet or Excel as text; the content of the file decides what it is."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from cellfeat.errors import ManifestError, MissingFileError, ReadError
from cellfeat.samples.tables.encoding import SAVE_AS_CSV, decoded
from cellfeat.samples.tables.excel import read_sheet
from cellfeat.samples.tables.foreign import damaged_ending, foreign_ending, foreign_kind
from cellfeat.samples.tables.header import FIRST_ROWS, find_header
from cellfeat.samples.tables.separators import SEPARATORS, separator_of
from cellfeat.samples.tables.text_marks import is_comment, without_comments, without_text_marks
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location
from cellfeat.text import counted, first_line, first_ten, shorten

MAX_TABLE_BYTES = 2_000_000_000
_HEAD_BYTES = 64
# Excel itself writes this first line for programs that guess the separator.
_EXCEL_SEPARATOR = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class RawTable:
    """A table as it stands in its file.

    Attributes
    ----------
    cells
        One row per row of the file, all str, with white space around cells. The index is the line or row in the file,
        and its name says which. Columns without a name are left out.
    remarks
        Messages for the user about how the file was read.
    """

    cells: pd.DataFrame
    remarks: tuple[str, ...] = ()


def read_table_file(file: Location) -> RawTable:
    """Read a table.

    Text is UTF-8, UTF-16 with a byte-order mark, or Windows-1252, as Excel writes it. Its cells are separated by
    commas, semicolons, tabs or vertical bars, whichever is most frequent in the header. Ignored, with a remark, are
    lines that begin with ``#``, titles above the header, a line of types or units below it (see
    `cellfeat.samples.tables.header.find_header`), and marks that keep a value text, as in ``="001"``.

    Parameters
    ----------
    file
        CSV, CSV compressed by gzip, Parquet, or Excel (``.xlsx``; its first sheet that is visible and
        not empty).

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ManifestError
        If it is not a table with a header and at least one row.
    """
    content = read_table_bytes(file)
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(content, file)
    if content.startswith(b"PAR1"):
        return _read_parquet(content, file)
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _read_excel(content, file)
    kind = foreign_kind(content[:_HEAD_BYTES], file.name)
    if kind is not None:
        raise ManifestError(f"{file}: is {kind}")
    hint = foreign_ending(file.name) or damaged_ending(file.name)
    try:
        text, remarks = decoded(content, file)
    except ManifestError as error:
        raise ManifestError(f"{file}: is no table of text, and {hint}" if hint else str(error)) from None
    try:
        table = _parse(text, file)
    except ManifestError as error:
        raise ManifestError(f"{error}; {hint}" if hint else str(error)) from None
    return RawTable(table.cells, (*remarks, *table.remarks))


def unpacked_bytes(file: Location) -> bytes:
    """Read the bytes of a file, also of one compressed by gzip.

    Raises
    ------
    MissingFileError, ManifestError
        As `read_table_file`.
    """
    content = read_table_bytes(file)
    return _unpacked(content, file) if content.startswith(b"\x1f\x8b") else content


def read_table_bytes(file: Location) -> bytes:
    """Read the bytes of a file.

    Raises
    ------
    MissingFileError, ManifestError
        As `read_table_file`.
    """
    try:
        content = file.read_bytes() if isinstance(file, Path) else open_storage(file.parent).read(file.name)
    except FileNotFoundError:
        content = None
    except ReadError as error:  # names the address
        raise ManifestError(str(error)) from None
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror or error}") from None
    if content is None:
        raise MissingFileError(
            f"the labels {file} do not exist; name the CSV with --labels FILE (labels.file); "
            "extract without one with --labels none"
        )
    return content


def table_exists(file: Location) -> bool:
    """Whether there is such a file. One at an address is taken to exist: reading it says so if it does not."""
    return not isinstance(file, Path) or file.exists()


def _unpacked(content: bytes, file: Location) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(MAX_TABLE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ManifestError(f"{file}: a damaged gzip file: {error}; copy it again") from None
    if len(unpacked) > MAX_TABLE_BYTES:
        raise ManifestError(f"{file}: unpacks to more than {MAX_TABLE_BYTES:,} bytes; this is no table of samples")
    return unpacked


def _parse(text: str, file: Location) -> RawTable:
    marked = _EXCEL_SEPARATOR.match(text)
    # The line is emptied and not removed, so that the numbers of the others stay right.
    text = text[len(marked[0].rstrip("\r\n")) :] if marked else text
    lines, n_comments = without_comments(list(io.StringIO(text, newline="")), SEPARATORS)
    text = "".join(lines)
    separator = marked[1] if marked else separator_of(text)
    # Only line ends separate lines here; `str.splitlines` would also split at characters inside cells.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ManifestError(f"{file}: line {reader.line_num}: not a CSV table: {error}") from None
    return _without_marks(_table(rows, "line", file), n_comments, file)


def _without_marks(table: RawTable, n_comments: int, file: Location) -> RawTable:
    cells, changed = without_text_marks(table.cells)
    remarks = list(table.remarks)
    if n_comments:
        remarks.append(f"{file}: ignored: {counted(n_comments, 'line')} above the header, with # at the beginning")
    if changed:
        remarks.append(
            f'{file}: column {first_ten(changed)}: marks that keep a value text, as in ="001" or \'001, are removed'
        )
    return RawTable(cells, tuple(remarks))


def _table(rows: Sequence[tuple[int, list[str]]], word: str, file: Location, *, has_names: bool = False) -> RawTable:
    """Make a table of numbered rows; `word` says what the numbers count, `has_names` that the first is the header."""
    rows = [(number, cells) for number, cells in rows if any(cell.strip() for cell in cells)]
    if not rows:
        raise ManifestError(f"{file}: is empty; expected a header and one row per sample")
    rows, remarks = (rows, []) if has_names else _from_header(rows, word, file)
    header = [name.strip() for name in rows[0][1]]
    rows = rows[1:]
    if _has_row_names(header, [cells for _, cells in rows]):
        header = ["", *header]
        remarks.append(
            f"{file}: the header has one name fewer than each row has cells, as R writes a table with row names: "
            f"the first column is ignored, and {header[1]!r} names the second"
        )
    header = _without_empty_end(header, max((len(cells) for _, cells in rows), default=len(header)))
    rows = [(number, _without_empty_end(cells, len(header))) for number, cells in rows]
    _check_shape(header, rows, word, file)
    index = pd.Index([number for number, _ in rows], name=word)
    table = pd.DataFrame([cells for _, cells in rows], index=index, columns=header, dtype=str)
    return RawTable(table.loc[:, [name for name in header if name]], tuple(remarks))


def _from_header(
    rows: list[tuple[int, list[str]]], word: str, file: Location
) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Rows from the header on, without comments and a row of types or units, and remarks on what is left out."""
    remarks = []
    found = find_header([cells for _, cells in rows[:FIRST_ROWS]])
    titles, rows = rows[: found.n_titles], rows[found.n_titles :]
    if titles:
        remarks.append(
            f"{file}: ignored: {word} {first_ten(number for number, _ in titles)} ({_start(titles[0][1])}), above the "
            f"header ({_start(rows[0][1])})"
        )
    for _ in range(found.n_types):
        number, cells = rows.pop(1)
        remarks.append(f"{file}: ignored: {word} {number}, which holds types or units ({_start(cells)}) and no sample")
    comments = [number for number, cells in rows[1:] if is_comment(cells) and len(rows[0][1]) > 1]
    if comments:
        remarks.append(f"{file}: ignored: {word} {first_ten(comments)}, with # at the beginning")
        left_out = set(comments)
        rows = [(number, cells) for number, cells in rows if number not in left_out]
    return rows, remarks


def _start(cells: Sequence[str]) -> str:
    """The first cells that are not empty, for messages."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return ", ".join(shorten(cell) for cell in filled[:3]) + (", …" if len(filled) > 3 else "")


def _without_empty_end(cells: list[str], n_columns: int) -> list[str]:
    """Cells without empty ones beyond a number of columns, as spreadsheets write them."""
    stop = len(cells)
    while stop > n_columns and not cells[stop - 1].strip():
        stop -= 1
    return cells[:stop]


def _has_row_names(header: list[str], rows: list[list[str]]) -> bool:
    """Whether every row has one cell more than the header, and these cells are not an empty column at the end."""
    n_cells = len(header) + 1
    if "" in header or any(len(cells) != n_cells for cells in rows):
        return False
    return any(cells[-1].strip() for cells in rows) and len({cells[0] for cells in rows}) == len(rows)


def _check_shape(header: list[str], rows: list[tuple[int, list[str]]], word: str, file: Location) -> None:
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise ManifestError(
            f"{file}: column {first_ten(twice)} occurs more than once; rename one, or, where two lines name the "
            "columns, make one line of them"
        )
    ragged = [(number, cells) for number, cells in rows if len(cells) != len(header)]
    if ragged:
        raise ManifestError(_ragged(header, rows, ragged, f"{file}: {word}"))
    if not rows:
        raise ManifestError(f"{file}: has a header but no samples")


def _ragged(
    header: list[str], rows: list[tuple[int, list[str]]], ragged: list[tuple[int, list[str]]], where: str
) -> str:
    """Say which rows have another number of cells than the header, and what to do."""
    told = f"{where} {first_ten(number for number, _ in ragged)}: expected {len(header)} cells as in the header"
    number, cells = ragged[0]
    if 2 * len(ragged) > len(rows) > 1 and len(header) < len(cells):
        return (
            f"{told} ({_start(header)}), got {len(cells)}; if lines above the names of the columns are titles, remove "
            "them"
        )
    if len(cells) < len(header):
        return (
            f"{told}, got {len(cells)} in {number} ({_start(cells)}); remove lines that are no samples, or add what is "
            "missing"
        )
    return f"{told}; put quotes around cells that contain separators"


def _read_parquet(content: bytes, file: Location) -> RawTable:
    try:
        # Nullable types keep whole numbers whole where cells are missing.
        table = pd.read_parquet(io.BytesIO(content), engine="pyarrow", dtype_backend="numpy_nullable")
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise ManifestError(
            f"{file}: cannot be read as Parquet: {first_line(error)}; write it again, or {SAVE_AS_CSV}"
        ) from None
    # Numbers without a name count the rows; texts are names of the rows, called as pyarrow calls them.
    if any(name is not None for name in table.index.names) or not pd.api.types.is_numeric_dtype(table.index.dtype):
        names = [f"__index_level_{n}__" if name is None else name for n, name in enumerate(table.index.names)]
        table = table.rename_axis(names).reset_index()
    return _table_of_frame(table, [str(name) for name in table.columns], file)


def _read_excel(content: bytes, file: Location) -> RawTable:
    rows, remarks = read_sheet(content, file)
    try:
        table = _table(rows, "row", file)
    except ManifestError as error:
        # Which sheet was read may be what is wrong.
        raise ManifestError("; ".join([str(error), *remarks[:1]])) from None
    return RawTable(table.cells, (*table.remarks, *remarks))


def _table_of_frame(table: pd.DataFrame, header: list[str], file: Location) -> RawTable:
    columns = [_texts(table.iloc[:, place]) for place in range(table.shape[1])]
    rows = [(number, list(cells)) for number, cells in enumerate(zip(*columns, strict=True), start=1)]
    return _table([(0, header), *rows], "row", file, has_names=True)


def _texts(column: pd.Series) -> list[str]:
    """Write each value as text: nothing for a missing one, and whole numbers without a point.

    Times that are all midnight are written as dates, as in a CSV file of the same table.
    """
    if pd.api.types.is_datetime64_dtype(column.dtype) and (column.dropna() == column.dropna().dt.normalize()).all():
        column = column.dt.date
    return ["" if is_missing else _text(value) for value, is_missing in zip(column, column.isna(), strict=True)]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
