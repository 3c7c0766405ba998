"""Out-of-fold probabilities of one head -> its scores: calibrated, scored and set out as plain JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.comparison.conformal import REPORTED_COVERAGE, held_out_metrics, held_out_sets
from cellfeat.comparison.result import LEVEL, PROBABILITY_PREFIX, HeadResult
from cellfeat.comparison.scores import (
    balanced_accuracy,
    calibration_error,
    confusion_matrix,
    encode,
    log_loss,
    macro_f1,
    per_class_recall,
    reliability,
    selective_accuracy,
)
from cellfeat.comparison.task import Task
from cellfeat.heads.conformal import ClassScores
from cellfeat.heads.temperature import fit_temperature, tempered

Strings = NDArray[np.str_]
Floats = NDArray[np.floating]

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Lowest probabilities that users ask for: what `predict --min-probability` would keep is told for these."""


def score(task: Task, head: str, raw: Floats) -> HeadResult:
    """Calibrate out-of-fold probabilities, and score them.

    Parameters
    ----------
    raw
        As they came from the head, shape ``(n_samples, n_classes)``.
    """
    temperatures = fold_temperatures(task, raw)
    probabilities = tempered_folds(task, raw, temperatures)
    sets = held_out_sets(task, raw, temperatures, REPORTED_COVERAGE)
    metrics = _metrics(task, head, probabilities) | _probability_metrics(task, raw, probabilities)
    metrics["prediction_sets"] = held_out_metrics(task, sets)
    class_scores = ClassScores.of(tempered(raw, metrics["temperature"]), encode(task.y, task.classes), task.groups)
    return HeadResult(head, _prediction_table(task, head, probabilities), metrics, class_scores=class_scores)


def fold_temperatures(task: Task, probabilities: Floats) -> list[float]:
    """Fit a temperature for each fold to the out-of-fold probabilities of the other folds; 1 where none is wanted.

    So the labels that a temperature is fitted to are none of those that its fold is judged by.
    """
    if task.design.calibrate == "none":
        return [1.0] * len(task.folds)
    codes = encode(task.y, task.classes)
    others = [np.setdiff1d(np.arange(len(codes)), fold.test) for fold in task.folds]
    return [fit_temperature(probabilities[rows], codes[rows]) for rows in others]


def tempered_folds(task: Task, probabilities: Floats, temperatures: Sequence[float]) -> Floats:
    """Temper the out-of-fold probabilities of each fold by the temperature of the fold."""
    out = np.empty(probabilities.shape)
    for fold, temperature in zip(task.folds, temperatures, strict=True):
        out[fold.test] = tempered(probabilities[fold.test], temperature)
    return out


def _prediction_table(task: Task, head: str, probabilities: Floats) -> pd.DataFrame:
    fold_of_sample = np.empty(len(task.y), dtype=np.int64)
    for number, fold in enumerate(task.folds, start=1):
        fold_of_sample[fold.test] = number
    columns = {
        "sample_id": task.sample_id,
        "fold": fold_of_sample,
        "head": np.full(len(task.y), head),
        "label": task.y,
        "predicted": _most_probable(task, probabilities),
    }
    by_class = {f"{PROBABILITY_PREFIX}{name}": probabilities[:, i] for i, name in enumerate(task.classes)}
    return pd.DataFrame(columns | by_class)


def _most_probable(task: Task, probabilities: Floats) -> Strings:
    return np.array(task.classes)[probabilities.argmax(axis=1)]


def _metrics(task: Task, head: str, probabilities: Floats) -> dict[str, Any]:
    y, classes, predicted = task.y, task.classes, _most_probable(task, probabilities)
    interval = task.bootstrap.interval(predicted, level=LEVEL)
    return {
        "head": head,
        "balanced_accuracy": balanced_accuracy(y, predicted, classes),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "ci_level": LEVEL,
        "per_fold": [balanced_accuracy(y[fold.test], predicted[fold.test], classes) for fold in task.folds],
        "classes": list(classes),
        "per_class_recall": per_class_recall(y, predicted, classes).tolist(),
        "per_class_recall_ci": task.bootstrap.recall_intervals(predicted, level=LEVEL).tolist(),
        "macro_f1": macro_f1(y, predicted, classes),
        "confusion_matrix": confusion_matrix(y, predicted, classes).tolist(),
        **asdict(task.counts),
        **asdict(task.design),
        "provenance": asdict(task.provenance),
    }


def _probability_metrics(task: Task, raw: Floats, probabilities: Floats) -> dict[str, Any]:
    y, classes = task.y, task.classes
    is_tempered = task.design.calibrate == "temperature"
    return {
        "temperature": fit_temperature(raw, encode(y, classes)) if is_tempered else 1.0,
        "log_loss": log_loss(y, probabilities, classes),
        "log_loss_uncalibrated": log_loss(y, raw, classes),
        "calibration_error": calibration_error(y, probabilities, classes),
        "calibration_error_uncalibrated": calibration_error(y, raw, classes),
        "abstaining": _abstaining(y, probabilities, classes),
        "reliability": reliability(y, probabilities, classes).tolist(),
        "reliability_uncalibrated": reliability(y, raw, classes).tolist(),
    }


def _abstaining(y: Strings, probabilities: Floats, classes: Sequence[str]) -> list[dict[str, float]]:
    """What ``predict --min-probability`` is to be expected to keep; thresholds that nothing reaches are left out."""
    found = zip(THRESHOLDS, selective_accuracy(y, probabilities, classes, THRESHOLDS), strict=True)
    return [
        {"min_probability": threshold, "kept": kept, "accuracy": accuracy}
        for threshold, (kept, accuracy) in found
        if kept
    ]
