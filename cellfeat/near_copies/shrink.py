"""Small grey pictures of samples, in which near copies are searched for."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellfeat.samples.shrinking import average_to

LONGEST_SIDE = 64
"""Pictures whose longer side has more pixels are shrunk until it has at most this many."""

LARGEST = 2
"""A picture more than this many times as large as the others of its data set is shrunk further than they are."""


def shrink_factor(longest_side: int) -> int:
    """How often a picture is shrunk whose longer side has so many pixels: 1 up to `LONGEST_SIDE`."""
    # Rounded up, so that the longer side never exceeds LONGEST_SIDE.
    return max(-(-longest_side // LONGEST_SIDE), 1)


def grey_picture(pixels: NDArray, scale: ArrayLike, factor: int) -> NDArray[np.float32]:
    """Average the channels of a sample, each divided by its scale, and shrink the picture.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``.
    scale
        Typical variation of each channel, shape ``(C,)``, so that all channels have equal weight.
    factor
        Height and width are divided by this number, or by a larger one where they would exceed `LARGEST` times
        `LONGEST_SIDE`.

    Returns
    -------
    ndarray of shape (H // factor, W // factor)
    """
    grey = (pixels / np.asarray(scale, dtype=np.float32)[:, np.newaxis, np.newaxis]).mean(axis=0, dtype=np.float32)
    factor = max(factor, shrink_factor(-(-max(grey.shape) // LARGEST)))
    return shrunk(grey, (grey.shape[0] // factor, grey.shape[1] // factor))


def shrunk(picture: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Shrink a picture by averaging all of its pixels, so that shrinking and then rotating equals the reverse.

    Parameters
    ----------
    picture
        Shape ``(h, w)``.
    shape
        Height and width of the result, at most those of the picture. A picture that would have a side of less than two
        pixels is returned as it is.
    """
    if shape == picture.shape or min(shape) < 2:
        return picture
    return average_to(picture, shape)
