"""Whether new samples lie apart from known ones, by conformal p values of their distances to known neighbours.

The distance of a sample is the mean to its `N_NEIGHBOURS` nearest known samples of other groups, divided by the mean
distance that these neighbours have themselves. The division makes classes of wide and of narrow spread comparable, as
the local outlier factor does [1]_: without it, new samples of one widely spread class alone would seem to lie apart.
The p value of a new sample is the share of known samples whose distance is at least as large [2]_.

References
----------
.. [1] M. Breunig, H.-P. Kriegel, R. Ng and J. Sander, "LOF: identifying density-based local outliers", SIGMOD 2000.
.. [2] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with conformal p-values", Annals of
   Statistics 51 (2023) 149-178.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.spatial.distance import cdist

from cellfeat.types import Bools, Floats, Integers, Strings

LEVEL = 0.01
"""Samples, and a set of samples, lie apart where their p value is at most this."""

N_NEIGHBOURS = 5
"""Neighbours whose distances are averaged; all, where there are fewer."""

MOST_KNOWN = 2000
"""Known samples that are compared with: a random choice of this size takes the place of more."""

MOST_GROUPS = 2000
"""New groups that are permuted: a random choice of this size takes the place of more."""

DRAWS = 4999
"""Permutations behind the p value of a set: the smallest is 1 in 5,000."""

BLOCK = 256
"""Rows compared at once: it limits the memory."""


@dataclass(frozen=True)
class Known:
    """Known samples, and their distances from each other.

    Attributes
    ----------
    points
        Shape ``(n_known, n_columns)``.
    groups
        Number of each sample's group, shape ``(n_known,)``.
    reach
        Mean distance of each to its nearest known samples of other groups, shape ``(n_known,)``.
    scores
        `reach`, divided by the mean `reach` of these neighbours, shape ``(n_known,)``; a larger one is farther out.
    """

    points: Floats
    groups: Integers
    reach: Floats
    scores: Floats

    @classmethod
    def of(cls, points: Floats, groups: Integers) -> "Known | None":
        """Measure known samples; None where fewer than two groups leave nothing to measure.

        Parameters
        ----------
        points
            Shape ``(n_known, n_columns)``, finite.
        groups
            Number of each sample's group, shape ``(n_known,)``.
        """
        if len(np.unique(groups)) < 2:
            return None
        neighbours, reach = _nearest(points, points, groups, groups)
        return cls(points, groups, reach, _local(reach, reach, neighbours))

    def scores_of(self, points: Floats) -> Floats:
        """Score new samples of shape ``(n_points, n_columns)`` as `scores` does known ones, shape ``(n_points,)``."""
        neighbours, reach = _nearest(points, self.points)
        return _local(reach, self.reach, neighbours)

    def p_values(self, scores: Floats) -> Floats:
        """Give the p value of each score of a new sample, shape ``(n_points,)``; none is below 1 / (n_known + 1)."""
        ordered = np.sort(self.scores)
        as_far = len(ordered) - np.searchsorted(ordered, scores, side="left")
        return (1 + as_far) / (1 + len(ordered))


@dataclass(frozen=True)
class SetTest:
    """Whether new samples, as a set, are exchangeable with known ones.

    Attributes
    ----------
    p_value
        Probability of a set that lies as far out, if the new groups were drawn as the known ones were.
    is_permuted
        Whether it comes from permuting whole groups. Otherwise it is twice the median p value of the samples, because
        so few groups cannot give a p value of `LEVEL` by permutation.
    n_groups, n_known_groups
        New and known groups.
    """

    p_value: float
    is_permuted: bool
    n_groups: int
    n_known_groups: int

    @property
    def is_evidence(self) -> bool:
        """Whether the p value is at most `LEVEL`."""
        return self.p_value <= LEVEL


def set_test(known: Known, scores: Floats, groups: Integers, *, seed: int = 0) -> SetTest:
    """Test whether new samples are exchangeable with known ones, against the alternative that they lie farther out.

    Where the groups are many enough, whole groups are permuted between the two sets, and the statistic is the mean rank
    of the new samples: samples of a group depend on each other, and are never separated. Otherwise the p value is twice
    the median of the samples' p values, which holds however these depend on each other [1]_, but takes the known
    samples as a fair picture of what other groups look like.

    Parameters
    ----------
    known
        The known samples.
    scores
        Scores of the new samples, shape ``(n_points,)``.
    groups
        Number of each new sample's group, shape ``(n_points,)``.
    seed
        Of the permutations.

    References
    ----------
    .. [1] V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika 107 (2020) 791-808.
    """
    n_groups, n_known = len(np.unique(groups)), len(np.unique(known.groups))
    if _least(n_groups, n_known) > LEVEL:
        p_value = min(1.0, 2 * float(np.quantile(known.p_values(scores), 0.5, method="inverted_cdf")))
        return SetTest(p_value, is_permuted=False, n_groups=n_groups, n_known_groups=n_known)
    rng = np.random.default_rng(seed)
    scores, groups = _some_groups(*_in_order(scores, groups), rng)
    sums, sizes = _by_group(known, scores, groups)
    return SetTest(
        _permuted(sums, sizes, len(np.unique(groups)), rng),
        is_permuted=True,
        n_groups=n_groups,
        n_known_groups=n_known,
    )


def _least(n_groups: int, n_known: int) -> float:
    """The smallest p value that permutations of so many groups can give."""
    return 1 / comb(n_groups + n_known, min(n_groups, n_known)) if min(n_groups, n_known) < 20 else 0.0


def _in_order(scores: Floats, groups: Integers) -> tuple[Floats, Integers]:
    """Order the samples by their scores, and number the groups so: the order of the rows chooses no permutations."""
    order = np.argsort(scores, kind="stable")
    _, first, number = np.unique(groups[order], return_index=True, return_inverse=True)
    return scores[order], np.argsort(np.argsort(first))[number]


def _some_groups(scores: Floats, groups: Integers, rng: np.random.Generator) -> tuple[Floats, Integers]:
    names = np.unique(groups)
    if len(names) <= MOST_GROUPS:
        return scores, groups
    is_kept = np.isin(groups, rng.choice(names, MOST_GROUPS, replace=False))
    return scores[is_kept], groups[is_kept]


def _by_group(known: Known, scores: Floats, groups: Integers) -> tuple[Floats, Integers]:
    """Sum of the ranks and number of samples of each group, the new groups first."""
    both = np.concatenate([scores, known.scores])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    # Equal scores share the mean of their ranks.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    new = np.unique(groups, return_inverse=True)[1]
    old = np.unique(known.groups, return_inverse=True)[1] + new.max() + 1
    number = np.concatenate([new, old])
    sums = np.zeros(number.max() + 1)
    np.add.at(sums, number, ranks)
    return sums, np.bincount(number)


def _permuted(sums: Floats, sizes: Integers, n_new: int, rng: np.random.Generator) -> float:
    observed = sums[:n_new].sum() / sizes[:n_new].sum()
    n_as_large, n_drawn = 0, 0
    per_block = max(1, 1_000_000 // len(sums))
    while n_drawn < DRAWS:
        n = min(per_block, DRAWS - n_drawn)
        chosen = np.argpartition(rng.random((n, len(sums))), n_new - 1, axis=1)[:, :n_new]
        means = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
        # A permutation that gives back the observed set must count, whatever the rounding of its sum.
        n_as_large += int(np.count_nonzero(means >= observed * (1 - 1e-12)))
        n_drawn += n
    return (1 + n_as_large) / (1 + DRAWS)


@dataclass(frozen=True)
class Apart:
    """Which samples lie apart.

    Attributes
    ----------
    p_values
        Shape ``(n_points,)``; NaN where a point is not finite, or nothing is known.
    test
        The test of all points as a set; None where there is nothing to test.
    """

    p_values: Floats
    test: SetTest | None

    @property
    def is_apart(self) -> Bools:
        """Whether each sample lies apart, shape ``(n_points,)``; False where that is unknown."""
        return np.asarray(self.p_values <= LEVEL)

    @property
    def n_points(self) -> int:
        """Number of samples that were compared."""
        return int(np.count_nonzero(np.isfinite(self.p_values)))

    @property
    def number(self) -> int:
        """How many lie apart."""
        return int(np.count_nonzero(self.is_apart))

    @property
    def is_evidence(self) -> bool:
        """Whether the set lies apart, as its test says."""
        return self.test is not None and self.test.is_evidence


def lying_apart(points: Floats, known: Floats, group: Strings, *, seed: int = 0) -> Apart:
    """Find the points that lie apart from known ones, each point a group of its own.

    Parameters
    ----------
    points
        Shape ``(n_points, n_columns)``; rows that are not finite are ignored.
    known
        Shape ``(n_known, n_columns)``.
    group
        Group of each known point, shape ``(n_known,)``; ``""``: a group of its own.
    seed
        Of the known points that are compared with, and of the test.
    """
    p_values = np.full(len(points), np.nan)
    rows = chosen_rows(np.flatnonzero(np.isfinite(known).all(axis=1)), seed)
    found = Known.of(known[rows], _numbered(group[rows])) if len(rows) else None
    is_finite = np.isfinite(points).all(axis=1)
    if found is None or not is_finite.any():
        return Apart(p_values, None)
    scores = found.scores_of(points[is_finite])
    p_values[is_finite] = found.p_values(scores)
    return Apart(p_values, set_test(found, scores, np.arange(len(scores)), seed=seed))


def chosen_rows(rows: Integers, seed: int = 0) -> Integers:
    """Choose at most `MOST_KNOWN` of some rows at random, in their order.

    Parameters
    ----------
    rows
        Row numbers, shape ``(n,)``.
    seed
        Of the choice.
    """
    if len(rows) <= MOST_KNOWN:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_KNOWN, replace=False))


def _numbered(group: Strings) -> Integers:
    """Number groups; ``""`` is a group of its own each time."""
    numbers = np.unique(group, return_inverse=True)[1]
    is_alone = group == ""
    numbers[is_alone] = len(group) + np.flatnonzero(is_alone)
    return numbers


def _nearest(
    points: Floats, known: Floats, groups: Integers | None = None, known_groups: Integers | None = None
) -> tuple[Integers, Floats]:
    """Nearest known samples of other groups: their numbers, ``(n, k)``, and the mean distance to them, ``(n,)``.

    A neighbour is -1 where another group has fewer samples than are asked for.
    """
    n_neighbours = min(N_NEIGHBOURS, len(known))
    neighbours = np.empty((len(points), n_neighbours), dtype=np.intp)
    reach = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        # Not by a product of matrices, whose last bits depend on the number of rows.
        distance = cdist(points[block], known)
        if groups is not None and known_groups is not None:
            distance[groups[block][:, None] == known_groups[None, :]] = np.inf
        near = np.argpartition(distance, n_neighbours - 1, axis=1)[:, :n_neighbours]
        found = np.take_along_axis(distance, near, axis=1)
        is_found = np.isfinite(found)
        neighbours[block] = np.where(is_found, near, -1)
        reach[block] = np.where(is_found, found, 0).sum(axis=1) / np.maximum(is_found.sum(axis=1), 1)
    return neighbours, reach


def _local(reach: Floats, known_reach: Floats, neighbours: Integers) -> Floats:
    """Divide each reach by the mean reach of the neighbours."""
    is_found = neighbours >= 0
    around = np.where(is_found, known_reach[neighbours], 0).sum(axis=1) / np.maximum(is_found.sum(axis=1), 1)
    return reach / np.where(around > 0, around, 1.0)
