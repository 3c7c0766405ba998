"""Read a label image: the value of a pixel says which cell it belongs to, 0 is background."""

from pathlib import Path

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.image_file.channels import opaque_planes
from cellfeat.samples.image_file.read import read_image

HOW_TO_SAVE = "save masks as TIFF or PNG of whole numbers (Cellpose: --save_tif or --save_png; in its window: Ctrl-N)"
_NPY = b"\x93NUMPY"


def read_label_image(path: Path, max_pixels: int) -> np.ndarray:
    """Read a label image.

    Parameters
    ----------
    path
        A TIFF, PNG or BMP file of one plane.
    max_pixels
        The most pixels that it may hold.

    Returns
    -------
    ndarray of shape (H, W)
        Of an integer type.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ImageError
        If it cannot be read, or is no label image.
    """
    if path.suffix.lower() in (".npy", ".npz"):
        raise ImageError(f"{path}: is a file of numpy, which may hold a pickle, and is not read; {HOW_TO_SAVE}")
    image = read_image(path, max_pixels)
    if image.file_format == "jpeg":
        raise ImageError(f"{path}: is a JPEG, which changes the numbers of cells; {HOW_TO_SAVE}")
    planes = image.pixels[opaque_planes(image)]
    if len(planes) > 1 and not all((plane == planes[0]).all() for plane in planes[1:]):
        raise ImageError(f"{path}: holds {len(planes)} planes; expected one, with the number of a cell in each pixel")
    return _whole_numbers(planes[0], path)


def _whole_numbers(plane: np.ndarray, path: Path) -> np.ndarray:
    if plane.dtype.kind == "f":
        whole = np.rint(plane)
        if (whole != plane).any() or np.abs(whole).max() >= 2**31:
            raise ImageError(f"{path}: holds numbers with decimals, such as {_first_decimal(plane)}; {HOW_TO_SAVE}")
        plane = whole.astype(np.int32)
    if plane.dtype.kind == "i" and plane.min() < 0:
        raise ImageError(f"{path}: holds negative values, down to {plane.min()}; expected 0 outside of cells")
    return plane


def _first_decimal(plane: np.ndarray) -> float:
    return float(plane[plane != np.rint(plane)][0]) if (plane != np.rint(plane)).any() else float(plane.max())
