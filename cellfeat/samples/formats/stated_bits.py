"""How many bits a value of an image has, by what its file states beside its pixels."""

from collections.abc import Sequence

import numpy as np

LEAST_BITS = 8
"""A highest value of fewer bits is a property of one image, such as the largest label of a mask, not of a camera."""


def bits_of_highest_value(pixels: np.ndarray, bits: int, highest: float) -> int:
    """Give the bits that a stated highest value means: 12 for 4,095, if no pixel is higher.

    Writers use such fields in different ways: for the highest value that the camera can give, or for the highest value
    of this image, or for what is shown as white. Only a full number of bits is taken for the first.

    Parameters
    ----------
    pixels
        The image, of any shape.
    bits
        Bits of a value without that statement.
    highest
        The highest value, as the file states it.

    Returns
    -------
    int
        `bits` where the statement means nothing.
    """
    stated = _bits_of_full_range(highest)
    is_believed = stated is not None and LEAST_BITS <= stated < bits and pixels.max() <= highest
    return stated if stated is not None and is_believed else bits


def _bits_of_full_range(highest: float) -> int | None:
    """Give n where `highest` is 2 to the power of n, less 1."""
    if not (0 < highest < 2**32 and float(highest).is_integer()):
        return None
    value = int(highest)
    return value.bit_length() if value & (value + 1) == 0 else None


def bits_of_display_range(pixels: np.ndarray, bits: int, ranges: Sequence[float]) -> int:
    """Give the bits that the display ranges of an ImageJ file mean: 12 where every channel is shown from 0 to 4,095.

    ImageJ writes such a range where a person has said that the images have 12 bits. Any other range is a choice of
    contrast.

    Parameters
    ----------
    pixels, bits
        As for `bits_of_highest_value`.
    ranges
        Lowest and highest value of the first channel, of the second, and so on.
    """
    lows, highs = set(ranges[0::2]), set(ranges[1::2])
    # The notes of a file are text of anybody: a range may hold anything.
    if not all(isinstance(value, int | float) for value in highs):
        return bits
    return bits_of_highest_value(pixels, bits, highs.pop()) if lows == {0} and len(highs) == 1 else bits


def bits_of_scaled_values(pixels: np.ndarray, bits: int, significant: int) -> int:
    """Give the bits of a PNG whose header states significant bits.

    The PNG standard has 12 bits scaled up to the 16 of the file, so that white is 65,535. Many programs write them as
    they are, so that white is 4,095. The values show which was done: scaled ones take only every 16th value.

    Parameters
    ----------
    pixels
        The image, of any shape.
    bits
        Bits of a value in the file.
    significant
        Significant bits, as the header states them.
    """
    if not 0 < significant < bits:
        return bits
    top, white = 2**bits - 1, 2**significant - 1
    if pixels.max() > white:
        return bits
    wide = pixels.astype(np.float64)
    unscaled = np.rint(wide * white / top)
    # Writers scale by multiplying, by shifting, or by repeating the upper bits below: these differ by less than a step.
    step = top / white
    is_scaled = (np.abs(unscaled * step - wide) <= 1) | (pixels % 2 ** (bits - significant) == 0)
    return bits if is_scaled.all() else significant
