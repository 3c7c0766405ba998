"""The two kinds of claim that a score allows, and how much wider the interval of the second one is.

**This fitted head**: the heads as they were fitted, on new samples of this kind. What varies is which samples test
them. The interval of the bootstrap is for this claim: given the fitted heads, the pooled out-of-fold score varies about
the mean true score of the heads of its folds as a mean over independent groups does [1]_.

**This way of making a head**: the same head, fitted on other training samples of this size. Now the training samples
vary, too, and the training parts of the folds share most of them. C. Nadeau and Y. Bengio correct the variance of a
resampled score for this [2]_: ``(1 / J + n_test / n_train)`` times the variance of a single split's score, over ``J``
splits. The splits of a complete cross-validation test every sample once, as the average over all splits (``J`` without
limit) does, so the first term vanishes. What is left is ``n_test / n_train`` times the variance of one fold's score,
which is ``n_folds`` times the variance of the bootstrap: ``1 + n_test / n_train`` in all, 1.25 for five folds. A single
split (``J = 1``) gives the same formula. The correction is an approximation for every head alike, not an estimate for
this one: no unbiased estimate exists [3]_. How often it holds is measured in ``benchmarks/intervals.py``.

References
----------
.. [1] P. Bayle, A. Bayle, L. Janson and L. Mackey, "Cross-validation confidence intervals for test error", NeurIPS
   2020.
.. [2] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003) 239-281.
.. [3] Y. Bengio and Y. Grandvalet, "No unbiased estimator of the variance of K-fold cross-validation", Journal of
   Machine Learning Research 5 (2004) 1089-1105.
"""

from collections.abc import Sequence

import numpy as np

FITTED_HEAD = "this fitted head, on new samples of this kind"
"""The claim about the heads as they were fitted."""

WAY_OF_MAKING = "this way of making a head, on other training samples of this size"
"""The claim about the same head on other training samples."""

WAYS_OF_MAKING = "these ways of making a head, on other training samples of this size"
"""The same, of several heads."""


def widening(n_test: Sequence[int], n_train: Sequence[int]) -> float:
    """Factor by which the standard error of the second claim exceeds that of the first.

    Parameters
    ----------
    n_test, n_train
        Samples of the test and the training part of each fold.

    Examples
    --------
    >>> round(widening([20] * 5, [80] * 5), 3)
    1.118
    """
    return float(np.sqrt(1 + np.sum(n_test) / np.sum(n_train)))
