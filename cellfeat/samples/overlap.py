"""Whether two pictures show the same place: their correlation under every shift by up to half their size."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
Pair = tuple[int, int]

LONGEST_SIDE = 64
"""Pixels of the longer side that pictures are compared at; larger ones are averaged down."""

LEAST_CORRELATION = 0.9
"""From it on two pictures count as one place.

Of 48,113 pairs of real cells 711 lay above it; all those that were looked at were crops of one field, with one label.
Pairs between 0.80 and 0.85 were other cells, and the first two of different labels lay at 0.85.
"""

COARSE_CORRELATION = 0.65
"""Pairs below it at half the size are left out: all pairs above 0.9 lay above 0.68 there, 95 of 100 others below."""

LEAST_SPREAD = 0.2
"""Overlaps that vary by less than this share of what their pictures vary by (empty background) tell nothing."""

PAIRS_AT_ONCE = 128


class Overlap(NamedTuple):
    """The shift under which two pictures agree best.

    Attributes
    ----------
    correlation
        Pearson's, over the pixels that overlap, in [-1, 1].
    rows, columns
        By how many pixels the second picture lies lower and further right than the first, in pixels of the picture as
        it was compared.
    """

    correlation: float
    rows: int
    columns: int

    def describe(self) -> str:
        """Say it in a few words."""
        shift = f"{abs(self.rows)} rows and {abs(self.columns)} columns"
        return f"correlation {self.correlation:.3f} when shifted by {shift}"


def grey_picture(pixels: NDArray, scale: ArrayLike) -> NDArray[np.float32]:
    """Average the channels of a sample, each divided by its `scale`, and shrink to at most `LONGEST_SIDE`.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``.
    scale
        What each channel typically varies by, so that none drowns the others.

    Returns
    -------
    ndarray of shape (h, w)
    """
    grey = (pixels / np.asarray(scale, dtype=np.float32)[:, np.newaxis, np.newaxis]).mean(axis=0, dtype=np.float32)
    return _shrunk(grey, -(-max(grey.shape) // LONGEST_SIDE))


def overlaps(pictures: Sequence[NDArray[np.float32]], pairs: Integers) -> dict[Pair, Overlap]:
    """Find the pairs of pictures that show the same place.

    Pictures are compared under every shift by whole pixels, by up to half of each side, so at least a quarter of them
    overlaps. Pairs of different sizes are not compared; for turned or mirrored pictures see
    `cellfeat.samples.turned`.

    Parameters
    ----------
    pictures
        Grey pictures: see `grey_picture`.
    pairs
        Shape ``(n_pairs, 2)``: numbers of the pictures to compare.

    Returns
    -------
    dict
        The best overlap of each pair that correlates by at least `LEAST_CORRELATION`.
    """
    found: dict[Pair, Overlap] = {}
    for block in blocks_of_one_size(pictures, pairs):
        if _is_of_one_size(pictures, block[0]):
            found |= _overlaps_of_one_size(pictures, block)
    return found


def blocks_of_one_size(pictures: Sequence[NDArray[np.float32]], pairs: Integers) -> Iterator[list[Pair]]:
    """Part pairs into blocks of at most `PAIRS_AT_ONCE`, whose first pictures have one size and so have their second.

    Parameters
    ----------
    pairs
        Shape ``(n_pairs, 2)``: numbers of `pictures`.
    """
    by_size = defaultdict(list)
    for first, second in pairs.tolist():
        by_size[pictures[first].shape, pictures[second].shape].append((first, second))
    for alike in by_size.values():
        for start in range(0, len(alike), PAIRS_AT_ONCE):
            yield alike[start : start + PAIRS_AT_ONCE]


def _is_of_one_size(pictures: Sequence[NDArray[np.float32]], pair: Pair) -> bool:
    first, second = pair
    return pictures[first].shape == pictures[second].shape


def _overlaps_of_one_size(pictures: Sequence[NDArray[np.float32]], pairs: list[Pair]) -> dict[Pair, Overlap]:
    promising = [
        pair
        for pair, overlap in zip(pairs, _best_overlaps(*standardised_stacks(pictures, pairs, shrink=2)), strict=True)
        if overlap.correlation >= COARSE_CORRELATION
    ]
    if not promising:
        return {}
    best = zip(promising, _best_overlaps(*standardised_stacks(pictures, promising)), strict=True)
    return {pair: overlap for pair, overlap in best if overlap.correlation >= LEAST_CORRELATION}


def standardised_stacks(
    pictures: Sequence[NDArray[np.float32]], pairs: list[Pair], *, shrink: int = 1
) -> tuple[Floats, Floats]:
    """Stack the first and the second pictures of pairs, each with mean 0 and variance 1 (a constant one is all 0).

    Parameters
    ----------
    shrink
        Sides are averaged down by this factor before.
    """
    first, second = ([_standardised(_shrunk(pictures[i], shrink)) for i in side] for side in zip(*pairs, strict=True))
    return np.stack(first), np.stack(second)


def _standardised(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    centred, spread = picture - picture.mean(), picture.std()
    # What is constant but for rounding agrees with nothing.
    return centred / spread if spread > 1e-5 * np.abs(picture).max() else np.zeros_like(picture)


def _shrunk(picture: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    height, width = (side // factor for side in picture.shape)
    if factor == 1 or min(height, width) < 2:
        return picture
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return blocks.mean(axis=(1, 3))


@dataclass(frozen=True)
class _Shifts:
    """All shifts of pictures of one size, and the pixels that overlap under each."""

    height: int
    width: int

    @cached_property
    def rows(self) -> Integers:
        return np.arange(-(self.height // 2), self.height // 2 + 1)

    @cached_property
    def columns(self) -> Integers:
        return np.arange(-(self.width // 2), self.width // 2 + 1)

    @cached_property
    def n_pixels(self) -> Floats:
        return np.outer(self.height - np.abs(self.rows), self.width - np.abs(self.columns)).astype(float)

    def sums(self, pictures: Floats, *, sign: int) -> Floats:
        """Sum each picture over the part that overlaps under each shift (of the other picture, where `sign` is -1)."""
        corners = np.zeros((len(pictures), self.height + 1, self.width + 1))
        corners[:, 1:, 1:] = pictures.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
        rows, columns = sign * self.rows, sign * self.columns
        top, bottom = np.maximum(rows, 0), self.height + np.minimum(rows, 0)
        left, right = np.maximum(columns, 0), self.width + np.minimum(columns, 0)
        upper, lower = corners[:, top], corners[:, bottom]
        return lower[:, :, right] - upper[:, :, right] - lower[:, :, left] + upper[:, :, left]

    def products(self, first: Floats, second: Floats) -> Floats:
        """Sum of the products of the pixels that meet under each shift."""
        size = (2 * self.height, 2 * self.width)
        spectrum = fft.rfft2(first, size) * np.conj(fft.rfft2(second, size))
        return fft.irfft2(spectrum, size)[:, self.rows][:, :, self.columns]


def _best_overlaps(first: Floats, second: Floats) -> list[Overlap]:
    """Normalised cross-correlation over the overlap alone (D. Padfield, CVPR 2010), at its highest."""
    shifts = _Shifts(*first.shape[1:])
    correlation = _correlations(first, second, shifts)
    best = correlation.reshape(len(correlation), -1).argmax(axis=1)
    rows, columns = np.unravel_index(best, correlation.shape[1:])
    highest = correlation[np.arange(len(best)), rows, columns]
    return [
        Overlap(float(value), int(shifts.rows[row]), int(shifts.columns[column]))
        for value, row, column in zip(highest, rows, columns, strict=True)
    ]


def _correlations(first: Floats, second: Floats, shifts: _Shifts) -> Floats:
    sum_first, sum_second = shifts.sums(first, sign=1), shifts.sums(second, sign=-1)
    n_pixels = shifts.n_pixels
    covariance = shifts.products(first, second) - sum_first * sum_second / n_pixels
    spread_first = shifts.sums(first**2, sign=1) - sum_first**2 / n_pixels
    spread_second = shifts.sums(second**2, sign=-1) - sum_second**2 / n_pixels
    spread = np.sqrt(np.maximum(spread_first * spread_second, 0))
    # The pictures are standardised: as many pixels of a whole one vary by `n_pixels`.
    tells = spread > LEAST_SPREAD * n_pixels
    return np.where(tells, covariance / np.where(tells, spread, 1), -1.0)
