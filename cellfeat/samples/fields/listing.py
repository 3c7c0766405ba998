"""Fields that a table lists: CellProfiler's load_data.csv and Image table, or any table with columns of file names."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cellfeat.config import ImagesSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.field import FieldOfView, plain_column, without_ending
from cellfeat.samples.fields.paths import FileFinder
from cellfeat.samples.fields.tables import FileColumns, further_columns
from cellfeat.storage.url import Location
from cellfeat.text import first_ten

_ID_PARTS = ("plate", "well", "site")


@dataclass(frozen=True)
class Rows:
    """A table and its file.

    Attributes
    ----------
    cells
        One row per row of the file, all str without white space around; the index says where it stands: ``line 2``.
    file
        The file.
    """

    cells: pd.DataFrame
    file: Location

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.cells.columns]

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
        """Give the place and some cells of each row; much faster than rows of pandas."""
        records = self.cells[list(dict.fromkeys(names))].to_dict("records")
        for place, record in zip(self.cells.index, records, strict=True):
            yield str(place), {str(name): str(cell) for name, cell in record.items()}


def listed_fields(
    rows: Rows, columns: FileColumns, finder: FileFinder, images: ImagesSettings, *, is_one_a_row: bool
) -> tuple[list[FieldOfView], list[str]]:
    """Make a field of each distinct set of files in a table.

    Parameters
    ----------
    rows
        The table.
    columns
        Its columns of file names.
    finder
        Finds the files.
    images
        The settings.
    is_one_a_row
        Whether the table has a row for each field, so that rows without a number are numbered in their order.

    Returns
    -------
    tuple
        The fields, and remarks.

    Raises
    ------
    ManifestError
        If files are missing, or rows of the same files contradict each other.
    """
    kept = further_columns(rows.cells, [*columns.names, *columns.folders]) if is_one_a_row else _metadata(rows)
    number = next((name for name in rows.columns if plain_column(name) == "imagenumber"), None)
    by_written: dict[tuple[str, ...], FieldOfView] = {}
    moved: list[str] = []
    missing: list[str] = []
    names = [*columns.names, *(folder for folder in columns.folders if folder)]
    wanted = [*names, *kept, *([number] if number else [])]
    for order, (place, cells) in enumerate(rows.records(wanted), start=1):
        written = tuple(cells[name] for name in names)
        if written in by_written:
            _check_one_a_row(by_written[written], str(place), rows.file, is_one_a_row=is_one_a_row)
            continue
        files = _files(cells, columns, finder, str(place), moved, missing)
        values = {name: str(cells[name]) for name in kept if name != number}
        own_number = str(cells[number]) if number else str(order) if is_one_a_row else ""
        by_written[written] = FieldOfView("", files, values, tuple(map(without_ending, files)), own_number, str(place))
    if missing:
        advice = "copy them, name the folder above them with --images FOLDER, or remove their rows"
        raise ManifestError(f"{rows.file}: no such files below {images.root}: {first_ten(missing)}; {advice}")
    fields = _named(list(by_written.values()), rows.file)
    return fields, list(_remarks(rows, moved, number, is_one_a_row=is_one_a_row))


def _metadata(rows: Rows) -> list[str]:
    return [name for name in rows.columns if name.lower().startswith(("metadata_", "image_metadata_"))]


def _check_one_a_row(field: FieldOfView, place: str, file: Location, *, is_one_a_row: bool) -> None:
    if is_one_a_row:
        raise ManifestError(
            f"{file}: {field.place} and {place} name the same files {first_ten(field.files)}; expected one row each: "
            "remove one; if the rows are cells, name the file in images.fields.positions, not in images.fields.table"
        )


def _files(
    cells: Mapping[str, str], columns: FileColumns, finder: FileFinder, place: str, moved: list[str], missing: list[str]
) -> tuple[str, ...]:
    files = []
    for name, folder in zip(columns.names, columns.folders, strict=True):
        path, file = str(cells[folder]) if folder else "", str(cells[name])
        found = finder.find(path, file)
        if found.name is None:
            told = f" fits {first_ten(found.others)}" if found.others else ""
            missing.append(f"{file or '(empty cell)'} ({place}, column {name}){told}")
        elif found.is_moved:
            moved.append(f"{path}/{file} as {found.name}" if path else f"{file} as {found.name}")
        files.append(found.name or "")
    return tuple(files)


def _named(fields: Sequence[FieldOfView], file: Location) -> list[FieldOfView]:
    """Give each field an id: its plate, well and site, the name of its first file, or its number."""
    ways = [[_metadata_name(one) for one in fields], [one.stems[0] for one in fields], [one.number for one in fields]]
    for names in ways:
        if all(names) and len(set(names)) == len(names):
            return [replace(one, name=name) for one, name in zip(fields, names, strict=True)]
    twice = [name for name, count in Counter(ways[1]).items() if count > 1]
    raise ManifestError(
        f"{file}: several fields have the first file {first_ten(twice)}, and differ in others only; add a column "
        "ImageNumber, or Metadata_Plate, Metadata_Well and Metadata_Site"
    )


def _metadata_name(field: FieldOfView) -> str:
    values = {plain_column(name): value for name, value in field.values.items()}
    parts = [values[part] for part in _ID_PARTS if values.get(part)]
    return "/".join(parts) if "site" in values or "well" in values else ""


def _remarks(rows: Rows, moved: Sequence[str], number: str | None, *, is_one_a_row: bool) -> Iterator[str]:
    if moved:
        yield f"{rows.file}: {len(moved)} files are in other folders than the table says, such as {moved[0]}"
    if is_one_a_row and number is None:
        yield f"{rows.file}: has no ImageNumber: where positions have one, fields are numbered by row, from 1"


def fields_by_key(fields: Sequence[FieldOfView], names: Sequence[str]) -> Mapping[tuple[str, ...], list[FieldOfView]]:
    """The fields by their values of some names, in plain form.

    Parameters
    ----------
    fields
        The fields; one that lacks a value is left out.
    names
        Names in plain form; see `plain_column`.
    """
    found: dict[tuple[str, ...], list[FieldOfView]] = {}
    for one in fields:
        keys = one.keys
        if all(name in keys for name in names):
            found.setdefault(tuple(keys[name] for name in names), []).append(one)
    return found
