"""Tables of cells and of fields as CellProfiler, DeepProfiler and others write them: what their columns mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from cellfeat.config import FieldsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.column_names.positions import axis_of, centre_columns
from cellfeat.samples.column_names.profiles import is_certain_measure
from cellfeat.samples.fields.field import plain_column
from cellfeat.text import first_ten, near_names

_OBJECT_NAMES = (
    r"objectnumber", r"object_number", r"(.+_)?number_object_number",
    r"(cell|nucleus|object|mask|label|roi)_?(id|no|number|value)",
    r"cell", r"object", r"nucleus",
)  # fmt: skip
_FILE_NAMES = ("filename", "file_name", "file", "image_file", "imagefile", "image_name", "imagename", "image", "path")


class Position(NamedTuple):
    """The two columns of a position."""

    x: str
    y: str


@dataclass(frozen=True)
class FileColumns:
    """The columns of file names: one for all channels, or one per channel; and of their folders.

    Attributes
    ----------
    names
        Columns of the file names.
    folders
        Column of the folder for each of them; "" where there is none.
    """

    names: tuple[str, ...]
    folders: tuple[str, ...]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def position_columns(columns: Sequence[str], settings: FieldsSettings, where: str) -> Position | None:
    """Find the columns of the positions.

    Parameters
    ----------
    columns
        Names of a table's columns.
    settings
        May name the columns.
    where
        The table, for messages.

    Returns
    -------
    Position or None
        None where the table has no position.

    Raises
    ------
    ManifestError
        If the settings name a column that is missing, or the only position is in micrometres.
    """
    if settings.x or settings.y:
        return _named_position(columns, settings, where)
    # Rows and columns may be those of the plate.
    names = [name for name in columns if not ((axis := axis_of(name)) and axis.is_grid)]
    if found := centre_columns(names):
        return Position(*found)
    if found := centre_columns(names, in_micrometres=True):
        raise ManifestError(
            f"{where}: the position {found[0]!r} is in micrometres; expected pixels: export pixels, or add columns "
            "of pixels and name them with --set images.fields.x=COLUMN --set images.fields.y=COLUMN"
        )
    return None


def advice_on_cells(columns: Sequence[str], where: str) -> str:
    """Say how to cut crops out of images of which a table has several rows, if these are cells.

    Parameters
    ----------
    columns
        Names of the table's columns.
    where
        The table, for messages.
    """
    try:
        position = position_columns(columns, FieldsSettings(), where)
    except ManifestError as error:
        return f"if the rows are cells: {error}"
    named = f" in the columns {position.x} and {position.y}" if position else ""
    advice = f"if the rows are cells{named}, cut crops around them: --set images.layout=fields"
    if position is None:
        advice += (
            ", with the centres of the cells in pixels in two columns (--set images.fields.x=COLUMN "
            "--set images.fields.y=COLUMN) or with label images (images.fields.masks)"
        )
    return advice


def _named_position(columns: Sequence[str], settings: FieldsSettings, where: str) -> Position:
    for key, name in (("x", settings.x), ("y", settings.y)):
        if not name:
            raise ManifestError(f"{where}: images.fields.x and images.fields.y go together; {key} is missing")
        if name not in columns:
            raise ManifestError(f"{where}: no column {name!r} (images.fields.{key}); {near_names(name, columns)}")
    return Position(str(settings.x), str(settings.y))


def object_column(columns: Sequence[str], settings: FieldsSettings, where: str) -> str | None:
    """Find the column of the cells' numbers; None where there is none.

    Parameters
    ----------
    columns, settings, where
        As for `position_columns`.
    """
    if settings.object:
        if settings.object not in columns:
            raise ManifestError(
                f"{where}: no column {settings.object!r} (images.fields.object); {near_names(settings.object, columns)}"
            )
        return settings.object
    by_plain = {_plain(name): name for name in columns}
    named = (name for pattern in _OBJECT_NAMES for plain, name in by_plain.items() if re.fullmatch(pattern, plain))
    # The table of regionprops of scikit-image calls the number label.
    return next(named, by_plain.get("label") if "centroid_1" in by_plain else None)


def file_columns_of(
    columns: Sequence[str], channels: Sequence[str | int], named: Sequence[str], where: str
) -> FileColumns | None:
    """Find the columns of file names.

    Parameters
    ----------
    columns
        Names of a table's columns.
    channels
        The channels of a sample.
    named
        Columns that ``labels.files`` names; empty: known by their names.
    where
        The table, for messages.

    Raises
    ------
    ManifestError
        If the table has files of channels, and not those of all `channels`.
    """
    if named and set(named) <= set(columns):
        return _with_folders(named, columns)
    by_channel = {plain: name for name in columns if (plain := _channel_of(name))}
    wanted = [str(channel).lower() for channel in channels]
    own = [by_channel.get(channel) or by_channel.get(f"orig{channel}") for channel in wanted]
    if all(own):
        return _with_folders([name for name in own if name], columns)
    exact = {name.lower(): name for name in columns}
    if len(channels) > 1 and all(channel in exact for channel in wanted):
        return _with_folders([exact[channel] for channel in wanted], columns)
    if len(by_channel) == 1:
        return _with_folders(list(by_channel.values()), columns)
    if by_channel:
        known = [re.sub(r"^.*?filename_(orig)?", "", name, flags=re.IGNORECASE) for name in by_channel.values()]
        raise ManifestError(
            f"{where}: has file names of the channels {first_ten(known)}, and images.channels is "
            f"{', '.join(map(str, channels))}; say --set 'images.channels=[{', '.join(known)}]'"
        )
    by_plain = {plain_column(name): name for name in columns}
    single = next((by_plain[one] for one in _FILE_NAMES if one in by_plain), None)
    return _with_folders([single], columns) if single else None


def _channel_of(column: str) -> str | None:
    match = re.fullmatch(r"(?:image_)?filename_(.+)", column, re.IGNORECASE)
    return match[1].lower() if match else None


def _with_folders(names: Sequence[str], columns: Sequence[str]) -> FileColumns:
    by_lower = {name.lower(): name for name in columns}
    folders = [by_lower.get(re.sub("filename", "pathname", name.lower()), "") for name in names]
    return FileColumns(tuple(names), tuple(f if f != n else "" for f, n in zip(folders, names, strict=True)))


def further_columns(cells: pd.DataFrame, used: Sequence[str | None]) -> list[str]:
    """Columns that are kept with the samples: neither measurements nor those that say what a row is.

    Parameters
    ----------
    cells
        A table.
    used
        Columns that are used already.
    """
    taken = {name for name in used if name}
    return [name for name in cells.columns if name not in taken and not is_certain_measure(name)]
