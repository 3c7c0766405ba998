"""Training samples that a head holds out to choose a setting, and how settings are compared on them.

A setting can make probabilities too even or too sure, and so raise the log loss, although the most probable classes are
the right ones; the temperature that `compare` and `fit` apply corrects it. So settings are compared by the log loss
that is left after the best temperature: Berta, Holzmüller, Jordan and Bach (2025), "Rethinking early stopping: refine,
then calibrate".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cellfeat.types import Floats

FEWEST_SAMPLES = 60
FEWEST_HELD_OUT = 10
"""With fewer samples, or fewer to hold out, as where most classes have one sample, there is no choice."""

MOST_SAMPLES = 12_288
"""Samples that take part in a choice. With 3,072 of 23,115 generated ones `logreg` chose a `C` of 0.01 where 0.003 is
better.
"""

HELD_OUT = 3
"""One sample of so many is held out."""

LOG_TEMPERATURES = (np.log(0.1), np.log(10))


def divided(codes: NDArray[np.int64], sums: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Divide samples into those to fit on and those to hold out; neither depends on the order of the samples.

    Samples are sorted by class, and within a class by the sum of their columns, so that every third one is a fair part
    of each class.

    Parameters
    ----------
    codes
        Class numbers of shape (n_samples,).
    sums
        Sum of the columns of each sample, of shape (n_samples,).

    Returns
    -------
    tuple or None
        Numbers of the samples to fit on, and of those to hold out. None where there are too few for a choice.
    """
    if len(codes) < FEWEST_SAMPLES:
        return None
    order = np.lexsort((sums, codes))
    order = order[:: -(-len(order) // MOST_SAMPLES)]
    codes = codes[order]
    place = np.arange(len(order)) - np.searchsorted(codes, codes)
    is_held_out = place % HELD_OUT == 1  # the first sample of a class is for the fits
    if np.count_nonzero(is_held_out) < FEWEST_HELD_OUT:
        return None
    return order[~is_held_out], order[is_held_out]


def tempered_losses(logits: Floats, codes: NDArray[np.int64], weights: Floats) -> Floats:
    """The weighted log loss of each held-out sample at the best temperature.

    Parameters
    ----------
    logits
        Array of shape (n_classes, n_samples). Classes come first: maxima and sums over them are long vector operations.
    codes, weights
        Class numbers and weights of shape (n_samples,).

    Returns
    -------
    ndarray of shape (n_samples,)
    """

    def losses(log_temperature: float) -> Floats:
        return _losses(logits * np.exp(-log_temperature), codes, weights)

    found = minimize_scalar(
        lambda one: float(losses(one).mean()), bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 0.02}
    )
    return losses(found.x)


def first_close_to_best(losses: Sequence[Floats]) -> int:
    """Number of the first setting whose loss is within one standard error of the lowest.

    Parameters
    ----------
    losses
        For each setting, the losses of the same samples, of shape (n_samples,).
    """
    table = np.stack(losses)
    excess = table - table[table.mean(axis=1).argmin()]
    is_close = excess.mean(axis=1) <= excess.std(axis=1) / np.sqrt(excess.shape[1])
    return int(is_close.argmax())


def _losses(logits: Floats, codes: NDArray[np.int64], weights: Floats) -> Floats:
    logits = logits - logits.max(axis=0)
    of_true_class = logits[codes, np.arange(len(codes))]
    losses: Floats = weights * (np.log(np.exp(logits).sum(axis=0)) - of_true_class)
    return losses
