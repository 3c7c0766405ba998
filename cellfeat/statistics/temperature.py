"""Temperature scaling: calibrate probabilities without changing the most probable class."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from cellfeat.types import Floats

COLDEST, HOTTEST = 0.05, 20.0
VOTELESS = 0.1
"""A probability of exactly 0, which no temperature changes, is replaced by this share of ``1 / n_classes``.

A class without a vote among the nearest neighbours is sometimes the true one. Of 0.003, 0.03 and 0.1 this value gave
the k-nearest-neighbours head the lowest loss and the best calibration on 9 cell lines.
"""


def tempered(probabilities: Floats, temperature: float) -> NDArray[np.float64]:
    """Raise probabilities to the power ``1 / temperature`` and normalise each row to sum to 1.

    For a softmax this is the same as dividing its logits by the temperature: a temperature above 1 makes a head less
    confident. Zeros become small numbers that do not exceed any probability that was above 0. A temperature of 1
    returns the probabilities unchanged.

    Parameters
    ----------
    probabilities
        Shape ``(n_samples, n_classes)``.
    temperature
        Above 0.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Examples
    --------
    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    if temperature == 1.0:
        return np.asarray(probabilities, dtype=np.float64)
    out = np.exp(_log_tempered(_log(probabilities), temperature))
    _keep_most_probable(probabilities, out)
    return out


def fit_temperature(probabilities: Floats, codes: NDArray[np.integer]) -> float:
    """Find the temperature, in [0.05, 20], that minimises the log loss.

    Fit it on samples that the head was not trained on (Guo et al., "On calibration of modern neural networks", ICML
    2017). The result is 1 where no temperature lowers the loss.

    Parameters
    ----------
    probabilities
        Shape ``(n_samples, n_classes)``.
    codes
        Column of each sample's true class, shape ``(n_samples,)``.
    """
    logs = _log(probabilities)
    rows = np.arange(len(logs))

    # The search is over the logarithm, on which the temperatures 2 and 1/2 are equally far from 1.
    def loss(log_temperature: float) -> float:
        return -float(_log_tempered(logs, np.exp(log_temperature))[rows, codes].mean())

    best = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    # Where every temperature gives the same loss, keep the probabilities as they are.
    return float(np.exp(best.x)) if best.fun < loss(0.0) else 1.0


def _keep_most_probable(probabilities: Floats, out: NDArray[np.float64]) -> None:
    """Restore the most probable class of a row where rounding has tied it with another one."""
    best = probabilities.argmax(axis=1)
    moved = np.flatnonzero(out.argmax(axis=1) != best)
    # The next float above the row's maximum; 2 only gives the direction.
    out[moved, best[moved]] = np.nextafter(out[moved].max(axis=1), 2.0)


def _log(probabilities: Floats) -> NDArray[np.float64]:
    p = np.asarray(probabilities, dtype=np.float64)
    # The smallest probability above 0 of each row, which the substitute for a zero must not exceed.
    least = np.where(p > 0, p, np.inf).min(axis=1, keepdims=True)
    return np.log(np.where(p > 0, p, np.minimum(least, VOTELESS / p.shape[1])))


def _log_tempered(logs: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    scaled = logs / temperature
    return scaled - logsumexp(scaled, axis=1, keepdims=True)
