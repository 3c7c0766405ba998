"""Whether new samples lie apart from known ones: farther from all of them than these lie from each other."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import binom

from cellfeat.types import Bools, Floats, Strings

LEVEL = 0.99
"""A sample lies apart where its nearest known sample is farther away than this share of known samples have theirs."""

MOST_COMPARED = 2000
"""Known samples whose distances give the scale."""

CHANCE = 0.001
"""A few samples may lie apart by chance: they do so as a whole where this is less probable."""

BLOCK = 256
"""Rows compared at once: it limits the memory."""


@dataclass(frozen=True)
class Apart:
    """Which samples lie apart.

    Attributes
    ----------
    is_apart
        Shape ``(n_points,)``; False where a point is not finite.
    n_points
        Number of finite points.
    """

    is_apart: Bools
    n_points: int

    @property
    def number(self) -> int:
        """How many lie apart."""
        return int(np.count_nonzero(self.is_apart))

    @property
    def is_evidence(self) -> bool:
        """Whether more lie apart than chance explains."""
        return bool(self.number) and bool(binom.sf(self.number - 1, self.n_points, 1 - LEVEL) <= CHANCE)


def lying_apart(points: Floats, known: Floats, group: Strings, *, seed: int = 0) -> Apart:
    """Find the points that lie apart from all known ones.

    The scale is the distance of known points to the nearest known point of another group: samples of one group, and
    copies, are more alike than new samples can be.

    Parameters
    ----------
    points
        Shape ``(n_points, n_columns)``; rows that are not finite are ignored.
    known
        Shape ``(n_known, n_columns)``.
    group
        Group of each known point, shape ``(n_known,)``; ``""``: a group of its own.
    seed
        Of the known points that give the scale.
    """
    is_finite = np.isfinite(points).all(axis=1)
    is_known = np.isfinite(known).all(axis=1)
    known, group = known[is_known], group[is_known]
    is_apart = np.zeros(len(points), dtype=bool)
    if len(known) < 2 or not is_finite.any():
        return Apart(is_apart, int(np.count_nonzero(is_finite)))
    rows = np.arange(len(known))
    if len(known) > MOST_COMPARED:
        rows = np.sort(np.random.default_rng(seed).choice(len(known), MOST_COMPARED, replace=False))
    among_known = _nearest_of_others(known, group, rows)
    among_known = among_known[np.isfinite(among_known)]
    if len(among_known):
        is_apart[is_finite] = _nearest(points[is_finite], known) > np.quantile(among_known, LEVEL)
    return Apart(is_apart, int(np.count_nonzero(is_finite)))


def _nearest(points: Floats, known: Floats) -> Floats:
    blocks = [cdist(points[start : start + BLOCK], known).min(axis=1) for start in range(0, len(points), BLOCK)]
    return np.concatenate(blocks)


def _nearest_of_others(known: Floats, group: Strings, rows: np.ndarray) -> Floats:
    """Distance of some known points to the nearest one of another group; infinite where there is no other group."""
    nearest = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        distance = cdist(known[block], known)
        is_same = (group[block][:, None] == group[None, :]) & (group[block] != "")[:, None]
        distance[is_same] = np.inf
        distance[np.arange(len(block)), block] = np.inf
        # An exact copy is the sample itself.
        distance[distance == 0] = np.inf
        nearest.append(distance.min(axis=1))
    return np.concatenate(nearest)
