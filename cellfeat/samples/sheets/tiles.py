"""One thumbnail: a sample in 64 x 64 grey pixels a channel."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.config_values import Limits
from cellfeat.samples.shrinking import average_to
from cellfeat.types import Bytes

SIDE = 64
"""Pixels of a side of a thumbnail."""

LARGEST_FACTOR = 4
"""Small images are enlarged at most so many times: more would show squares and no more of the cell."""


class Place(NamedTuple):
    """Where the picture lies in its thumbnail, in pixels; the rest is black."""

    top: int
    left: int
    height: int
    width: int


def place_of(height: int, width: int) -> Place:
    """Find where a picture lies in its thumbnail: in the middle, with its aspect.

    Parameters
    ----------
    height, width
        Size of the image in pixels.

    Examples
    --------
    >>> place_of(128, 64)
    Place(top=0, left=16, height=64, width=32)
    >>> place_of(40, 40)
    Place(top=0, left=0, height=64, width=64)
    >>> place_of(10, 10)
    Place(top=12, left=12, height=40, width=40)
    """
    factor = min(SIDE / max(height, width), LARGEST_FACTOR)
    high, wide = (max(1, round(side * factor)) for side in (height, width))
    return Place((SIDE - high) // 2, (SIDE - wide) // 2, high, wide)


def make_tile(pixels: NDArray, windows: Sequence[Limits]) -> Bytes:
    """Make the thumbnail of a sample.

    Each new pixel is the mean over the area that it covers, in small images, too; values outside a window are clipped.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``, of any type.
    windows
        The values that become 0 and 255, for each channel.

    Returns
    -------
    ndarray of shape (C, SIDE, SIDE)
    """
    place = place_of(*pixels.shape[1:])
    starts, ends = (np.array(limits, np.float32)[:, np.newaxis, np.newaxis] for limits in zip(*windows, strict=True))
    fitted = average_to(pixels.astype(np.float32), (place.height, place.width))
    grey = np.nan_to_num((fitted - starts) * (255 / (ends - starts)))
    tile = np.zeros((len(pixels), SIDE, SIDE), np.uint8)
    rows, columns = slice(place.top, place.top + place.height), slice(place.left, place.left + place.width)
    tile[:, rows, columns] = np.rint(grey.clip(0, 255))
    return tile
