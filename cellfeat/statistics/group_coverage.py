"""Coverage of prediction sets within each group, such as a plate or a donor, and what chance alone does to it."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from cellfeat.types import Bools, Integers

FEWEST_SAMPLES = 10
"""Groups with fewer samples say too little of their coverage."""

ERROR = 0.05
"""A group is below the coverage where a binomial test finds so with this error."""


@dataclass(frozen=True)
class GroupCoverage:
    """How often sets hold the true class in the worst group, and in how many groups too seldom.

    Attributes
    ----------
    n_groups
        Groups with ten samples or more, which are those looked at.
    lowest
        Lowest share of a group's samples whose set holds their class.
    lowest_n_samples
        Samples of that group.
    lowest_row
        Row of its first sample.
    n_below
        Groups below the coverage by a one-sided binomial test of each, at 5 %.
    expected_below
        Groups that this test would find if every sample of every group had the coverage.
    """

    n_groups: int
    lowest: float
    lowest_n_samples: int
    lowest_row: int
    n_below: int
    expected_below: float


def group_coverage(is_covered: Bools, groups: Integers, coverage: float) -> GroupCoverage | None:
    """Measure the coverage within each group.

    The guarantee of prediction sets is an average over groups. It says nothing about a single group: the true class may
    be missed in all samples of a plate that was stained differently.

    Parameters
    ----------
    is_covered
        Whether each sample's set holds its class, shape ``(n_samples,)``.
    groups
        Number of each sample's group, shape ``(n_samples,)``.
    coverage
        The coverage asked for.

    Returns
    -------
    GroupCoverage or None
        None where no group has ten samples.

    Examples
    --------
    >>> found = group_coverage(np.repeat([True, False, True], [15, 5, 20]), np.repeat([0, 1], 20), 0.9)
    >>> found.n_groups, found.lowest, found.n_below
    (2, 0.75, 1)
    """
    _, rows, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(sizes >= FEWEST_SAMPLES)
    if not kept.size:
        return None
    hits = np.bincount(group, weights=is_covered).round().astype(int)[kept]
    n = sizes[kept]
    # The largest number of hits that the test calls too few; its probability is at most ERROR, as hits are whole.
    limits = stats.binom.ppf(ERROR, n, coverage) - 1
    limits = np.where(stats.binom.cdf(limits + 1, n, coverage) <= ERROR, limits + 1, limits)
    worst = int(np.argmin(hits / n))
    return GroupCoverage(
        n_groups=len(kept),
        lowest=float(hits[worst] / n[worst]),
        lowest_n_samples=int(n[worst]),
        lowest_row=int(rows[kept[worst]]),
        n_below=int(np.count_nonzero(hits <= limits)),
        expected_below=float(stats.binom.cdf(limits, n, coverage).sum()),
    )
