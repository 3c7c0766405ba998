"""Files of NumPy arrays: whether they hold images and no table. Only their headers are read."""

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

ARRAY_ENDINGS = (".npz", ".npy")
_MOST_AXES, _MOST_VIEWS = 3, 16
"""Axes of a table, which may have several views of each sample, and views that it may have."""
_FAULTS = (OSError, ValueError, EOFError, SyntaxError, RecursionError, MemoryError, RuntimeError, zipfile.BadZipFile,
           zlib.error, NotImplementedError, tokenize.TokenError)  # fmt: skip


def shape_of_images(file: Path) -> tuple[int, ...] | None:
    """The shape of the first array that holds images; None where there is none, as in a table.

    Images have more axes than a table, or a second axis that is too long for views of one sample.

    Parameters
    ----------
    file
        An ``.npy`` or ``.npz`` file, which may be damaged.
    """
    return next((shape for shape, dtype in _headers(file) if dtype.kind in "buif" and _is_of_images(shape)), None)


def _is_of_images(shape: tuple[int, ...]) -> bool:
    return len(shape) > _MOST_AXES or (len(shape) == _MOST_AXES and shape[1] > _MOST_VIEWS)


def _headers(file: Path) -> Iterator[tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array; those after damage are left out."""
    try:
        if file.name.lower().endswith(".npy"):
            with file.open("rb") as content:
                yield _header(content)
            return
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as content:
                        yield _header(content)
    except _FAULTS:
        return


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    read = npy.read_array_header_1_0 if npy.read_magic(content) == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(content)
    return shape, dtype
