"""Read single planes out of a TIFF that holds depths or times."""

import math
from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import tifffile

from cellfeat.samples.formats.planes import Stack


def has_depths_or_times(axes: str, shape: tuple[int, ...]) -> bool:
    """Whether an image has several depths or times.

    Parameters
    ----------
    axes, shape
        Letters and sizes of its axes.
    """
    return any(size > 1 for axis, size in zip(axes, shape, strict=True) if axis in "ZT")


def tiff_stack(series: tifffile.TiffPageSeries, axes: str, content: bytes, *, check: Callable[[], None]) -> Stack:
    """Make the stack of an image in a TIFF.

    Parameters
    ----------
    series
        The image.
    axes
        Letters of its axes.
    content
        All bytes of the file.
    check
        Checks that all pages and their data are there; called before the first plane is read.
    """
    is_checked = False

    def read(index: Mapping[str, int]) -> np.ndarray:
        nonlocal is_checked
        if not is_checked:
            check()
            is_checked = True
        where = tuple(index.get(axis, slice(None)) for axis in axes)
        n_leading = _page_axes(series)
        if series.dataoffset is not None:
            return _in_one_piece(series, content)[where].astype(series.dtype)
        if n_leading is None:
            return np.asarray(series.asarray()[where])
        return _of_pages(series, where[:n_leading])[(..., *where[n_leading:])]

    return Stack(axes, series.shape, series.dtype, read)


def _in_one_piece(series: tifffile.TiffPageSeries, content: bytes) -> np.ndarray:
    """All pixels, uncompressed and in the order of the axes, without a copy."""
    dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    return np.frombuffer(content, dtype, math.prod(series.shape), series.dataoffset or 0).reshape(series.shape)


def _page_axes(series: tifffile.TiffPageSeries) -> int | None:
    """How many leading axes count the pages; None where pages and axes do not fit."""
    n_page_values = math.prod(series.keyframe.shape)
    for n_leading in range(len(series.shape) + 1):
        leading, rest = series.shape[:n_leading], series.shape[n_leading:]
        if math.prod(leading) == len(series.pages) and math.prod(rest) == n_page_values:
            return n_leading
    return None


def _of_pages(series: tifffile.TiffPageSeries, where: tuple[int | slice, ...]) -> np.ndarray:
    """Decode the pages at an index of the leading axes."""
    leading = series.shape[: len(where)]
    wanted = [range(size) if isinstance(at, slice) else (at,) for at, size in zip(where, leading, strict=True)]
    numbers = [int(np.ravel_multi_index(at, leading)) if leading else 0 for at in product(*wanted)]
    # A page that is missing was refused before.
    pages = [page.asarray() for page in (series.pages[number] for number in numbers) if page is not None]
    kept = [size for at, size in zip(where, leading, strict=True) if isinstance(at, slice)]
    return np.reshape(pages, (*kept, *series.shape[len(where) :]))
