"""Files of NumPy arrays: whether they hold images and no table. Only their headers are read."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from cellfeat.samples.tables.numpy_headers import DAMAGED_NUMPY, MOST_TABLE_AXES, NumpyHeader, read_numpy_header

_MOST_VIEWS = 16
"""Views of each sample that a table may have."""


def shape_of_images(file: Path) -> tuple[int, ...] | None:
    """The shape of the first array that holds images; None where there is none, as in a table.

    Images have more axes than a table, or a second axis that is too long for views of one sample.

    Parameters
    ----------
    file
        An ``.npy`` or ``.npz`` file, which may be damaged.
    """
    return next((array.shape for array in _headers(file) if array.is_numeric and _is_of_images(array.shape)), None)


def _is_of_images(shape: tuple[int, ...]) -> bool:
    return len(shape) > MOST_TABLE_AXES or (len(shape) == MOST_TABLE_AXES and shape[1] > _MOST_VIEWS)


def _headers(file: Path) -> Iterator[NumpyHeader]:
    """The header of each array; those after damage are left out."""
    try:
        if file.name.lower().endswith(".npy"):
            with file.open("rb") as content:
                yield read_numpy_header(content)
            return
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as content:
                        yield read_numpy_header(content)
    except DAMAGED_NUMPY:
        return
