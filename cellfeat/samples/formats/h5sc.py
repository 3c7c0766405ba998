"""Files of scPortrait (``.h5sc``): crops of single cells, already masked and normalised, in one HDF5 file.

A file is an AnnData file of its own: ``obsm/single_cell_images`` holds the crops, masks first, and ``obs`` a row for
each cell. One cell is named by the file and its row, as in ``single_cells.h5sc#12``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import PARSER_FAULTS, Image, check_finite, check_size, check_type, truncated

CELL_ID = "scportrait_cell_id"
IMAGES = "obsm/single_cell_images"
_CHANNELS = "uns/single_cell_images/channel_names"
_MAPPING = "uns/single_cell_images/channel_mapping"
_MASK = "mask"
_MOST_CELLS = 10**7
_LARGEST_NOTE = 10_000
_LARGEST_CHUNK = 2**28
"""Bytes. A larger piece of a compressed file is none that holds crops."""


@dataclass(frozen=True)
class Channels:
    """The channels of a file, in order.

    Attributes
    ----------
    names
        Their names.
    masks
        Numbers of those that are masks.
    """

    names: tuple[str, ...]
    masks: tuple[int, ...]

    @property
    def images(self) -> list[str]:
        """Names of the channels that are no masks."""
        return [name for number, name in enumerate(self.names) if number not in self.masks]


def read_cell(path: Path, row: int, max_pixels: int) -> Image:
    """Read the crop of one cell: only its part of the file is read.

    Parameters
    ----------
    path
        The file.
    row
        Row of the cell.
    max_pixels
        The most pixels that a crop may have, channels counted.

    Raises
    ------
    ImageError
        If the file is damaged, no file of scPortrait, or lacks the row.
    """
    with _opened(path) as file:
        images = _images(file)
        if row >= len(images):
            raise ImageError(f"holds {len(images)} cells, numbered 0 to {len(images) - 1}; there is no row {row}")
        check_size(images.shape[1:], max_pixels)
        check_type(images.dtype)
        _check_written(images, row)
        pixels = np.asarray(images[row])
        names = _channels(file, images).names
    check_finite(pixels)
    return Image(pixels, "h5sc", pixels.dtype.itemsize * 8, names)


def read_channels(path: Path) -> Channels:
    """Read the names of the channels, and which of them are masks.

    Raises
    ------
    ImageError
        As for `read_cell`.
    """
    with _opened(path) as file:
        return _channels(file, _images(file))


def read_cells(path: Path) -> dict[str, list[str]]:
    """Read the table of cells (``obs``), as text: a list of one value for each cell, by the name of the column.

    Missing values are empty. Columns of an unknown encoding are left out.

    Raises
    ------
    ImageError
        As for `read_cell`; also if the table has another number of rows than there are crops, or no cell ids.
    """
    with _opened(path) as file:
        n_cells = len(_images(file))
        table = file.get("obs")
        if not isinstance(table, h5py.Group) or CELL_ID not in table:
            raise ImageError(
                f"holds no obs/{CELL_ID}, the ids of the cells; write it again with scPortrait 1.2 or later"
            )
        # AnnData keeps the order of columns beside them.
        names = [*(str(name) for name in table.attrs.get("column-order", ())), CELL_ID]
        columns = {name: _column(table, name, n_cells) for name in dict.fromkeys(names) if name in table}
    return {name: values for name, values in columns.items() if values is not None}


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    path.stat()  # a file that does not exist is another error than a damaged one
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except ImageError:
        raise
    except PARSER_FAULTS as error:
        raise ImageError(truncated("h5sc file", str(error).partition("\n")[0][:200])) from None


def _images(file: h5py.File) -> h5py.Dataset:
    images = file.get(IMAGES)
    if not isinstance(images, h5py.Dataset) or images.ndim != 4:
        shape = f", got shape {images.shape}" if isinstance(images, h5py.Dataset) else ""
        raise ImageError(
            f"holds no crops: expected {IMAGES} of cells, channels, height and width{shape}; the extraction of "
            "scPortrait writes it"
        )
    if images.is_virtual or images.external:
        raise ImageError(f"keeps {IMAGES} in other files; write all of it into one file")
    if not 0 < len(images) <= _MOST_CELLS or np.prod(images.chunks or (1,), dtype=float) * 8 > _LARGEST_CHUNK:
        raise ImageError(truncated("h5sc file", f"its crops have the shape {images.shape} in pieces {images.chunks}"))
    return images


def _check_written(images: h5py.Dataset, row: int) -> None:
    """Refuse a cell that was never written: HDF5 fills it with zeros."""
    if images.chunks is None:
        is_written = images.id.get_storage_size() > 0
    else:
        starts = ((row, channel, 0, 0) for channel in range(0, images.shape[1], images.chunks[1]))
        is_written = all(images.id.get_chunk_info_by_coord(start).byte_offset is not None for start in starts)
    if not is_written:
        raise ImageError(truncated("h5sc file", f"the crop in row {row} was never written: its extraction has stopped"))


def _channels(file: h5py.File, images: h5py.Dataset) -> Channels:
    """Names as the crops state them, which are whole; those of AnnData's own parts are cut at 15 letters."""
    n_channels = images.shape[1]
    names = _texts(images.attrs.get("channel_names")) or _texts(_value(file, _CHANNELS)) or _of_var(file, "channels")
    kinds = (
        _texts(images.attrs.get("channel_mapping"))
        or _texts(_value(file, _MAPPING))
        or _of_var(file, "channel_mapping")
    )
    if not kinds:
        n_masks = _value(file, "uns/single_cell_images/n_masks")
        kinds = [_MASK] * int(n_masks) if n_masks is not None else []
    masks = tuple(number for number, kind in enumerate(kinds[:n_channels]) if kind == _MASK)
    return Channels(tuple(names) if len(names) == n_channels else (), masks)


