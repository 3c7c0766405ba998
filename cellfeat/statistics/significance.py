"""The corrected t-test for repeated cross-validation, for all pairs of heads at once."""

from itertools import combinations

import numpy as np

from cellfeat.statistics.interval_types import LEVEL
from cellfeat.statistics.simultaneous import Adjusted, simultaneous
from cellfeat.statistics.spread import Spread
from cellfeat.types import Floats


def corrected_differences(scores: Floats, n_folds: int, *, level: float = LEVEL) -> tuple[Adjusted, ...]:
    """Corrected resampled t-tests of every two heads, with intervals that hold for all pairs at once.

    The training parts of the folds overlap, so the differences are not independent. The variance of their mean is
    corrected by the ratio of test to training samples (C. Nadeau and Y. Bengio, "Inference for the generalization
    error", Machine Learning 52 (2003) 239-281).

    Parameters
    ----------
    scores
        Score of each head in each fold of all repeats, shape ``(n_heads, n_repeats * n_folds)``.
    n_folds
        Folds of one repeat: the test part is ``1 / (n_folds - 1)`` of the training part.
    level
        Confidence level of all intervals together; see `cellfeat.statistics.simultaneous.Family`.

    Returns
    -------
    tuple
        In the order of `itertools.combinations`: the first head less the second, and so on.
    """
    spreads = [_spread(first - second, n_folds) for first, second in combinations(scores, 2)]
    # The correction is a factor common to all pairs, which does not change how they depend on each other.
    return simultaneous(spreads, np.atleast_2d(np.cov(scores)), level=level)


def _spread(differences: Floats, n_folds: int) -> Spread:
    # The second term is the ratio of test to training samples: 1 / k over (k - 1) / k.
    error = float(np.sqrt((1 / len(differences) + 1 / (n_folds - 1)) * differences.var(ddof=1)))
    return Spread(float(differences.mean()), error, error, len(differences) - 1)
