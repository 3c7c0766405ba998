"""One thumbnail: a sample in 64 x 64 grey pixels a channel."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.config_values import Limits
from cellfeat.samples.shrinking import average_to
from cellfeat.types import Bytes, Float32s

SIDE = 64
"""Pixels of a side of a thumbnail."""

LARGEST_FACTOR = 4
"""Small images are enlarged by a whole number up to this one.

A pixel becomes a square, so that nothing is invented, and larger squares than these would show no more.
"""


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
    >>> place_of(20, 20)
    Place(top=2, left=2, height=60, width=60)
    """
    longest = max(height, width)
    if longest > SIDE:
        high, wide = (max(1, round(side * SIDE / longest)) for side in (height, width))
    else:
        factor = min(SIDE // longest, LARGEST_FACTOR)
        high, wide = height * factor, width * factor
    return Place((SIDE - high) // 2, (SIDE - wide) // 2, high, wide)


def make_tile(pixels: NDArray, windows: Sequence[Limits]) -> Bytes:
    """Make the thumbnail of a sample.

    Large images are averaged over the area of each new pixel; values outside a window are clipped.

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
    fitted = _fitted(pixels.astype(np.float32), place)
    grey = np.nan_to_num((fitted - starts) * (255 / (ends - starts)))
    tile = np.zeros((len(pixels), SIDE, SIDE), np.uint8)
    rows, columns = slice(place.top, place.top + place.height), slice(place.left, place.left + place.width)
    tile[:, rows, columns] = np.rint(grey.clip(0, 255))
    return tile


def _fitted(pixels: Float32s, place: Place) -> Float32s:
    height, width = pixels.shape[1:]
    if max(height, width) > SIDE:
        return average_to(pixels, (place.height, place.width))
    factor = place.height // height
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else pixels
