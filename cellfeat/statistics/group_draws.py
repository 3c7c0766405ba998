"""Stratified bootstrap draws of whole groups."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.types import Float32s, Floats, Integers

DRAWS_PER_BLOCK = 64
"""Bootstrap draws computed at once: with 28,896 groups a block stays below 20 MB."""

PICKS_AT_ONCE = 1 << 22
"""Groups picked at once: 100 MB in all steps, also with a million groups."""


@dataclass(frozen=True)
class Strata:
    """Groups ordered by stratum.

    Attributes
    ----------
    place_of_group
        Position of each group in that order, shape ``(n_groups,)``.
    sizes
        Number of groups of each stratum, shape ``(n_strata,)``.
    weights
        Weight of a drawn group, ``m / (m - 1)`` in a stratum of ``m`` groups, shape ``(n_groups,)``, in that order.
    """

    place_of_group: Integers
    sizes: Integers
    weights: Floats

    @classmethod
    def of(cls, totals: Floats) -> Self:
        """Make a stratum of the groups of a single class where there are two or more, and one of all other groups.

        Every stratum has two or more groups if every class occurs in two or more groups.

        Parameters
        ----------
        totals
            Samples of each class in each group, shape ``(n_groups, n_classes)``.
        """
        n_groups, n_classes = totals.shape
        is_pure = np.count_nonzero(totals, axis=1) == 1
        own = totals.argmax(axis=1)
        n_pure = np.bincount(own[is_pure], minlength=n_classes)
        # `own` means nothing for a mixed group, which the first condition selects anyway.
        is_together = ~is_pure | (n_pure[own] == 1)
        # A stratum of one group would be the same in every draw: the group joins its most frequent class instead.
        stratum = np.where(is_together, n_classes, own) if np.count_nonzero(is_together) > 1 else own
        order = np.argsort(stratum, kind="stable")
        place = np.empty(n_groups, dtype=np.intp)
        # The inverse of the permutation `order`.
        place[order] = np.arange(n_groups)
        sizes = np.bincount(stratum)
        sizes = sizes[sizes > 0]
        # One group fewer is drawn than the stratum has; the weight restores the expected total.
        return cls(place, sizes, np.repeat(sizes / (sizes - 1), sizes))


def draw_counts(sizes: Integers, n_draws: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the groups of each stratum with replacement, one group fewer than there are.

    Parameters
    ----------
    sizes
        Number of groups of each stratum, shape ``(n_strata,)``.
    n_draws
        Number of draws.
    rng
        Source of random numbers.

    Returns
    -------
    ndarray of shape (n_draws, n_groups)
        How often each group occurs in each draw. One byte is enough: the counts are close to Poisson with mean 1, and
        256 has a probability below 1e-500.
    """
    # A group is drawn about once. 256 times is impossible in strata of up to 256 groups, and never seen in larger ones.
    counts = np.empty((n_draws, sizes.sum()), dtype=np.uint8)
    stops = np.cumsum(sizes)
    for row in range(0, n_draws, DRAWS_PER_BLOCK):
        block = counts[row : row + DRAWS_PER_BLOCK]
        for start, stop in zip(stops - sizes, stops, strict=True):
            _draw_stratum(block[:, start:stop], rng)
    return counts


def _draw_stratum(counts: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Fill in the counts of a stratum, shape ``(n_draws, n_groups)``, a few draws at a time.

    The random numbers come one after another: how many draws are made at a time does not change them.
    """
    n_draws, size = counts.shape
    at_once = max(1, PICKS_AT_ONCE // size)
    for row in range(0, n_draws, at_once):
        block = counts[row : row + at_once]
        block[...] = _drawn(size, len(block), rng)


def _drawn(size: int, n_draws: int, rng: np.random.Generator) -> Integers:
    picks = rng.integers(size, size=(n_draws, size - 1), dtype=np.int32)
    # Each draw gets its own range of numbers, so that one bincount counts all draws of the block.
    picks += np.arange(n_draws, dtype=np.int32)[:, np.newaxis] * np.int32(size)
    return np.bincount(picks.ravel(), minlength=n_draws * size).reshape(n_draws, size)


def matmul_blocks(counts: NDArray[np.uint8], per_group: Float32s) -> Floats:
    """Compute ``counts @ per_group`` in float32, converting only one block of counts to floats at a time.

    Parameters
    ----------
    counts
        Shape ``(n_draws, n_groups)``.
    per_group
        Shape ``(n_groups, n_values)``.

    Returns
    -------
    ndarray of shape (n_draws, n_values)
    """
    out = np.empty((len(counts), per_group.shape[1]))
    for row in range(0, len(counts), DRAWS_PER_BLOCK):
        block = slice(row, row + DRAWS_PER_BLOCK)
        out[block] = counts[block].astype(np.float32) @ per_group
    return out
