"""Headers of NumPy's ``.npy`` and ``.npz`` files, and what to do where these hold images."""

import tokenize
import zipfile
import zlib
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

NUMPY_ENDINGS = (".npz", ".npy")
DAMAGED_NUMPY = (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError,
                 zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OverflowError, MemoryError,
                 tokenize.TokenError)  # fmt: skip
"""What reading a damaged file may raise."""
MOST_TABLE_AXES = 3
"""Axes of a table, which may have several views of each sample."""
SAVE_IMAGES = (
    "save each as a TIFF in a folder of its class, such as "
    "tifffile.imwrite(f'images/{label}/{number}.tif', image), and run cellfeat init images"
)


class NumpyHeader(NamedTuple):
    """What stands before the numbers of an array."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers, or true and false."""
        return self.dtype.kind in "buif"


def read_numpy_header(file: IO[bytes]) -> NumpyHeader:
    """Read the header, and leave the file at the first number. A damaged one raises one of `DAMAGED_NUMPY`."""
    read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    return NumpyHeader(*read(file))
