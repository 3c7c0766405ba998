"""Measure how well the detail of two samples agrees where they would overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from cellfeat.near_copies.detail import Detail
from cellfeat.near_copies.keypoints import Proposals
from cellfeat.types import Float32s, Floats, Integers

WORTH_REFINING = 0.25
"""A shift that is wrong by one pixel still gives this correlation where the right shift gives a high one."""

SIGNAL = 0.3
"""A pixel has signal where its detail has at least this size; in a flat background it is near 0."""

LEAST_SIDE = 8

Shift = tuple[int, int]
Agreement = tuple[float, int]

HIGHEST = 0.999
"""Correlations above are taken for this one: Fisher's z is infinite at 1."""


@dataclass(frozen=True)
class Agreements:
    """How well the detail of pairs of samples agrees at the best shift near the proposed one.

    Attributes
    ----------
    pairs, shifts
        As in `Proposals`, shape ``(n_pairs, 2)`` each.
    correlations
        Pearson correlation over the overlap, shape ``(n_pairs,)``.
    n_pixels
        Number of overlapping pixels with signal, shape ``(n_pairs,)``.
    """

    pairs: Integers
    shifts: Integers
    correlations: Floats
    n_pixels: Integers

    @classmethod
    def of(cls, pairs: Integers, shifts: Integers, measured: Sequence[Agreement]) -> Self:
        """Collect the agreements measured for pairs at shifts.

        Parameters
        ----------
        pairs, shifts
            Shape ``(n_pairs, 2)`` each.
        measured
            The agreement of each pair.
        """
        correlations, n_pixels = np.array(measured, dtype=np.float64).reshape(-1, 2).T
        return cls(pairs, shifts, correlations, n_pixels.astype(np.intp))

    @property
    def strengths(self) -> Floats:
        """Fisher's z of the correlation times the root of the number of pixels, shape ``(n_pairs,)``.

        It grows with the correlation and with the area, and it is not a number of standard deviations: neighbouring
        pixels depend on each other. `cellfeat.near_copies.controls` says which strengths unrelated pairs reach.
        """
        z = np.arctanh(np.clip(self.correlations, -HIGHEST, HIGHEST))
        return z * np.sqrt(np.maximum(self.n_pixels - 3, 0))


def refined(first: Detail, second: Detail, proposals: Proposals) -> Agreements:
    """Measure the agreement at the best shift within one pixel of the proposed one.

    Parameters
    ----------
    first, second
        Detail of the first and of the second sample of each pair, by the numbers in the proposals.
    proposals
        Pairs and shifts.
    """
    shifts = proposals.shifts.copy()
    rows = []
    for place, ((one, other), shift) in enumerate(zip(proposals.pairs, proposals.shifts, strict=True)):
        best, shifts[place] = _best_nearby(first.values[one], second.values[other], (int(shift[0]), int(shift[1])))
        rows.append(best)
    return Agreements.of(proposals.pairs, shifts, rows)


def at_shifts(first: Detail, second: Detail, agreements: Agreements) -> Agreements:
    """Measure the agreement of another band of detail at the same shifts.

    Parameters
    ----------
    first, second
        Detail of the first and of the second sample of each pair.
    agreements
        Pairs and shifts.
    """
    rows = [
        agreement(first.values[one], second.values[other], (int(shift[0]), int(shift[1])))
        for (one, other), shift in zip(agreements.pairs, agreements.shifts, strict=True)
    ]
    return Agreements.of(agreements.pairs, agreements.shifts, rows)


def _best_nearby(first: Float32s, second: Float32s, shift: Shift) -> tuple[Agreement, Shift]:
    best = agreement(first, second, shift), shift
    if best[0][0] < WORTH_REFINING:
        return best
    rows, columns = shift
    around = [(rows + i, columns + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    return max([best, *((agreement(first, second, one), one) for one in around)])


def agreement(first: Float32s, second: Float32s, shift: Shift) -> Agreement:
    """Correlate the detail of two samples over their overlap.

    Parameters
    ----------
    first, second
        Detail of the two samples, shape ``(h, w)`` each.
    shift
        Rows and columns from the first one's corner to the second's.

    Returns
    -------
    correlation, n_pixels
        Number of pixels with signal; both are 0 where the overlap is too small.
    """
    one, other = _overlapping(first, second, shift)
    if min(one.shape) < LEAST_SIDE:
        return 0.0, 0
    one, other = one - one.mean(), other - other.mean()
    spread = np.sqrt(np.vdot(one, one) * np.vdot(other, other))
    if spread == 0:
        return 0.0, 0
    n_pixels = min(int(np.count_nonzero(np.abs(side) > SIGNAL)) for side in (one, other))
    return float(np.vdot(one, other) / spread), n_pixels


def _overlapping(first: Float32s, second: Float32s, shift: Shift) -> tuple[Float32s, Float32s]:
    """The part of each of two pictures that overlaps with the other."""
    rows, columns = shift
    (height, width), (other_height, other_width) = first.shape, second.shape
    one = first[max(rows, 0) : min(height, other_height + rows), max(columns, 0) : min(width, other_width + columns)]
    other = second[
        max(-rows, 0) : min(other_height, height - rows), max(-columns, 0) : min(other_width, width - columns)
    ]
    return one, other
