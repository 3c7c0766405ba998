"""The solver of logistic regression: L-BFGS with a preconditioner, for several penalties at once.

Columns of embeddings are correlated, so plain L-BFGS needs about 100 passes over the matrix. Here the directions of
largest curvature are found first, on a few thousand rows, and scaled to the curvature of the others. A fifth to a half
of the passes remain, and the optimum is the same. The idea is that of Frangella, Tropp and Udell (2023), "Randomized
Nyström preconditioning".

Problems that differ only in their penalty share the rows, the directions and each pass over the matrix: the processor
multiplies a matrix by 72 columns in little more than the time of 36.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellfeat.heads.linear_models.lbfgs import LossAndGradient, Precision, lbfgs, minimise_together
from cellfeat.heads.linear_models.preconditioner import Directions, Preconditioner
from cellfeat.heads.linear_models.thin_products import times_rows, times_weights
from cellfeat.heads.linear_models.threads import in_threads
from cellfeat.types import Float32s, Floats

BLOCK_ELEMENTS = 1 << 19
"""Numbers of a block of rows, which is multiplied by the weights and, still in the cache, by the residuals: one pass
over memory instead of two. Half and twice as many take 3 to 15 % longer on 1,024 to 4,096 columns.
"""

BLOCK_ROWS = (64, 512)
"""Fewest and most rows of a block."""

SHARES = 16
"""The rows are divided into at most so many shares, which threads compute. Their sums are added in order, so that the
bits of the result do not depend on the number of threads.
"""

FITTED = Precision(gradient=1e-4)
"""Precision of a fit that is kept: the default of scikit-learn.