def _of_var(file: h5py.File, column: str) -> list[str]:
    table = file.get("var")
    is_there = isinstance(table, h5py.Group) and column in table
    return (_column(table, column, file[IMAGES].shape[1]) if is_there else None) or []


def _value(file: h5py.File, name: str) -> Any:
    found = file.get(name)
    is_small = isinstance(found, h5py.Dataset) and found.size is not None and found.size <= _LARGEST_NOTE
    return found[()] if is_small else None


def _texts(values: Any) -> list[str]:
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        return []
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]


def _column(table: h5py.Group, name: str, n_rows: int) -> list[str] | None:
    """A column as text, by AnnData's encodings; None for one of an unknown encoding."""
    item = table[name]
    if isinstance(item, h5py.Dataset):
        return _written(_rows(item, n_rows))
    if "categories" in item and "codes" in item:
        categories = _written(_rows(item["categories"], None))
        return ["" if code < 0 else categories[code] for code in _rows(item["codes"], n_rows).tolist()]
    if "values" in item and "mask" in item:
        values = zip(_written(_rows(item["values"], n_rows)), _rows(item["mask"], n_rows), strict=True)
        return ["" if is_missing else value for value, is_missing in values]
    return None


def _rows(values: h5py.Dataset, n_rows: int | None) -> np.ndarray:
    """Read a dataset of one axis, after a look at its length: that of all columns, where `n_rows` says it."""
    if values.ndim != 1 or len(values) > _MOST_CELLS or n_rows not in (None, len(values)):
        told = f"{values.name} has the shape {values.shape}" + (f", and there are {n_rows} rows" if n_rows else "")
        raise ImageError(truncated("h5sc file", told))
    return np.asarray(values[:])


def _written(values: np.ndarray) -> list[str]:
    """Values as text; NaN is empty, and whole numbers have no decimals."""
    if values.dtype.kind == "f":
        return [
            "" if np.isnan(value) else f"{value:.0f}" if value == np.rint(value) else str(value) for value in values
        ]
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values.tolist()]
