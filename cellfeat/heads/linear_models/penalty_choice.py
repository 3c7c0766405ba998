"""The penalty of logistic regression, chosen on training samples that are held out for the choice.

Penalties are compared by the log loss after the best temperature: a penalty that is too strong makes probabilities too
even, which the temperature corrects. See `cellfeat.heads.holding_out`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.heads.holding_out import divided, first_close_to_best, tempered_losses
from cellfeat.heads.linear_models.lbfgs import Precision
from cellfeat.heads.linear_models.preconditioner import Directions
from cellfeat.heads.linear_models.softmax_regression import Problem, solve
from cellfeat.types import Floats

VALUES = (0.003, 0.01, 0.03)
"""Values of `C` to choose from, the strongest penalty first. One of them is the best of 0.001 to 0.3 on embeddings of
cells, or within 0.01 of it.
"""

PRECISION = Precision(gradient=1e-3)
"""Precision of the fits for the choice: ten times the gradient of a fit that is kept.

The expected decrease of the loss, which ends the fits of a search, is too coarse here: where classes part easily, the
losses themselves are as small.
"""

MAX_ITER = 100


class Choice(NamedTuple):
    """A penalty, and where its fit can start.

    Attributes
    ----------
    C
        Inverse strength of the penalty.
    weights
        The solution on the rows that were not held out, of shape (n_classes, n_columns + 1); None where there is none.
    compared
        The values that were compared; none where there was nothing to choose.
    """

    C: float
    weights: Floats | None = None
    compared: tuple[float, ...] = ()


def choose_penalty(problem: Problem, directions: Directions) -> Choice:
    """Choose the strongest penalty whose loss on held-out rows is within one standard error of the lowest.

    Parameters
    ----------
    problem
        The training rows.
    directions
        Their directions of large curvature.
    """
    parts = divided(problem.codes, problem.rows.sum(axis=1))
    if parts is None:
        return Choice(VALUES[0])
    training, held_out = (_part(problem, rows) for rows in parts)
    penalties = [training.penalty(C) for C in VALUES]
    found = solve(training, directions, penalties, max_iter=MAX_ITER, precision=PRECISION)
    chosen = first_close_to_best([_held_out_losses(held_out, one.weights) for one in found])
    return Choice(VALUES[chosen], found[chosen].weights, VALUES)


def _part(problem: Problem, rows: NDArray[np.int64]) -> Problem:
    return Problem(problem.rows[rows], problem.codes[rows], problem.sample_weights[rows], problem.n_classes)


def _held_out_losses(held_out: Problem, weights: Floats) -> Floats:
    logits = weights[:, :-1].astype(np.float32) @ held_out.rows.T + weights[:, -1:]
    return tempered_losses(logits, held_out.codes, held_out.sample_weights)