It applies to the gradient in the coordinates of `Preconditioner`, which is larger than scikit-learn's by up to 4 here.
"""

COMPARED = Precision(gradient=1e-4, decrease=1e-5)
"""Precision of fits whose scores are compared. Up to `C=0.03` at most 0.5 % of the predictions differ from those at the
minimum, and the balanced accuracy by less than 0.005, on 6,000 samples or fewer.
"""

RANKED = Precision(gradient=1e-4, decrease=1e-4)
"""Precision of fits of which the best few are fitted again: half as many steps as for `FITTED`."""

MIN_PROBABILITY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Solution:
    """Result of the solver.

    Attributes
    ----------
    weights
        Coefficients, and intercepts as the last column, of shape (n_classes, n_columns + 1).
    n_iter
        Number of steps.
    converged
        Whether it converged before `max_iter` steps.
    """

    weights: NDArray[np.float64]
    n_iter: int
    converged: bool


@dataclass(frozen=True)
class Problem:
    """The mean weighted cross-entropy plus ``penalty / 2`` times the squared coefficients, to be minimised.

    The intercepts are the last column of the weights and are not penalised. The weights sum to 0 over the classes, as
    those of the minimum do, and so does the gradient. So the products leave the last class out, which follows from the
    others: 8 columns take less time than 9, which the processor's registers do not fill evenly.

    Attributes
    ----------
    rows
        Standardised, of shape (n_samples, n_columns).
    codes
        Class numbers of shape (n_samples,).
    sample_weights
        Of shape (n_samples,), with a mean of about 1.
    n_classes
        Number of classes.
    """

    rows: Float32s
    codes: NDArray[np.int64]
    sample_weights: Float32s
    n_classes: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the weights: classes, and columns with the intercept."""
        return self.n_classes, self.rows.shape[1] + 1

    def penalty(self, C: float) -> float:
        """Penalty of a sample for the `C` of scikit-learn."""
        # For two classes scikit-learn fits one row w; here it is -w/2 and w/2, whose squares sum to half of w's.
        return (2 if self.n_classes == 2 else 1) / (C * len(self.rows))

    def losses_and_gradients(self, weights: Float32s, penalties: Floats) -> tuple[Floats, Float32s]:
        """Compute the loss and its gradient at several weights in one pass over the rows.

        Parameters
        ----------
        weights
            Of shape (n_problems, n_classes, n_columns + 1), with the sum 0 over the classes.
        penalties
            Of shape (n_problems,), above 0.

        Returns
        -------
        losses
            Of shape (n_problems,).
        gradients
            Of the shape of `weights`.
        """
        coef = np.ascontiguousarray(weights[..., :-1])
        parts = in_threads(lambda share: self._sums(share, coef, weights[..., -1]), self._shares())
        losses, gradients = next(parts)
        for more_losses, more_gradients in parts:
            losses += more_losses
            gradients += more_gradients
        gradients /= len(self.rows)
        gradients[..., :-1] += penalties.astype(np.float32)[:, None, None] * coef
        squares = np.einsum("pkc,pkc->p", coef, coef, dtype=np.float64)
        return losses / len(self.rows) + penalties / 2 * squares, gradients

    @property
    def _block_rows(self) -> int:
        fewest, most = BLOCK_ROWS
        return max(fewest, min(most, BLOCK_ELEMENTS // self.rows.shape[1] // fewest * fewest))

    def _shares(self) -> list[slice]:
        size = -(-len(self.rows) // SHARES)
        size = -(-size // self._block_rows) * self._block_rows
        return [slice(start, min(start + size, len(self.rows))) for start in range(0, len(self.rows), size)]

    def _sums(self, share: slice, coef: Float32s, intercepts: Float32s) -> tuple[Floats, Float32s]:
        """The sums of losses and gradients over some rows."""
        n_problems, n_classes, n_columns = coef.shape
        n_free = n_classes - 1
        flat = np.ascontiguousarray(coef[:, :n_free]).reshape(-1, n_columns)
        losses, gradients = np.zeros(n_problems), np.zeros((n_problems, *self.shape), np.float32)
        of_coef = np.zeros_like(flat)
        for start in range(share.start, share.stop, self._block_rows):
            block = slice(start, min(start + self._block_rows, share.stop))
            rows, codes, sample_weights = self.rows[block], self.codes[block], self.sample_weights[block]
            # Samples last: maxima and sums over classes are then long vector operations.
            logits = np.empty((n_problems, n_classes, len(rows)), np.float32)
            logits[:, :n_free] = times_weights(rows, flat).reshape(n_problems, n_free, -1)
            np.negative(logits[:, :n_free].sum(axis=1), out=logits[:, n_free])
            logits += intercepts[..., None]
            # Probabilities first. Minus 1 for the true class, they are the gradient in the logits.
            residuals = softmax_of_classes(logits)
            each = slice(None), codes, np.arange(len(codes))
            losses -= np.log(np.maximum(residuals[each], MIN_PROBABILITY)) @ sample_weights
            residuals[each] -= 1
            residuals *= sample_weights
            of_coef += times_rows(residuals[:, :n_free].reshape(len(flat), -1), rows)
            gradients[..., -1] += residuals.sum(axis=2)
        gradients[:, :n_free, :-1] = of_coef.reshape(n_problems, n_free, n_columns)
        np.negative(gradients[:, :n_free, :-1].sum(axis=1), out=gradients[:, n_free, :-1])
        return losses, gradients


def solve(
    problem: Problem,
    directions: Directions,
    penalties: Sequence[float],
    *,
    max_iter: int,
    precision: Precision = FITTED,
    starts: Sequence[Floats | None] | None = None,
) -> list[Solution]:
    """Find the minimum for each penalty.

    Parameters
    ----------
    problem
        What to minimise.
    directions
        Its directions of large curvature, or those of more rows that it is a part of.
    penalties
        Each above 0.
    max_iter
        Maximum number of steps.
    precision
        When the solver stops.
    starts
        Weights to start from for each penalty, of shape (n_classes, n_columns + 1); None for 0.
    """
    each = np.asarray(penalties, dtype=np.float64)
    preconditioner = Preconditioner.of(directions, each)

    def evaluate(numbers: Sequence[int], points: Float32s) -> list[LossAndGradient]:
        precondition = preconditioner.take(numbers)
        weights = precondition(points.reshape(-1, *problem.shape))
        losses, gradients = problem.losses_and_gradients(weights, each[list(numbers)])
        # By the chain rule the gradient passes through the transposed map, which is the map itself: it is symmetric.
        return list(zip(losses.tolist(), precondition(gradients).reshape(len(points), -1), strict=True))

    zeros = np.zeros(problem.shape, np.float32)
    weights = np.stack([zeros if one is None else one.astype(np.float32) for one in starts or [None] * len(each)])
    points = preconditioner.inverse(weights).reshape(len(each), -1)
    searches = [lbfgs(point, max_iter=max_iter, precision=precision) for point in points]
    found = minimise_together(searches, evaluate)
    ends = preconditioner(np.stack([one.point for one in found]).reshape(-1, *problem.shape)).astype(np.float64)
    return [Solution(of_one, one.n_iter, one.converged) for of_one, one in zip(ends, found, strict=True)]


def softmax_of_classes(logits: Float32s) -> Float32s:
    """Replace logits of shape (n_problems, n_classes, n_samples) by probabilities, in place."""
    # scipy's softmax takes twice the time, which is noticeable here.
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
