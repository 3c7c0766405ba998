"""A few numbers about the pixels of a sample: the intensities of each channel, and the background at its border."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.types import Floats

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

BORDER_SHARE = 0.05
"""Width of the border ring, as a share of the shorter side: 3 pixels of 64."""

BACKGROUND_RANGE = 0.1
"""Pixels of the border belong to the background up to this share of the contrast from its level.

The contrast is the distance from the level to the 1 % or the 99 % quantile of the whole picture, whichever is larger.
"""

LONGEST_SIDE = 256
"""Quantiles and border of a larger picture are measured on a grid of so many of its rows and columns."""

DIVIDED_STEPS = 1000
"""Differences between neighbouring grey values that show the step between them."""


class PictureSummary(NamedTuple):
    """Numbers about the pixels of one sample.

    Attributes
    ----------
    intensity
        Mean, standard deviation, lowest and highest value, and `QUANTILES` of each channel, shape ``(C, 11)``.
    background
        Of each channel, shape ``(C, 7)``: level and standard deviation of the background in the border ring, level of
        the outermost line of pixels, and level of the background at the top, bottom, left and right.
    background_share
        Share of the border ring that is background, by channel, shape ``(C,)``: little where cells reach the border.
    step
        Largest number that divides the differences between grey values of each channel: 16 for 12 bits
        that were shifted to 16, 257 for 8 bits that were scaled to 16; 0 for floats and constant pictures.
    """

    intensity: Floats
    background: Floats
    background_share: Floats
    step: int


def summarise(pixels: NDArray) -> PictureSummary:
    """Summarise the pixels of a sample, shape ``(C, H, W)``."""
    thinned = pixels[:, _grid(pixels.shape[1])][:, :, _grid(pixels.shape[2])]
    # A stable sort of small integers is a radix sort, three times faster.
    values = np.sort(thinned.reshape(len(pixels), -1), axis=1, kind="stable")
    quantiles = values[:, np.round(np.multiply(QUANTILES, values.shape[1] - 1)).astype(np.intp)].astype(np.float64)
    background, share = _background(thinned, quantiles[:, [0, -1]])
    return PictureSummary(_intensity(pixels, quantiles), background, share, _step(values))


def _grid(n_pixels: int) -> NDArray[np.intp]:
    """Positions along one side, evenly spaced, the first and the last pixel among them."""
    return np.linspace(0, n_pixels - 1, min(n_pixels, LONGEST_SIDE)).round().astype(np.intp)


def _intensity(pixels: NDArray, quantiles: Floats) -> Floats:
    axes = (1, 2)
    moments = pixels.mean(axis=axes, dtype=np.float64), pixels.std(axis=axes, dtype=np.float64)
    return np.column_stack([*moments, pixels.min(axis=axes), pixels.max(axis=axes), quantiles]).astype(np.float64)


def _background(pixels: NDArray, extremes: Floats) -> tuple[Floats, Floats]:
    """The numbers about the background, and its share of the border ring; `extremes` has shape ``(C, 2)``."""
    n_channels, height, width = pixels.shape
    depth = max(1, round(BORDER_SHARE * min(height, width)))
    top_bottom = np.stack([pixels[:, :depth], pixels[:, -depth:]]).reshape(2, n_channels, -1)
    left_right = np.stack([pixels[:, :, :depth], pixels[:, :, -depth:]]).reshape(2, n_channels, -1)
    ring = np.concatenate([*top_bottom, *left_right], axis=1)
    line = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    level, *sides = (_densest_level(part) for part in (ring, line, top_bottom, left_right))
    offset = ring - level[:, np.newaxis]
    reach = BACKGROUND_RANGE * np.abs(extremes - level[:, np.newaxis]).max(axis=1, keepdims=True)
    is_background = np.abs(offset) <= reach
    share = is_background.mean(axis=1)
    # At least half of the ring is at the level, so that the share is never 0 but where a level rounds.
    spread = np.sqrt((offset**2 * is_background).mean(axis=1) / np.maximum(share, 0.5))
    return np.column_stack([level, spread, *np.vstack(sides)]), share


def _densest_level(pixels: NDArray) -> Floats:
    """Mean of the half of the pixels that are closest together, over the last axis.

    Cells that reach the border are more varied than the background between them, be it dark or bright: they hardly
    change the level unless they fill more than half of the border.
    """
    values = np.sort(pixels, axis=-1, kind="stable").astype(np.float64)
    half = values.shape[-1] // 2 + 1
    spreads = values[..., half - 1 :] - values[..., : values.shape[-1] - half + 1]
    start = spreads.argmin(axis=-1)[..., np.newaxis]
    return np.take_along_axis(values, start + np.arange(half), axis=-1).mean(axis=-1)


def _step(values: NDArray) -> int:
    """The step between the sorted values of each channel, from some of their differences: to divide all takes long."""
    if values.dtype.kind not in "ui":
        return 0
    # Unsigned differences are right for negative values as well: both wrap around.
    differences = np.diff(values.astype(np.uint64), axis=1)
    steps = differences[differences > 0]
    return int(np.gcd.reduce(steps[:: max(1, len(steps) // DIVIDED_STEPS)])) if len(steps) else 0
