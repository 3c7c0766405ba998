"""Balanced accuracy and its company over pooled out-of-fold predictions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cellfeat.text import first_ten
from cellfeat.types import Floats, Integers

CALIBRATION_BINS = 15


def encode(labels: ArrayLike, classes: Sequence[str]) -> Integers:
    """Number labels by their place in `classes`.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If a label is none of the classes.
    """
    labels = np.asarray(labels, dtype=str)
    names = np.asarray(classes, dtype=str)
    order = np.argsort(names)
    places = order[np.searchsorted(names, labels, sorter=order).clip(max=len(names) - 1)]
    strange = names[places] != labels
    if strange.any():
        raise ValueError(
            f"expected only the classes {first_ten(classes)}, got {first_ten(np.unique(labels[strange]))} as well"
        )
    return places


def confusion_matrix(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Integers:
    """Count samples by true and by predicted class.

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        Rows are the truth, columns the predictions, both in the order of `classes`.

    Raises
    ------
    ValueError
        If a class does not occur in `y`: a mean over the others would pass for the score of all.
    """
    n_classes = len(classes)
    truth = encode(y, classes)
    absent = np.flatnonzero(np.bincount(truth, minlength=n_classes) == 0)
    if absent.size:
        raise ValueError(
            f"no sample has the class {first_ten(classes[int(i)] for i in absent)}: its recall is undefined"
        )
    cells = truth * n_classes + encode(predicted, classes)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def per_class_recall(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Floats:
    """Share of each class's samples that are predicted as that class, shape ``(n_classes,)``."""
    matrix = confusion_matrix(y, predicted, classes)
    return np.diag(matrix) / matrix.sum(axis=1)


def balanced_accuracy(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> float:
    """Mean recall over all `classes`, in [0, 1].

    Unlike `sklearn.metrics.balanced_accuracy_score`, which quietly leaves out a class that `y` lacks, this raises.
    """
    return float(per_class_recall(y, predicted, classes).mean())


def macro_f1(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> float:
    """Mean over all `classes` of the harmonic mean of precision and recall; a class never predicted counts 0."""
    matrix = confusion_matrix(y, predicted, classes)
    return float((2 * np.diag(matrix) / (matrix.sum(axis=0) + matrix.sum(axis=1))).mean())


def log_loss(y: ArrayLike, probabilities: Floats, classes: Sequence[str]) -> float:
    """Mean negative logarithm (nats) of the probability given to the true class.

    Parameters
    ----------
    probabilities
        Shape ``(n_samples, n_classes)``, columns in the order of `classes`. A probability below the smallest normal
        float32 (1.2e-38) counts as that, so that one certain mistake does not make the mean infinite.
    """
    given = probabilities[np.arange(len(probabilities)), encode(y, classes)]
    return float(-np.log(np.maximum(given, np.finfo(np.float32).tiny)).mean())


def calibration_error(y: ArrayLike, probabilities: Floats, classes: Sequence[str]) -> float:
    """Expected calibration error of the predicted class, in [0, 1].

    Samples are binned by their highest probability into 15 bins of equal width; the score is the mean over samples of
    the distance between their bin's accuracy and its mean highest probability (Guo et al.,
    "On calibration of modern neural networks", ICML 2017).
    """
    confidence, accuracy, n_samples = reliability(y, probabilities, classes).T
    return float((n_samples * np.abs(confidence - accuracy)).sum() / n_samples.sum())


def reliability(y: ArrayLike, probabilities: Floats, classes: Sequence[str]) -> Floats:
    """Bin samples by their highest probability, and say how often that class was the true one.

    Returns
    -------
    ndarray of shape (n_bins, 3)
        Of each bin that is not empty, of 15 of equal width: mean highest probability, accuracy, number of samples.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == encode(y, classes)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    n_samples = np.bincount(bins)
    sums = np.column_stack([np.bincount(bins, weights=values) for values in (confidence, is_right)])
    held = n_samples > 0
    return np.column_stack([sums[held] / n_samples[held, np.newaxis], n_samples[held]])


def selective_accuracy(
    y: ArrayLike, probabilities: Floats, classes: Sequence[str], thresholds: Sequence[float]
) -> list[tuple[float, float]]:
    """What abstaining below each threshold of the highest probability would leave.

    Returns
    -------
    list of (kept, accuracy)
        The share of the samples that are predicted, and the share of those that are right; NaN where none is left.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == encode(y, classes)
    kept = [confidence >= threshold for threshold in thresholds]
    return [(float(rows.mean()), float(is_right[rows].mean()) if rows.any() else np.nan) for rows in kept]
