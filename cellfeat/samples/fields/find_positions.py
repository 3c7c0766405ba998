"""Cells of tables of positions: one table of all fields, or one for each field."""

from collections.abc import Sequence
from pathlib import Path

from cellfeat.errors import ManifestError
from cellfeat.samples.fields.cells import Cell, LeftOut, cells_of_table, match_rows
from cellfeat.samples.fields.field import FieldOfView
from cellfeat.samples.fields.listing import Rows
from cellfeat.samples.fields.names import NamePattern
from cellfeat.samples.fields.numbered_files import check_numbered_files
from cellfeat.samples.fields.sources import Sources, as_rows
from cellfeat.samples.fields.tables import file_columns_of
from cellfeat.samples.labels.table import file_columns
from cellfeat.samples.tables.file import read_table_file
from cellfeat.text import counted, first_ten

_MOST_REMARKS = 10


def find_positions(sources: Sources, fields: Sequence[FieldOfView], left_out: LeftOut) -> tuple[list[Cell], list[str]]:
    """Find the cells that tables of positions list.

    Parameters
    ----------
    sources
        The tables.
    fields
        The fields.
    left_out
        Receives the rows that are left out.

    Returns
    -------
    tuple
        The cells, and remarks about how a table of each field was read; `sources` has those of one table of all fields.

    Raises
    ------
    ManifestError
        If a table has no positions, or no row is of a known field.
    """
    if isinstance(sources.positions, NamePattern):
        return _of_each_field(sources, sources.positions, fields, left_out)
    assert sources.positions is not None, "without positions the cells are those of label images"
    return _of_one_table(sources, sources.positions, fields, left_out), []


def _of_one_table(sources: Sources, rows: Rows, fields: Sequence[FieldOfView], left_out: LeftOut) -> list[Cell]:
    named = file_columns(sources.labels)
    columns = file_columns_of(rows.columns, sources.images.channels, named, str(rows.file))
    matched, by = match_rows(rows, fields, columns, sources.finder)
    lost = [str(place) for place, one in zip(rows.cells.index, matched, strict=True) if one is None]
    if lost and sources.labels.unmatched == "error":
        raise ManifestError(
            f"{rows.file}: {len(lost)} of {len(matched)} rows are of fields that have no images (by {by}): "
            f"{first_ten(lost)}; copy the images, or leave the rows out with --set labels.unmatched=ignore"
        )
    for place in lost:
        left_out.add("rows of fields that have no images", f"{rows.file} {place}")
    return cells_of_table(rows, matched, sources.images.fields, columns, left_out)


def _of_each_field(
    sources: Sources, pattern: NamePattern, fields: Sequence[FieldOfView], left_out: LeftOut
) -> tuple[list[Cell], list[str]]:
    cells: list[Cell] = []
    remarks: list[tuple[str, str]] = []
    tried = []
    if not all(Path(pattern.filled(one.named_values) or "").is_file() for one in fields):
        check_numbered_files(pattern, [one.named_values for one in fields], lambda name: Path(name).is_file())
    for one in fields:
        name = pattern.filled(one.named_values)
        if name is None:
            raise ManifestError(
                f"{pattern.setting}: {pattern.text!r}: the fields have no {_missing(pattern, one.named_values)}; they "
                f"have {first_ten(one.named_values)}"
            )
        tried.append(name)
        if Path(name).is_file() and _is_empty(Path(name)):
            left_out.add("fields whose table of positions is empty", f"{one.name} ({name})")
        elif Path(name).is_file():
            raw = read_table_file(Path(name))
            remarks += [(name, remark.removeprefix(f"{name}: ")) for remark in raw.remarks]
            rows = as_rows(raw.cells, Path(name))
            cells += cells_of_table(rows, [one] * len(raw.cells), sources.images.fields, None, left_out)
        else:
            left_out.add("fields without a table of positions", f"{one.name} ({name})")
    if not cells:
        raise ManifestError(
            f"no field has a table of positions: expected files such as {first_ten(tried[:2])}; say how they are named "
            "with --set 'images.fields.positions=FOLDER/{plate}/{well}-{site}-Nuclei.csv'"
        )
    return cells, _told_once(remarks)


def _told_once(remarks: Sequence[tuple[str, str]]) -> list[str]:
    """Remarks about tables, each as its file and its text: a text of several tables is one line."""
    files: dict[str, list[str]] = {}
    for file, text in remarks:
        files.setdefault(text, []).append(file)
    lines = [
        f"{first}: {text}" + (f" (and so in {counted(len(others), 'more table')} of positions)" if others else "")
        for text, (first, *others) in files.items()
    ]
    n_more = len(lines) - _MOST_REMARKS
    return lines[:_MOST_REMARKS] + ([f"{n_more} more remarks about tables of positions"] if n_more > 0 else [])


def _is_empty(file: Path) -> bool:
    """Whether a table holds a header alone, as of a field without cells."""
    content = file.read_bytes()
    is_text = not content.startswith((b"\x1f\x8b", b"PAR1", b"PK"))
    return is_text and sum(1 for line in content.splitlines() if line.strip()) <= 1


def _missing(pattern: NamePattern, values: dict[str, str]) -> str:
    return ", ".join(f"{{{name}}}" for name in pattern.names if name not in values)
