"""p values: Holm's correction for several comparisons, and the corrected t-test for repeated cross-validation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cellfeat.statistics.interval_types import LEVEL, Difference


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for the number of comparisons by Holm's step-down method; the order is kept.

    Calling every adjusted value below 0.05 significant keeps the probability of one or more false positives below 0.05,
    however the comparisons depend on each other (S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    # The running maximum keeps the order: a larger p value has a smaller factor and could end up below.
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()


def corrected_difference(differences: ArrayLike, n_folds: int, *, level: float = LEVEL) -> Difference:
    """Corrected resampled t-test of the differences between two heads over the folds of repeated cross-validation.

    The training parts of the folds overlap, so the differences are not independent. The variance of their mean is
    corrected by the ratio of test to training samples (C. Nadeau and Y. Bengio, "Inference for the generalization
    error", Machine Learning 52 (2003) 239-281).

    Parameters
    ----------
    differences
        Difference of the scores in each fold of all repeats, shape ``(n_repeats * n_folds,)``.
    n_folds
        Folds of one repeat: the test part is ``1 / (n_folds - 1)`` of the training part.
    level
        Confidence level of the interval.
    """
    values = np.asarray(differences, dtype=float)
    estimate, variance = float(values.mean()), float(values.var(ddof=1))
    # The second term is the ratio of test to training samples: 1 / k over (k - 1) / k.
    error = np.sqrt((1 / len(values) + 1 / (n_folds - 1)) * variance)
    if error == 0:
        return Difference(estimate, estimate, estimate, 1.0 if estimate == 0 else 0.0)
    freedom = len(values) - 1
    half = float(stats.t.ppf((1 + level) / 2, freedom) * error)
    p_value = float(2 * stats.t.sf(abs(estimate) / error, freedom))
    return Difference(estimate, estimate - half, estimate + half, p_value)
