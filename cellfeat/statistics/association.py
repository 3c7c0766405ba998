"""Association between two categorical properties of the samples."""

import numpy as np
from scipy.stats import contingency

from cellfeat.types import Strings


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
