"""The cells of fields: by tables of positions, and by label images."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute

from cellfeat.config import FieldsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.field import FieldOfView, plain_column, plain_value, without_ending
from cellfeat.samples.fields.listing import Rows, fields_by_key
from cellfeat.samples.fields.objects import LabelObjects
from cellfeat.samples.fields.paths import FileFinder
from cellfeat.samples.fields.tables import FileColumns, further_columns, object_column, position_columns
from cellfeat.samples.labels.numbering import check_numbering
from cellfeat.text import first_ten


@dataclass(frozen=True)
class Cell:
    """One cell of a field.

    Attributes
    ----------
    field
        The field.
    number
        Its number or name in the field.
    x, y
        Its centre in pixels.
    mask_value
        Its value in the label image; 0 where it has none.
    place
        Where it comes from, for messages.
    values
        Further columns of its row.
    """

    field: FieldOfView
    number: str
    x: float
    y: float
    mask_value: int = 0
    place: str = ""
    values: Mapping[str, str] = attribute(default_factory=dict)


@dataclass
class LeftOut:
    """Cells that are left out, by reason, to be counted and named in remarks."""

    reasons: dict[str, list[str]] = attribute(default_factory=dict)

    def add(self, reason: str, what: str) -> None:
        """Note one.

        Parameters
        ----------
        reason
            Why it is left out.
        what
            The cell, and where it stands.
        """
        self.reasons.setdefault(reason, []).append(what)

    def remarks(self) -> list[str]:
        """One line for each reason."""
        return [f"left out: {len(told)} {reason}: {first_ten(told)}" for reason, told in self.reasons.items()]


def cells_of_labels(fields: Iterable[FieldOfView], objects: Mapping[str, LabelObjects]) -> list[Cell]:
    """Make a cell of each object of the label images.

    Parameters
    ----------
    fields
        The fields.
    objects
        The objects of each field, by its id.
    """
    return [
        Cell(one, str(value), float(x), float(y), int(value), objects[one.name].file)
        for one in fields
        if one.name in objects
        for value, (x, y) in zip(objects[one.name].values.tolist(), objects[one.name].centres.tolist(), strict=True)
    ]


def cells_of_table(
    rows: Rows,
    field_of_row: Sequence[FieldOfView | None],
    settings: FieldsSettings,
    files: FileColumns | None,
    left_out: LeftOut,
) -> list[Cell]:
    """Make a cell of each row of a table of positions.

    Parameters
    ----------
    rows
        The table.
    field_of_row
        The field of each row; None: the row is left out already.
    settings
        May name the columns.
    files
        Its columns of file names, which are no further columns.
    left_out
        Receives the rows without a position.

    Raises
    ------
    ManifestError
        If the table has no position, a position is no number, or a field has two cells of one number.
    """
    where = str(rows.file)
    position = position_columns(rows.columns, settings, where)
    if position is None:
        raise ManifestError(
            f"{where}: has no columns of positions, such as Location_Center_X and Location_Center_Y, or x and y; name "
            f"them with --set images.fields.x=COLUMN --set images.fields.y=COLUMN; columns: {first_ten(rows.columns)}"
        )
    number = object_column(rows.columns, settings, where)
    used = [*position, number, *(files.names + files.folders if files else ())]
    kept = [name for name in further_columns(rows.cells, used) if plain_column(name) not in ("imagenumber", "field")]
    numbered: dict[str, int] = {}
    cells = []
    wanted = [*position, *([number] if number else []), *kept]
    for (place, row), one in zip(rows.records(wanted), field_of_row, strict=True):
        if one is None:
            continue
        numbered[one.name] = numbered.get(one.name, 0) + 1
        name = _plain_number(str(row[number])) if number else str(numbered[one.name])
        x, y = (_coordinate(str(row[column]), column, str(place), where) for column in position)
        told = f"{one.name}:{name} ({where} {place})"
        if not name:
            raise ManifestError(f"{where}: {place}: no {number}; every cell of a field needs its own")
        if math.isnan(x) or math.isnan(y):
            left_out.add("cells without a position", told)
            continue
        cells.append(Cell(one, name, x, y, _value(name), f"{where} {place}", {k: str(row[k]) for k in kept}))
    _check_numbers(cells)
    return cells


def _plain_number(text: str) -> str:
    """A number without the decimal point that programs add where other cells of the column are empty."""
    whole, _, decimals = text.partition(".")
    return whole if whole.isdecimal() and not decimals.strip("0") else text


def _value(name: str) -> int:
    return int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else 0


def _coordinate(text: str, column: str, place: str, where: str) -> float:
    """A coordinate; NaN where it is missing."""
    if text.lower() in ("", "nan", "na", "n/a", "none", "null", "<na>"):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise ManifestError(f"{where}: {place}: {column}: expected a number of pixels, got {text!r}") from None
    if math.isinf(value) or abs(value) > 2**31:
        raise ManifestError(f"{where}: {place}: {column}: expected a position on the field, got {text!r}")
    return value


def _check_numbers(cells: Sequence[Cell]) -> None:
    seen: dict[tuple[str, str], Cell] = {}
    twice = []
    for cell in cells:
        first = seen.setdefault((cell.field.name, cell.number), cell)
        if first is not cell:
            twice.append(f"{cell.field.name}:{cell.number} ({first.place}, {cell.place})")
    if twice:
        raise ManifestError(
            f"cells that have the number of another cell of their field: {first_ten(twice)}; keep one row of each, or "
            "name the column of numbers with --set images.fields.object=COLUMN"
        )


def match_rows(
    rows: Rows, fields: Sequence[FieldOfView], files: FileColumns | None, finder: FileFinder
) -> tuple[list[FieldOfView | None], str]:
    """Find the field of each row of a table, by file names, ImageNumber, or columns such as plate, well and site.

    Parameters
    ----------
    rows
        The table.
    fields
        The fields.
    files
        Its columns of file names; None where there are none.
    finder
        Finds the files.

    Returns
    -------
    tuple
        The field of each row, None where there is none; and what the rows were matched by, for messages.

    Raises
    ------
    ManifestError
        If no column says which field a row belongs to, rows fit several fields, or a column counts from 0 what the
        fields count from 1.
    """
    if files:
        by_file = {name: one for one in fields for name in one.files}
        found = [
            next((by_file[n] for n in _found_names(row, files, finder) if n in by_file), None)
            for _, row in rows.records(name for name in files.names + files.folders if name)
        ]
        if any(found):
            return found, f"column {', '.join(files.names)}"
    plain = {plain_column(name): name for name in rows.columns}
    known = {name for one in fields for name in one.keys}
    for names in _ways(plain, known):
        columns = {name: plain[name] for name in names}
        matched = _by_values(rows, fields, columns)
        if None in matched:
            _check_numbering(rows, fields, columns)
        if any(matched):
            return matched, f"column {', '.join(plain[name] for name in names)}"
    if "field" in plain and any(matched := _by_stems(rows, fields, plain["field"])):
        return matched, f"column {plain['field']} as names of files"
    raise ManifestError(
        f"{rows.file}: no column says which field a cell is of; expected a column of file names, ImageNumber, or "
        f"columns of {first_ten(sorted(known))} whose values fit the fields, such as {_example(fields)}; columns: "
        f"{first_ten(rows.columns)}{_number_advice(plain, known)}"
    )


def _by_stems(rows: Rows, fields: Sequence[FieldOfView], column: str) -> list[FieldOfView | None]:
    """The field of each row by the names of its files without ending and channel, of which a pattern takes a part."""
    by_stem: dict[str, FieldOfView | None] = {}
    for one in fields:
        for stem in {plain_value(stem.rpartition("/")[2]) for stem in one.stems}:
            by_stem[stem] = None if stem in by_stem else one
    return [by_stem.get(plain_value(without_ending(row[column]))) for _, row in rows.records([column])]


def _check_numbering(rows: Rows, fields: Sequence[FieldOfView], columns: Mapping[str, str]) -> None:
    for name, column in columns.items():
        given = map(plain_value, rows.cells[column].astype(str))
        known = [one.keys[name] for one in fields if name in one.keys]
        check_numbering(f"{rows.file}: the numbers of column {column}", given, "the fields", known)


def _number_advice(plain: Mapping[str, str], known: set[str]) -> str:
    if "imagenumber" not in plain or "imagenumber" in known:
        return ""
    return "; for its ImageNumber, name the Image table or load_data.csv with --set images.fields.table=FILE"


def _example(fields: Sequence[FieldOfView]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in fields[0].keys.items()) if fields else "none"


def _found_names(row: Mapping[str, str], files: FileColumns, finder: FileFinder) -> list[str]:
    pairs = zip(files.names, files.folders, strict=True)
    found = [finder.find(str(row[folder]) if folder else "", str(row[name])).name for name, folder in pairs]
    return [name for name in found if name]


def _ways(plain: Mapping[str, str], known: set[str]) -> list[list[str]]:
    """Sets of columns that may tell the field: its id, its place on a plate, its number."""
    shared = [name for name in plain if name in known and name not in ("field", "imagenumber")]
    places = [name for name in shared if name in ("plate", "well", "site", "row", "column", "batch", "timepoint")]
    ways = [["field"]] if "field" in plain else []
    ways += [places] if places else []
    ways += [["imagenumber"]] if "imagenumber" in plain and "imagenumber" in known else []
    return [*ways, shared] if shared and shared != places else ways


def _by_values(rows: Rows, fields: Sequence[FieldOfView], columns: Mapping[str, str]) -> list[FieldOfView | None]:
    by_key = fields_by_key(fields, list(columns))
    found: list[FieldOfView | None] = []
    for _, row in rows.records(columns.values()):
        key = tuple(plain_value(str(row[column])) for column in columns.values())
        candidates = by_key.get(key, [])
        if len(candidates) > 1:
            return [None] * len(rows.cells)
        found.append(candidates[0] if candidates else None)
    return found
