"""How much one property of the samples tells of another."""

import numpy as np
from scipy.stats import contingency

from cellfeat.types import Strings


def cramers_v(first: Strings, second: Strings) -> float:
    """How much each of two properties of the same samples tells of the other, in [0, 1], corrected for chance.

    W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42
    (2013) 323-328.
    """
    table = contingency.crosstab(first, second).count
    n_samples = table.sum()
    chi_square = contingency.chi2_contingency(table, correction=False).statistic
    rows, columns = table.shape
    excess = max(0.0, chi_square / n_samples - (rows - 1) * (columns - 1) / (n_samples - 1))
    sides = (side - (side - 1) ** 2 / (n_samples - 1) for side in table.shape)
    return float(np.sqrt(excess / (min(sides) - 1)))
