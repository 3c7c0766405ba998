"""Classification scores: balanced accuracy, recall, F1, log loss and calibration, over all classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cellfeat.text import first_ten
from cellfeat.types import Floats, Integers

# The number of bins in Guo et al. (2017).
CALIBRATION_BINS = 15


def encode(labels: ArrayLike, classes: Sequence[str]) -> Integers:
    """Number labels by their position in `classes`.

    Parameters
    ----------
    labels
        Shape ``(n_samples,)``.
    classes
        Names of the classes, each once.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If a label is not in `classes`.
    """
    labels = np.asarray(labels, dtype=str)
    names = np.asarray(classes, dtype=str)
    order = np.argsort(names)
    # For a label behind the last name `searchsorted` gives `len(names)`. Clipped, it fails the comparison below.
    places = order[np.searchsorted(names, labels, sorter=order).clip(max=len(names) - 1)]
    strange = names[places] != labels
    if strange.any():
        raise ValueError(
            f"expected only the classes {first_ten(classes)}, got {first_ten(np.unique(labels[strange]))} as well"
        )
    return places


def confusion_matrix(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[str], others: Sequence[str] = ()
) -> Integers:
    """Count samples by true and predicted class.

    Parameters
    ----------
    y, predicted
        True and predicted labels, both of shape ``(n_samples,)``.
    classes
        Names of the classes in `y`, each once.
    others
        Names of further classes that are predicted and have no sample.

    Returns
    -------
    ndarray of shape (n_classes, n_classes + n_others)
        Rows are the truth, columns the predictions, both in the order of `classes`, then of `others`.

    Raises
    ------
    ValueError
        If a class does not occur in `y`: its recall is undefined, and a mean over the others would be misleading.
    """
    columns = (*classes, *others)
    truth = encode(y, classes)
    _check_all_occur(truth, classes)
    cells = truth * len(columns) + encode(predicted, columns)
    return np.bincount(cells, minlength=len(classes) * len(columns)).reshape(len(classes), len(columns))


def _check_all_occur(truth: Integers, classes: Sequence[str]) -> None:
    absent = np.flatnonzero(np.bincount(truth, minlength=len(classes)) == 0)
    if absent.size:
        raise ValueError(
            f"no sample has the class {first_ten(classes[int(i)] for i in absent)}: its recall is undefined"
        )


def per_class_recall(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Floats:
    """Recall of each class: the share of its samples that are predicted as that class.

    Parameters
    ----------
    y, classes
        As for `confusion_matrix`.
    predicted
        Predicted labels, shape ``(n_samples,)``. A label that is not in `classes` is an error of the sample's class.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    truth = encode(y, classes)
    _check_all_occur(truth, classes)
    hits = np.asarray(predicted, dtype=str) == np.asarray(y, dtype=str)
    return np.bincount(truth, weights=hits, minlength=len(classes)) / np.bincount(truth, minlength=len(classes))


def balanced_accuracy(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> float:
    """Mean recall over all `classes`, in [0, 1].

    `sklearn.metrics.balanced_accuracy_score` silently excludes a class that `y` lacks; this function raises.

    Parameters
    ----------
    y, predicted, classes
        As for `per_class_recall`.
    """
    return float(per_class_recall(y, predicted, classes).mean())


def macro_f1(y: ArrayLike, predicted: ArrayLike, classes: Sequence[str], others: Sequence[str] = ()) -> float:
    """Mean F1 score over all `classes`, in [0, 1]; a class that is never predicted counts 0.

    Parameters
    ----------
    y, predicted, classes, others
        As for `confusion_matrix`.
    """
    matrix = confusion_matrix(y, predicted, classes, others)
    # F1 is 2 TP / (predicted + true). No denominator is 0, because every class occurs in `y`.
    return float((2 * np.diag(matrix) / (matrix.sum(axis=0)[: len(classes)] + matrix.sum(axis=1))).mean())


def log_loss(y: ArrayLike, probabilities: Floats, classes: Sequence[str]) -> float:
    """Mean negative logarithm (in nats) of the probability of the true class.

    A probability below the smallest normal float32 (1.2e-38) is replaced by it, so that one error of a head that is
    certain does not make the mean infinite.

    Parameters
    ----------
    y
        True labels, shape ``(n_samples,)``.
    probabilities
        Shape ``(n_samples, n_classes)``, columns in the order of `classes`.
    classes
        Names of all classes, each once.
    """
    given = probabilities[np.arange(len(probabilities)), encode(y, classes)]
    return float(-np.log(np.maximum(given, np.finfo(np.float32).tiny)).mean())


def calibration_error(y: ArrayLike, probabilities: Floats, classes: Sequence[str]) -> float:
    """Expected calibration error of the predicted class, in [0, 1].

    Samples are binned by their highest probability into 15 bins of equal width. The error is the mean, weighted by
    samples, of the distance between a bin's accuracy and its mean highest probability (Guo et al., "On calibration of
    modern neural networks", ICML 2017).

    Parameters
    ----------
    y, probabilities, classes
        As for `log_loss`.
    """
    confidence, accuracy, n_samples = reliability(y, probabilities, classes).T
    return float((n_samples * np.abs(confidence - accuracy)).sum() / n_samples.sum())


def reliability(y: ArrayLike, probabilities: Floats, classes: Sequence[str]) -> Floats:
    """Bin samples by their highest probability and compute the accuracy in each bin.

    Parameters
    ----------
    y, probabilities, classes
        As for `log_loss`.

    Returns
    -------
    ndarray of shape (n_bins, 3)
        Mean highest probability, accuracy and number of samples of each non-empty bin, of 15 bins of equal width.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == encode(y, classes)
    # A probability of exactly 1 belongs to the last bin.
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    n_samples = np.bincount(bins)
    sums = np.column_stack([np.bincount(bins, weights=values) for values in (confidence, is_right)])
    held = n_samples > 0
    return np.column_stack([sums[held] / n_samples[held, np.newaxis], n_samples[held]])


def selective_accuracy(
    y: ArrayLike, probabilities: Floats, classes: Sequence[str], thresholds: Sequence[float]
) -> list[tuple[float, float]]:
    """Accuracy of a classifier that abstains where its highest probability is below a threshold.

    Parameters
    ----------
    y, probabilities, classes
        As for `log_loss`.
    thresholds
        Probabilities at which to abstain.

    Returns
    -------
    list of (kept, accuracy)
        For each threshold the share of samples that are predicted, and the accuracy on these; NaN if there are none.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == encode(y, classes)
    kept = [confidence >= threshold for threshold in thresholds]
    return [(float(rows.mean()), float(is_right[rows].mean()) if rows.any() else np.nan) for rows in kept]
