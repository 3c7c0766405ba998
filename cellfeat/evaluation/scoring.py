"""Out-of-fold probabilities of one head -> its scores: calibrated, scored and set out as plain JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.evaluation.prediction_sets import REPORTED_COVERAGE, held_out_metrics, held_out_sets
from cellfeat.evaluation.results import PROBABILITY_PREFIX, HeadResult
from cellfeat.evaluation.task import LabelledSamples, Task
from cellfeat.statistics.bootstrap import GroupBootstrap
from cellfeat.statistics.conformal import ClassScores
from cellfeat.statistics.intervals import LEVEL
from cellfeat.statistics.scores import (
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
from cellfeat.statistics.temperature import fit_temperature, tempered
from cellfeat.types import Floats, Strings

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
    is_tempered = task.design.calibrate == "temperature"
    metrics = {
        **_metrics(task, head, probabilities),
        "temperature": fit_temperature(raw, encode(task.y, task.classes)) if is_tempered else 1.0,
        **probability_metrics(task, probabilities),
        **uncalibrated_metrics(task, raw),
        "prediction_sets": held_out_metrics(task, sets),
    }
    class_scores = ClassScores.of(tempered(raw, metrics["temperature"]), encode(task.y, task.classes), task.groups)
    predictions = prediction_table(task, head, probabilities)
    predictions.insert(1, "fold", _fold_of_sample(task))
    return HeadResult(head, predictions, metrics, class_scores=class_scores)


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


def _fold_of_sample(task: Task) -> NDArray[np.integer]:
    """Number of the fold that each sample was predicted in, from 1."""
    number_of = np.empty(len(task.y), dtype=np.int64)
    for number, fold in enumerate(task.folds, start=1):
        number_of[fold.test] = number
    return number_of


def prediction_table(samples: LabelledSamples, head: str, probabilities: Floats) -> pd.DataFrame:
    """Set out what a head says of each sample: see `HeadResult`; without the fold."""
    columns = {
        "sample_id": samples.sample_id,
        "head": np.full(len(samples.y), head),
        "label": samples.y,
        "predicted": most_probable(samples, probabilities),
    }
    by_class = {f"{PROBABILITY_PREFIX}{name}": probabilities[:, i] for i, name in enumerate(samples.classes)}
    return pd.DataFrame(columns | by_class)


def most_probable(samples: LabelledSamples, probabilities: Floats) -> Strings:
    """The class of the highest probability, shape ``(n_samples,)``."""
    return np.array(samples.classes)[probabilities.argmax(axis=1)]


def _metrics(task: Task, head: str, probabilities: Floats) -> dict[str, Any]:
    y, predicted = task.y, most_probable(task, probabilities)
    return {
        "head": head,
        **class_metrics(task, predicted, task.bootstrap),
        "per_fold": [balanced_accuracy(y[fold.test], predicted[fold.test], task.classes) for fold in task.folds],
        **asdict(task.counts),
        **asdict(task.design),
        "provenance": asdict(task.provenance),
    }


def class_metrics(samples: LabelledSamples, predicted: Strings, bootstrap: GroupBootstrap) -> dict[str, Any]:
    """Score the classes that were predicted, shape ``(n_samples,)``, as plain JSON values."""
    y, classes = samples.y, samples.classes
    interval = bootstrap.interval(predicted, level=LEVEL)
    return {
        "balanced_accuracy": balanced_accuracy(y, predicted, classes),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "ci_level": LEVEL,
        "classes": list(classes),
        "per_class_recall": per_class_recall(y, predicted, classes).tolist(),
        "per_class_recall_ci": bootstrap.recall_intervals(predicted, level=LEVEL).tolist(),
        "macro_f1": macro_f1(y, predicted, classes),
        "confusion_matrix": confusion_matrix(y, predicted, classes).tolist(),
    }


def probability_metrics(samples: LabelledSamples, probabilities: Floats) -> dict[str, Any]:
    """Score probabilities as they are given to users, shape ``(n_samples, n_classes)``, as plain JSON values."""
    y, classes = samples.y, samples.classes
    return {
        "log_loss": log_loss(y, probabilities, classes),
        "calibration_error": calibration_error(y, probabilities, classes),
        "abstaining": _abstaining(y, probabilities, classes),
        "reliability": reliability(y, probabilities, classes).tolist(),
    }


def uncalibrated_metrics(samples: LabelledSamples, raw: Floats) -> dict[str, Any]:
    """Score probabilities as they come from the head, to be held beside those of `probability_metrics`."""
    y, classes = samples.y, samples.classes
    return {
        "log_loss_uncalibrated": log_loss(y, raw, classes),
        "calibration_error_uncalibrated": calibration_error(y, raw, classes),
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
