"""Labels of cells from a table with a row for each cell, each field, or each well."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cellfeat.config import LabelsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.cells import Cell
from cellfeat.samples.fields.field import plain_column, plain_value, without_ending
from cellfeat.samples.fields.listing import Rows
from cellfeat.samples.labels.id_matching import match_ids
from cellfeat.samples.labels.numbering import check_numbering
from cellfeat.text import first_ten

_CELL_COLUMNS = {"objectnumber": "object", "object_number": "object", "cell_id": "object", "cell": "object"}
_FILE_COLUMNS = ("filename", "file_name", "file", "image", "image_name", "imagename")


class Joined(NamedTuple):
    """The row of the labels table of each cell.

    Attributes
    ----------
    row_of_cell
        Number of the row, by the number of the cell.
    unused
        Numbers of the rows that no cell has.
    by
        What they were matched by, for messages.
    """

    row_of_cell: Mapping[int, int]
    unused: Sequence[int]
    by: str


def join_labels(rows: Rows, cells: Sequence[Cell], labels: LabelsSettings) -> Joined:
    """Find the row of the labels table of each cell: by its id, its field, or columns such as plate and well.

    Parameters
    ----------
    rows
        The table.
    cells
        The cells.
    labels
        Name the column of ids.

    Raises
    ------
    ManifestError
        If nothing in the table says which cells a row is about, two rows are about the same cells, or a column counts
        from 0 what the cells count from 1.
    """
    tried = []
    for by, row_keys, cell_keys in _ways(rows, cells, labels):
        known = set(cell_keys)
        if known.isdisjoint(row_keys):
            tried.append(f"{by} (such as {row_keys[0]!r}; the cells have {cell_keys[0]!r})")
            continue
        _check_once(rows, row_keys, known, by)
        row_of_key = {key: number for number, key in enumerate(row_keys)}
        found = {number: row_of_key[key] for number, key in enumerate(cell_keys) if key in row_of_key}
        unused = [number for number, key in enumerate(row_keys) if key not in known]
        if unused:
            _check_numbering(rows, by, row_keys, cell_keys)
        return Joined(found, unused, by)
    raise ManifestError(
        f"{rows.file}: no row is about a cell of these fields; expected ids such as {_id(cells[0])} (labels.id), or "
        f"columns such as {', '.join(cells[0].field.keys)} with the values of the fields"
        f"{'; tried: ' + '; '.join(tried) if tried else ''}; columns: {first_ten(rows.columns)}"
    )


def _id(cell: Cell) -> str:
    return f"{cell.field.name}:{cell.number}"


def _ways(rows: Rows, cells: Sequence[Cell], labels: LabelsSettings) -> list[tuple[str, list[object], list[object]]]:
    """Ways to match rows and cells: what they are matched by, the keys of the rows, the keys of the cells."""
    ways: list[tuple[str, list[object], list[object]]] = []
    if labels.id in rows.columns:
        ids = rows.cells[labels.id].tolist()
        for what, own in (("sample", [_id(cell) for cell in cells]), ("field", [cell.field.name for cell in cells])):
            matches = match_ids(ids, own)
            ways.append((f"column {labels.id} as ids of {what}s", [matches.get(one, one) for one in ids], list(own)))
    plain = {_CELL_COLUMNS.get(plain_column(name), plain_column(name)): name for name in rows.columns}
    keys = [{**cell.field.keys, **_own_values(cell), "object": plain_value(cell.number)} for cell in cells]
    shared = [name for name in plain if all(name in one for one in keys) and name != "label"]
    if len(set(shared) - {"object"}):
        # A table by well may count replicates in a column of the same name as one of the fields': fewer columns then.
        fewer = [name for name in shared if name in ("plate", "well", "object")]
        for names in (shared, fewer) if fewer not in ([], shared) else (shared,):
            ways.append(_by_columns(rows, {name: plain[name] for name in names}, keys))
    # The column of the ids, or of the fields, may hold names of files, of which a pattern takes a part alone.
    named = [plain[name] for name in (*_FILE_COLUMNS, "field") if name in plain]
    files = dict.fromkeys([*named, *([labels.id] if labels.id in rows.columns else [])])
    return ways + [_by_file(rows, file, plain.get("object"), cells) for file in files]


def _own_values(cell: Cell) -> dict[str, str]:
    return {plain_column(name): plain_value(value) for name, value in cell.values.items() if value}


def _by_columns(
    rows: Rows, columns: Mapping[str, str], keys: Sequence[Mapping[str, str]]
) -> tuple[str, list[object], list[object]]:
    of_rows = zip(*(rows.cells[column].map(plain_value) for column in columns.values()), strict=True)
    return (
        f"column {', '.join(columns.values())}",
        list(of_rows),
        [tuple(one[name] for name in columns) for one in keys],
    )


def _by_file(
    rows: Rows, file: str, number: str | None, cells: Sequence[Cell]
) -> tuple[str, list[object], list[object]]:
    def stem(name: str) -> str:
        return without_ending(name.replace("\\", "/").rpartition("/")[2]).casefold()

    named = {stem(cell) for cell in rows.cells[file]}
    of_field = {
        cell.field.name: next((s for s in map(stem, cell.field.files) if s in named), stem(cell.field.files[0]))
        for cell in cells
    }
    numbers = [plain_value(one) for one in rows.cells[number]] if number else [""] * len(rows.cells)
    of_rows: list[object] = list(zip(map(stem, rows.cells[file]), numbers, strict=True))
    own: list[object] = [(of_field[cell.field.name], plain_value(cell.number) if number else "") for cell in cells]
    return f"column {file}", of_rows, own


def _check_numbering(rows: Rows, by: str, row_keys: Sequence[object], cell_keys: Sequence[object]) -> None:
    """Refuse numbers of cells or fields that count from elsewhere; keys are tuples where columns are matched."""
    of_rows, of_cells = ([key for key in keys if isinstance(key, tuple)] for keys in (row_keys, cell_keys))
    for given, known in zip(zip(*of_rows, strict=True), zip(*of_cells, strict=True), strict=True):
        check_numbering(f"{rows.file}: the numbers of {by}", given, "the cells", known)


def _check_once(rows: Rows, keys: Sequence[object], known: set[object], by: str) -> None:
    first: dict[object, int] = {}
    twice = []
    for number, key in enumerate(keys):
        other = first.setdefault(key, number)
        if other != number and key in known and not rows.cells.iloc[other].equals(rows.cells.iloc[number]):
            twice.append(f"{rows.cells.index[other]} and {rows.cells.index[number]}")
    if twice:
        raise ManifestError(
            f"{rows.file}: rows about the same cells, matched by {by}, with different values: {first_ten(twice)}; keep "
            "one of each"
        )
