"""The score to expect of a head that is fitted on all samples, where the heads of the folds were fitted on a part.

The error of a head falls with the number of training samples ``n`` as a power law, ``a + b / n**c`` [1]_. Heads on half
of the samples and heads of the folds show the slope; with the exponent ``c`` fixed, the step from the folds to all
samples is a constant part of the step from half to the folds. Exponents between 0.1 and 1 are usual [1]_ [2]_; the part
hardly depends on them: for five folds it is 0.46 at 0.1, 0.40 at 0.5 and 0.33 at 1.

References
----------
.. [1] C. Cortes, L. D. Jackel, S. A. Solla, V. Vapnik and J. S. Denker, "Learning curves: asymptotic values and rate of
   convergence", NIPS 1993.
.. [2] J. Hestness et al., "Deep learning scaling is predictable, empirically", arXiv:1712.00409.
"""

from cellfeat.types import Bools, Floats

EXPONENT = 0.5
"""Exponent of the power law, in the middle of those that are usual."""

LEAST_SHARE = 0.7
"""Below four folds, the step from half is so small that the noise of the extrapolation exceeds what it corrects."""


def weight_of_halves(share: float) -> float:
    """Part of the step from half of the samples to `share` that is still to come.

    Parameters
    ----------
    share
        Share of the samples that the heads of the folds were fitted on, above 0.5.

    Examples
    --------
    >>> round(weight_of_halves(0.8), 2)
    0.4
    """
    half, fold = 0.5**-EXPONENT, share**-EXPONENT
    return float((fold - 1) / (half - fold))


def full_size_values(of_folds: Bools, of_halves: Bools, weight: float) -> Floats:
    """Extrapolate hits to the full number of training samples; the mean of these values is the score to expect.

    Parameters
    ----------
    of_folds, of_halves
        Whether each sample is predicted rightly out of fold, and by the head on the half without it, shape
        ``(n_samples,)``.
    weight
        As `weight_of_halves` gives it.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    folds, halves = of_folds.astype(float), of_halves.astype(float)
    return folds + weight * (folds - halves)
