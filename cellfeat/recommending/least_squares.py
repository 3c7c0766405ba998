"""A linear head in closed form: cheap enough to score hundreds of recipes.

Regularised least squares on targets of 1 and 0 ranks recipes as logistic regression does, but needs only the products
of samples with each other. Those of several pictures of a sample add up, so `separate` and `both` share them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from cellfeat.types import Float32s, Floats, Integers

PENALTIES = (0.1, 0.3, 1.0, 3.0)
"""Penalties relative to the product of a sample with itself: stages are best with 0.3, classifier's inputs with 3."""


@dataclass(frozen=True)
class FoldedLabels:
    """Classes and folds of some samples.

    Attributes
    ----------
    codes
        Class number of each sample, shape ``(n,)``.
    fold
        Number of the fold that tests each sample, shape ``(n,)``.
    n_classes, n_folds
        Number of classes and of folds.
    """

    codes: Integers
    fold: Integers
    n_classes: int
    n_folds: int

    def take(self, places: Integers) -> "FoldedLabels":
        """Give those of some samples, by their places, shape ``(m,)``."""
        return FoldedLabels(self.codes[places], self.fold[places], self.n_classes, self.n_folds)


def products(columns: Float32s) -> Float32s:
    """Products of all pairs of samples, summed over standardised columns.

    The columns are standardised over all samples without their labels, so one matrix serves all folds.

    Parameters
    ----------
    columns
        Embeddings, shape ``(n, dim)``.

    Returns
    -------
    ndarray of shape (n, n)
        Float32. Columns without variation count nothing.
    """
    centred = columns - columns.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = np.sqrt(np.square(centred, dtype=np.float32).mean(axis=0))
    centred *= np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
    summed: Float32s = centred @ centred.T
    return summed


def predict_folds(summed: Sequence[Float32s], n_columns: int, labels: FoldedLabels) -> Integers:
    """Predict each fold by a head that was fitted on the others, with the penalty that is best on the others.

    Parameters
    ----------
    summed
        Matrices of `products`, shape ``(n, n)`` each; they are added.
    n_columns
        Number of columns behind all of them together.
    labels
        Classes and folds of the samples.

    Returns
    -------
    ndarray of shape (n,)
        Class numbers.
    """
    kernel: Float32s = np.add.reduce(list(summed), dtype=np.float32)
    kernel /= n_columns
    kernel += 1  # one more column, the same for all samples: the intercept
    predicted = np.zeros((len(PENALTIES), len(labels.codes)), np.int64)
    for number in range(labels.n_folds):
        test = np.flatnonzero(labels.fold == number)
        train = np.flatnonzero(labels.fold != number)
        if test.size:
            for place, scores in enumerate(_scores(kernel, train, test, labels)):
                predicted[place, test] = scores.argmax(axis=1)
    best = np.argmax([scores_without_folds(one, labels)[:-1] for one in predicted], axis=0)
    chosen: Integers = predicted[best[labels.fold], np.arange(len(labels.codes))]
    return chosen


def _scores(kernel: Float32s, train: Integers, test: Integers, labels: FoldedLabels) -> Iterator[Floats]:
    """Scores of the test part with each penalty, shape ``(n_test, n_classes)``."""
    codes = labels.codes[train]
    counts = np.bincount(codes, minlength=labels.n_classes)
    # Each class has the same total weight, as in the heads of cellfeat: the scores are balanced accuracies.
    weight = len(train) / (np.count_nonzero(counts) * np.maximum(counts, 1))[codes]
    targets = np.eye(labels.n_classes)[codes] - 1 / labels.n_classes
    among, to_test = kernel[np.ix_(train, train)].astype(np.float64), kernel[np.ix_(test, train)]
    for penalty in PENALTIES:
        penalised = among + np.diag(penalty / weight)
        factor = cho_factor(penalised, overwrite_a=True, check_finite=False)
        yield to_test @ cho_solve(factor, targets, check_finite=False)


def scores_without_folds(predicted: Integers, labels: FoldedLabels) -> Floats:
    """Balanced accuracy over all folds but one, for each; the last is that over all folds.

    Parameters
    ----------
    predicted
        Class numbers, shape ``(n,)``.
    labels
        Classes and folds of the samples.

    Returns
    -------
    ndarray of shape (n_folds + 1,)
    """
    shape = (labels.n_folds, labels.n_classes)
    cells = labels.fold * labels.n_classes + labels.codes
    size = shape[0] * shape[1]
    totals = np.bincount(cells, minlength=size).reshape(shape)
    hits = np.bincount(cells, weights=predicted == labels.codes, minlength=size).reshape(shape)
    others = [(hits.sum(axis=0) - hits[fold], totals.sum(axis=0) - totals[fold]) for fold in range(labels.n_folds)]
    others.append((hits.sum(axis=0), totals.sum(axis=0)))
    return np.array([(hit[total > 0] / total[total > 0]).mean() for hit, total in others])
