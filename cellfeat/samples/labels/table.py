"""Read the labels table; every cell stays text, as it was written, except for white space and missing values."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from cellfeat.config import LabelsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.labels.missing import MissingValues, column_remarks, group_remarks, label_remarks, without_missing
from cellfeat.samples.tables.file import RawTable, read_table_file
from cellfeat.storage.url import Location
from cellfeat.text import first_ten, near_names


@dataclass(frozen=True)
class LabelsTable:
    """The labels table.

    Attributes
    ----------
    cells
        One row per sample with the file's own columns, all str, ``""`` where a cell is empty or means a missing value.
        The index is the line or row in the file, for messages, and its name says which.
    remarks
        Messages for the user about how it was read, and which cells were taken as missing.
    """

    cells: pd.DataFrame
    remarks: tuple[str, ...] = ()

    @property
    def places(self) -> list[str]:
        """Where each row stands, for messages: ``line 2``."""
        return [f"{self.cells.index.name} {number}" for number in self.cells.index]


def read_labels(settings: LabelsSettings, file: Location) -> LabelsTable:
    """Read a labels table.

    A byte-order mark, white space around cells, blank lines and columns without a name are ignored. Words in
    `LabelsSettings.missing` become empty cells, except in ids and file names.

    Parameters
    ----------
    settings
        The names of the columns that must exist.
    file
        The table: see `cellfeat.samples.tables.file.read_table_file`.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ManifestError
        If it is not a table, lacks a column that the settings name, or has samples without an id.
    """
    return checked_labels(read_table_file(file), settings, file)


def checked_labels(raw: RawTable, settings: LabelsSettings, file: Location) -> LabelsTable:
    """Check the columns of a table, and take what means a missing value for an empty cell.

    Parameters
    ----------
    raw
        The table as it stands in its file.
    settings, file
        As for `read_labels`.

    Raises
    ------
    ManifestError
        As for `read_labels`.
    """
    _check_columns(raw.cells, settings, file)
    cells = raw.cells.apply(lambda column: column.str.strip())
    missing = cells.index[cells[settings.id] == ""]
    if len(missing):
        raise ManifestError(
            f"{file}: no {settings.id} in {cells.index.name} {first_ten(missing)}; every sample needs its own id"
        )
    columns = _columns_without_missing(cells, settings)
    remarks = (*raw.remarks, *_space_remarks(raw.cells, settings, file), *_missing_remarks(columns, settings, file))
    return LabelsTable(cells.assign(**{name: column.values for name, column in columns.items()}), remarks)


def named_columns(settings: LabelsSettings) -> list[str]:
    """The columns of the labels table that the settings name."""
    # Of several columns of groups each says something of its own, so they are kept.
    group = settings.group if isinstance(settings.group, str) else None
    return [column for column in (settings.id, settings.label, group) if column] + file_columns(settings)


def file_columns(settings: LabelsSettings) -> list[str]:
    """The columns of the labels table that contain file names."""
    if settings.files is None:
        return []
    return [settings.files] if isinstance(settings.files, str) else settings.files


def group_columns(settings: LabelsSettings) -> list[str]:
    """The columns that ``labels.group`` names."""
    group = settings.group or []
    return [group] if isinstance(group, str) else list(group)


def _columns_without_missing(cells: pd.DataFrame, settings: LabelsSettings) -> dict[str, MissingValues]:
    kept = {settings.id, *file_columns(settings)}
    return {name: without_missing(cells[name], settings.missing) for name in cells.columns if name not in kept}


def _missing_remarks(columns: dict[str, MissingValues], settings: LabelsSettings, file: Location) -> list[str]:
    remarks = []
    if settings.label in columns:
        remarks += label_remarks(columns[settings.label], settings.missing, str(file))
    groups = group_columns(settings)
    for name in groups:
        if name in columns:
            remarks += group_remarks(columns[name], str(file))
    further = [(name, column) for name, column in columns.items() if name not in (settings.label, *groups)]
    return remarks + column_remarks(further, str(file))


def _space_remarks(raw: pd.DataFrame, settings: LabelsSettings, file: Location) -> list[str]:
    """Say which labels and groups became one because white space around them is ignored."""
    remarks = []
    for name in (settings.label, *group_columns(settings)):
        if name is None:
            continue
        written = raw[name].drop_duplicates()
        spellings = written.groupby(written.str.strip()).agg(list)
        joined = [" and ".join(map(repr, forms)) for stripped, forms in spellings.items() if stripped and forms[1:]]
        if joined:
            remarks.append(f"{file}: column {name}: white space around cells is ignored: {first_ten(joined)} are one")
    return remarks


def _check_columns(table: pd.DataFrame, settings: LabelsSettings, file: Location) -> None:
    named = [("id", settings.id), ("label", settings.label), ("split", settings.split)]
    named += [("group", column) for column in group_columns(settings)]
    named += [("files", column) for column in file_columns(settings)]
    missing = [(key, column) for key, column in named if column and column not in table.columns]
    if missing:
        lines = [f"no column {name!r} (labels.{key}); {_near_columns(name, table.columns)}" for key, name in missing]
        naming = " ".join(f"--set labels.{key}=NAME" for key in dict.fromkeys(key for key, _ in missing))
        raise ManifestError(
            f"{file}: {'; '.join(lines)}: rename the column in the file, "
            f"or (extract, run, score) name the right one with {naming}"
        )


def _near_columns(column: str, columns: Iterable[str]) -> str:
    """Suggest a column: one that differs in case, spaces and punctuation alone, or one of a similar name."""
    alike = [name for name in columns if _letters(name) == _letters(column)]
    return f"did you mean {' or '.join(map(repr, alike))}?" if alike else near_names(column, columns)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
