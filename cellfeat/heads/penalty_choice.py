"""The penalty of logistic regression, chosen on training samples that are held out for the choice.

A penalty that is too strong makes probabilities too even. That raises the log loss, although the most probable classes
can be the right ones; the temperature that `compare` and `fit` apply corrects it. So penalties are compared by the log
loss that is left after the best temperature: Berta, Holzmüller, Jordan and Bach (2025), "Rethinking early stopping:
refine, then calibrate".
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cellfeat.heads.lbfgs import Precision
from cellfeat.heads.rounding import Directions
from cellfeat.heads.softmax_regression import Problem, solve
from cellfeat.types import Floats

VALUES = (0.003, 0.01, 0.03)
"""Values of `C` to choose from, the strongest penalty first. One of them is the best of 0.001 to 0.3 on embeddings of
cells, or within 0.01 of it.
"""

FEWEST_ROWS = 60
"""With fewer rows nothing is held out, and the strongest penalty is taken."""

MOST_ROWS = 12_288
"""Rows that take part in the choice. With 3,072 of 23,115 generated rows 0.01 was chosen where 0.003 is better."""

HELD_OUT = 3
"""One row of so many is held out."""

PRECISION = Precision(gradient=1e-3)
"""Precision of the fits for the choice: ten times the gradient of a fit that is kept.

The expected decrease of the loss, which ends the fits of a search, is too coarse here: where classes part easily, the
losses themselves are as small.
"""

MAX_ITER = 100

LOG_TEMPERATURES = (np.log(0.1), np.log(10))


class Choice(NamedTuple):
    """A penalty, and where its fit can start.

    Attributes
    ----------
    C
        Inverse strength of the penalty.
    weights
        The solution on the rows that were not held out, of shape (n_classes, n_columns + 1); None where there is none.
    """

    C: float
    weights: Floats | None


def choose_penalty(problem: Problem, directions: Directions) -> Choice:
    """Choose the strongest penalty whose loss on held-out rows is within one standard error of the lowest.

    Parameters
    ----------
    problem
        The training rows.
    directions
        Their directions of large curvature.
    """
    if len(problem.rows) < FEWEST_ROWS:
        return Choice(VALUES[0], None)
    training, held_out = (_part(problem, rows) for rows in _divided(problem))
    penalties = [training.penalty(C) for C in VALUES]
    found = solve(training, directions, penalties, max_iter=MAX_ITER, precision=PRECISION)
    losses = np.stack([_tempered_losses(held_out, one.weights) for one in found])
    excess = losses - losses[losses.mean(axis=1).argmin()]
    is_close = excess.mean(axis=1) <= excess.std(axis=1) / np.sqrt(excess.shape[1])
    chosen = int(is_close.argmax())
    return Choice(VALUES[chosen], found[chosen].weights)


def _divided(problem: Problem) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers for the fits, and those to hold out; neither depends on the order of the rows.

    Rows are sorted by class, and within a class by their sum, so that every third one is a fair part of each class.
    """
    order = np.lexsort((problem.rows.sum(axis=1), problem.codes))
    order = order[:: -(-len(order) // MOST_ROWS)]
    codes = problem.codes[order]
    place = np.arange(len(order)) - np.searchsorted(codes, codes)
    is_held_out = place % HELD_OUT == 1  # the first row of a class is for the fits
    return order[~is_held_out], order[is_held_out]


def _part(problem: Problem, rows: NDArray[np.int64]) -> Problem:
    return Problem(problem.rows[rows], problem.codes[rows], problem.sample_weights[rows], problem.n_classes)


def _tempered_losses(held_out: Problem, weights: Floats) -> Floats:
    """The weighted log loss of each row at the best temperature."""
    # Classes first: maxima and sums over them are then long vector operations.
    logits = weights[:, :-1].astype(np.float32) @ held_out.rows.T + weights[:, -1:]

    def losses(log_temperature: float) -> Floats:
        return _losses(held_out, logits * np.exp(-log_temperature))

    found = minimize_scalar(
        lambda one: float(losses(one).mean()), bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 0.02}
    )
    return losses(found.x)


def _losses(held_out: Problem, logits: Floats) -> Floats:
    logits = logits - logits.max(axis=0)
    of_true_class = logits[held_out.codes, np.arange(len(held_out.codes))]
    losses: Floats = held_out.sample_weights * (np.log(np.exp(logits).sum(axis=0)) - of_true_class)
    return losses
