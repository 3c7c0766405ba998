"""How many images, depths and times a file holds, without decoding its pixels."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import PARSER_FAULTS
from cellfeat.samples.formats.decoding import TIFF
from cellfeat.samples.formats.microscopes.formats import stack_format
from cellfeat.samples.formats.microscopes.stack_file import read_stack_sizes, why_not_installed
from cellfeat.samples.formats.tiff_pages import open_tiff

logging.getLogger("tifffile").addHandler(logging.NullHandler())


class Extent(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    series
        Images in the file.
    depths, times
        Depths and times of one of them.
    """

    series: int = 1
    depths: int = 1
    times: int = 1


ONE_PLANE = Extent()
"""What a file without depths, times and further images holds."""


def read_extent(path: Path, series: int = 0) -> Extent:
    """Read how many images, depths and times a file holds; one of each where the file does not say.

    Parameters
    ----------
    path
        The file, or a folder of OME-Zarr.
    series
        The image whose depths and times are counted.

    Raises
    ------
    ImageError
        If the library that reads the format is missing, or it finds the file damaged.
    """
    try:
        kind = stack_format(path)
        if kind is not None:
            return _extent(*read_stack_sizes(kind, path, series))
        with path.open("rb") as file:
            is_tiff = file.read(4) in TIFF
        return _of_tiff(path, series) if is_tiff else ONE_PLANE
    except PARSER_FAULTS:
        # Reading the pixels says what is wrong with the file.
        return ONE_PLANE


def _of_tiff(path: Path, series: int) -> Extent:
    # Reading the pixels says which pages are missing.
    with suppress(ImageError), open_tiff(path) as file:
        n_series = len(file.series)
        image = file.series[min(series, n_series - 1)]
        return _extent(n_series, dict(zip(image.axes, image.shape, strict=True)))
    return ONE_PLANE


def _extent(n_series: int, sizes: Mapping[str, int]) -> Extent:
    return Extent(n_series, sizes.get("Z", 1), sizes.get("T", 1))


def missing_reader(path: Path) -> str | None:
    """Say which package reads a file and is not installed, and how to install it; None where nothing is missing."""
    try:
        kind = stack_format(path)
    except OSError:
        return None
    return None if kind is None else why_not_installed(kind)
