"""Association between two properties of the samples."""

from typing import NamedTuple

import numpy as np
from scipy.stats import contingency, kruskal

from cellfeat.types import Integers, Strings


class RankAssociation(NamedTuple):
    """How far categories differ in a number: share of the variance of its ranks, and the p value of the test."""

    share: float
    p_value: float


def rank_association(values: Integers, category: Strings) -> RankAssociation:
    """Association of a number with a category by its ranks, with the test of Kruskal and Wallis.

    The share is corrected for its expectation under no association: (H - k + 1) / (n - k) for k categories (M. Tomczak
    and E. Tomczak, "The need to report effect size estimates revisited", Trends in Sport Sciences 21 (2014) 19-25).

    Parameters
    ----------
    values
        The number, two or more distinct ones, shape ``(n_samples,)``.
    category
        The category, two or more distinct ones, shape ``(n_samples,)``.
    """
    of_category = [values[category == one] for one in np.unique(category)]
    n_samples, n_categories = len(values), len(of_category)
    if n_samples == n_categories:
        return RankAssociation(0.0, 1.0)
    found = kruskal(*of_category)
    share = (found.statistic - n_categories + 1) / (n_samples - n_categories)
    return RankAssociation(float(np.clip(share, 0, 1)), float(found.pvalue))


def cramers_v(first: Strings, second: Strings) -> float:
    """Cramér's V of two categorical properties, in [0, 1], corrected for the bias of small samples.

    0 means no association; 1 means that each property determines the other. The correction is that of W. Bergsma,
    "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42 (2013) 323-328.

    Parameters
    ----------
    first, second
        Categories of the same samples, both of shape ``(n_samples,)``; each with two or more distinct values.
    """
    table = contingency.crosstab(first, second).count
    n_samples = table.sum()
    chi_square = contingency.chi2_contingency(table, correction=False).statistic
    rows, columns = table.shape
    # Less the value that is expected where there is no association.
    excess = max(0.0, chi_square / n_samples - (rows - 1) * (columns - 1) / (n_samples - 1))
    sides = (side - (side - 1) ** 2 / (n_samples - 1) for side in table.shape)
    return float(np.sqrt(excess / (min(sides) - 1)))
