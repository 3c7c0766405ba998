"""The tables that the settings name, and what each is taken for: fields, positions or labels."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ConfigError, MissingFileError
from cellfeat.samples.fields.listing import Rows
from cellfeat.samples.fields.names import NamePattern
from cellfeat.samples.fields.paths import FileFinder
from cellfeat.samples.fields.tables import position_columns
from cellfeat.samples.folders.local import scan
from cellfeat.samples.layouts.search import DEFAULT_PATTERN
from cellfeat.samples.tables.file import read_table_file
from cellfeat.storage.url import Location


@dataclass(frozen=True)
class Sources:
    """The tables and names that samples of fields come from.

    Attributes
    ----------
    images, labels
        The settings.
    pattern
        Names of the images; None where a table names them, or every file is a field.
    finder
        The files below the folder of images.
    names
        Their names.
    fields
        The table of fields; None where there is none.
    positions
        The table of positions, or the pattern of a table for each field; None: cells are those of the label images.
    table
        The labels table; None where there is none, or where it is the table of positions.
    remarks
        How the tables were read.
    """

    images: ImagesSettings
    labels: LabelsSettings
    pattern: NamePattern | None
    finder: FileFinder
    names: tuple[str, ...]
    fields: Rows | None
    positions: Rows | NamePattern | None
    table: Rows | None
    remarks: tuple[str, ...] = ()

    @property
    def needs_masks(self) -> bool:
        """Whether label images are needed: for the positions, for masks, or because they are named."""
        settings = self.images.fields
        return self.positions is None or settings.mask == "zero_outside" or bool(settings.masks or settings.masks_root)


def read_sources(images: ImagesSettings, labels: LabelsSettings) -> Sources:
    """Read the tables that the settings name.

    Parameters
    ----------
    images, labels
        The settings.

    Raises
    ------
    MissingFileError
        If a table does not exist.
    ManifestError
        If one cannot be read.
    """
    settings, remarks = images.fields, list[str]()
    text = None if images.pattern in (None, DEFAULT_PATTERN) else images.pattern
    if text and settings.table:
        raise ConfigError("images.pattern and images.fields.table both say which files a field has; keep one of them")
    pattern = NamePattern(text, "images.pattern", tuple(images.channels)) if text else None
    _check_pattern(pattern)
    names = scan(images.local_root)
    fields = _read(settings.table, "images.fields.table", remarks) if settings.table else None
    table = _read(labels.file, "labels.file", remarks) if labels.file else None
    positions = _positions(images, table, remarks)
    if isinstance(positions, Rows) and table is not None and positions.file == table.file:
        table = None
    return Sources(
        images, labels, pattern, FileFinder(images.local_root, names), tuple(sorted(names)), fields, positions, table,
        tuple(remarks),
    )  # fmt: skip


def _check_pattern(pattern: NamePattern | None) -> None:
    if pattern is None:
        return
    if not set(pattern.names) - {"channel", "label", "split"}:
        raise ConfigError(
            f"images.pattern: {pattern.text!r}: expected {{field}}, or names such as {{plate}}, {{well}} and {{site}}, "
            "that tell one field from another"
        )
    taken = sorted({"sample_id", "group", "file", "object"} & set(pattern.names))
    if taken:
        raise ConfigError(
            f"images.pattern: {pattern.text!r}: {', '.join(f'{{{name}}}' for name in taken)} has a meaning of its own; "
            "in layout fields a name stands for a whole field: write {field}"
        )


def _positions(images: ImagesSettings, table: Rows | None, remarks: list[str]) -> Rows | NamePattern | None:
    settings = images.fields
    if settings.positions:
        if "{" in settings.positions:
            return NamePattern(settings.positions, "images.fields.positions", tuple(images.channels))
        return _read(Path(settings.positions), "images.fields.positions", remarks)
    if table is not None and position_columns(table.columns, settings, str(table.file)):
        return table
    return None


def _read(file: Location, setting: str, remarks: list[str]) -> Rows:
    try:
        raw = read_table_file(file)
    except MissingFileError:
        advice = "; extract without one with --labels none" if setting == "labels.file" else ""
        raise MissingFileError(f"the table {file} ({setting}) does not exist{advice}") from None
    remarks.extend(raw.remarks)
    return as_rows(raw.cells, file)


def as_rows(cells: pd.DataFrame, file: Location) -> Rows:
    """Make rows of a table as it was read, white space around cells removed.

    Parameters
    ----------
    cells
        The cells; the name of the index says what its numbers count.
    file
        The file.
    """
    stripped = cells.apply(lambda column: column.str.strip())
    return Rows(stripped.set_axis([f"{cells.index.name} {number}" for number in cells.index]), file)
