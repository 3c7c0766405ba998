"""The detail of pictures: what is left without smooth shapes and without contrast."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellfeat.types import Float32s

FINE = (0.0, 1.0)
MIDDLE = (0.7, 3.0)
"""Bands of detail: standard deviations, in pixels, of the two Gaussian blurs whose difference is taken.

The fine band has noise and texture that equal pixels share and similar cells do not. The middle band survives a
resampling by fractions of a pixel, as of crops that were shrunk one by one.
"""

NEIGHBOURHOOD = 3.0
"""Standard deviation, in pixels, of the neighbourhood over which contrast is made equal.

Without it a few bright edges decide, and all round cells on black have these in common.
"""

LEAST_CONTRAST = 0.1
"""Detail with less contrast than this share of the typical detail of the data set is taken for a flat background."""

SAMPLED = 200
PICTURES_AT_ONCE = 256


@dataclass(frozen=True)
class Detail:
    """One band of detail of pictures.

    Attributes
    ----------
    values
        Shape ``(h, w)`` each; about 1 in size wherever there is signal, and near 0 in a flat background.
    """

    values: list[Float32s]

    def flipped(self) -> "Detail":
        """The same pictures, mirrored left to right."""
        return Detail([one[:, ::-1] for one in self.values])


def detail_of(pictures: Sequence[Float32s], band: tuple[float, float]) -> Detail:
    """Extract one band of detail, at equal contrast everywhere.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``.
    band
        `FINE` or `MIDDLE`.
    """
    least = LEAST_CONTRAST * _typical_contrast(pictures, band)
    values: list[Float32s] = [np.empty(0, np.float32)] * len(pictures)
    for numbers, stack in _stacks(pictures):
        for number, one in zip(numbers, _at_equal_contrast(_band(stack, band), least), strict=True):
            values[number] = one
    return Detail(values)


def blurred(pictures: Sequence[Float32s], deviation: float) -> list[Float32s]:
    """Blur pictures with a Gaussian.

    Parameters
    ----------
    pictures
        Shape ``(h, w)`` each.
    deviation
        Standard deviation in pixels.

    Returns
    -------
    list of ndarray of shape (h, w)
    """
    values: list[Float32s] = [np.empty(0, np.float32)] * len(pictures)
    for numbers, stack in _stacks(pictures):
        for number, one in zip(numbers, _blur(stack, deviation), strict=True):
            values[number] = one
    return values


def _stacks(pictures: Sequence[Float32s]) -> Iterator[tuple[list[int], Float32s]]:
    """Numbers and stacks of pictures of one shape, a bounded number at once."""
    of_shape = defaultdict(list)
    for number, picture in enumerate(pictures):
        of_shape[picture.shape].append(number)
    for numbers in of_shape.values():
        for start in range(0, len(numbers), PICTURES_AT_ONCE):
            block = numbers[start : start + PICTURES_AT_ONCE]
            yield block, np.stack([pictures[number] for number in block])


def _typical_contrast(pictures: Sequence[Float32s], band: tuple[float, float]) -> float:
    sampled = pictures[:: max(len(pictures) // SAMPLED, 1)]
    squares = [float(np.square(_band(picture[np.newaxis], band)).mean()) for picture in sampled]
    return float(np.sqrt(np.mean(squares))) if squares else 0.0


def _band(stack: Float32s, band: tuple[float, float]) -> Float32s:
    narrow, wide = band
    return (_blur(stack, narrow) if narrow else stack) - _blur(stack, wide)


def _at_equal_contrast(band: Float32s, least: float) -> Float32s:
    contrast = np.sqrt(_blur(np.square(band), NEIGHBOURHOOD).clip(min=0)) + np.float32(least)
    return np.divide(band, contrast, out=np.zeros_like(band), where=contrast > 0)


def _blur(stack: Float32s, deviation: float) -> Float32s:
    return ndimage.gaussian_filter(stack, (0, deviation, deviation), mode="nearest", truncate=3)
