"""Turn probabilities into scores: calibrate them, score all classes together and each class, test prediction sets."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.evaluation.cross_validation.hooks import SILENT, Hooks
from cellfeat.evaluation.cross_validation.out_of_fold import FoldObserver, OutOfFold, ignore_fold, out_of_fold
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadSettings
from cellfeat.evaluation.folds.fold import rows_outside
from cellfeat.evaluation.results.head_results import PROBABILITY_PREFIX, HeadResult
from cellfeat.evaluation.scores.head_scores import Abstaining, Calibration, Overall, PerClass, ProbabilityScores, Scores
from cellfeat.evaluation.scoring.fold_scores import fold_accuracies, with_given_folds
from cellfeat.evaluation.scoring.prediction_sets import REPORTED_COVERAGE, out_of_fold_set_scores
from cellfeat.evaluation.task.labelled_samples import LabelledSamples
from cellfeat.evaluation.task.task import Task
from cellfeat.heads.registry import Head
from cellfeat.statistics.conformal import ClassScores
from cellfeat.statistics.interval_types import LEVEL
from cellfeat.statistics.intervals import GroupBootstrap
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
"""Thresholds of ``predict --min-probability`` whose effect is reported."""


def evaluate(
    task: Task,
    head: str | Head,
    settings: HeadSettings | None = None,
    *,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    on_fold: FoldObserver = ignore_fold,
) -> HeadResult:
    """Predict each fold by a head that was fitted on the other folds, and score the predictions.

    Parameters
    ----------
    task, head, settings, cache, hooks, on_fold
        As for `out_of_fold`.

    Raises
    ------
    HeadError
        As `out_of_fold`.
    """
    return score(task, out_of_fold(task, head, settings, cache=cache, hooks=hooks, on_fold=on_fold))


def score(task: Task, predicted: OutOfFold) -> HeadResult:
    """Calibrate out-of-fold probabilities, and score them.

    Parameters
    ----------
    task
        Samples and folds.
    predicted
        What a head predicts for them.
    """
    fitted, task = task, task.tested
    raw, codes = predicted.probabilities, encode(task.y, task.classes)
    temperatures = fold_temperatures(task, raw)
    probabilities = tempered_folds(task, raw, temperatures)
    # For the saved head, which is fitted on all samples. Scores use only the temperatures of the folds above.
    temperature = fit_temperature(raw, codes) if task.design.calibrate == "temperature" else 1.0
    most_likely = most_probable(task, probabilities)
    scores = Scores(
        overall=with_given_folds(
            replace(
                overall_scores(task, most_likely, task.bootstrap, per_fold=fold_accuracies(task, most_likely)),
                way_of_making=task.bootstrap.interval(most_likely, level=LEVEL, widened=fitted.widening),
            ),
            fitted,
            most_likely,
        ),
        per_class=class_scores(task, most_likely, task.bootstrap),
        calibration=calibration(task, raw, probabilities, task.design.calibrate, temperature),
        sets=out_of_fold_set_scores(task, raw, temperatures, REPORTED_COVERAGE),
        tuning=predicted.tuning,
    )
    table = prediction_table(task, predicted.head, probabilities)
    table.insert(1, "fold", _fold_of_sample(task))
    if any(fold.name for fold in task.folds):
        table.insert(2, "fold_name", np.array([fold.name for fold in task.folds])[table["fold"] - 1])
    return HeadResult(
        head=predicted.head,
        predictions=table,
        scores=scores,
        counts=task.counts,
        design=task.design,
        provenance=task.provenance,
        settings=predicted.settings,
        seconds=predicted.seconds,
        n_cached=predicted.n_cached,
        chosen_per_fold=predicted.chosen,
        # Calibrated as the saved head will be, because its prediction sets are made from these.
        class_scores=ClassScores.of(tempered(raw, temperature), codes, task.groups),
    )


def calibrated(task: Task, predicted: OutOfFold) -> Floats:
    """Calibrate out-of-fold probabilities as `score` does, without scoring them.

    Parameters
    ----------
    task
        Samples and folds.
    predicted
        What a head predicts for them.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    tested = task.tested
    return tempered_folds(tested, predicted.probabilities, fold_temperatures(tested, predicted.probabilities))


def pooled_balanced_accuracy(task: Task, predicted: OutOfFold) -> float:
    """Balanced accuracy over all classes, pooled over the folds, for studies that need no other score.

    Parameters
    ----------
    task
        Samples and folds.
    predicted
        What a head predicts for them.
    """
    tested = task.tested
    return balanced_accuracy(tested.y, most_probable(tested, predicted.probabilities), tested.classes)


def fold_temperatures(task: Task, probabilities: Floats) -> list[float]:
    """For each fold, fit a temperature to the predictions of the other folds; 1 without calibration or other folds.

    A fold's labels never influence its own temperature.

    Parameters
    ----------
    task
        Samples and folds.
    probabilities
        As the head gives them, shape ``(n_samples, n_classes)``.
    """
    if task.design.calibrate == "none" or len(task.folds) == 1:
        return [1.0] * len(task.folds)
    codes = encode(task.y, task.classes)
    others = (rows_outside(fold.test, len(codes)) for fold in task.folds)
    return [fit_temperature(probabilities[rows], codes[rows]) for rows in others]


def tempered_folds(task: Task, probabilities: Floats, temperatures: Sequence[float]) -> Floats:
    """Soften or sharpen the out-of-fold probabilities of each fold by the temperature of the fold.

    Parameters
    ----------
    task
        Samples and folds.
    probabilities
        As the head gives them, shape ``(n_samples, n_classes)``.
    temperatures
        One per fold.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
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
    """Make the table of predictions of `ScoredHead`, one row per sample, without the column ``fold``.

    Parameters
    ----------
    samples
        The samples.
    head
        Name of the head.
    probabilities
        Shape ``(n_samples, n_classes)``.
    """
    columns = {
        "sample_id": samples.sample_id,
        "head": np.full(len(samples.y), head),
        "label": samples.y,
        "predicted": most_probable(samples, probabilities),
    }
    by_class = {f"{PROBABILITY_PREFIX}{name}": probabilities[:, i] for i, name in enumerate(samples.classes)}
    return pd.DataFrame(columns | by_class)


def most_probable(samples: LabelledSamples, probabilities: Floats) -> Strings:
    """Give the class of the highest probability.

    Parameters
    ----------
    samples
        The samples, which name the classes.
    probabilities
        Shape ``(n_samples, n_classes)``.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    return np.array(samples.classes)[probabilities.argmax(axis=1)]


def overall_scores(
    samples: LabelledSamples,
    predicted: Strings,
    bootstrap: GroupBootstrap,
    *,
    per_fold: tuple[float, ...] = (),
    absent: tuple[str, ...] = (),
) -> Overall:
    """Score predicted classes over all classes of the samples.

    Parameters
    ----------
    samples
        The samples.
    predicted
        Predicted classes, shape ``(n_samples,)``.
    bootstrap
        Gives the interval.
    per_fold
        Balanced accuracy of each fold.
    absent
        Further classes that may be predicted, and that no sample has.
    """
    y, classes = samples.y, samples.classes
    interval = bootstrap.interval(predicted, level=LEVEL)
    f1 = macro_f1(y, predicted, classes, absent)
    return Overall(balanced_accuracy(y, predicted, classes), interval, f1, per_fold)


def class_scores(
    samples: LabelledSamples, predicted: Strings, bootstrap: GroupBootstrap, absent: tuple[str, ...] = ()
) -> PerClass:
    """Score predicted classes class by class.

    Parameters
    ----------
    samples
        The samples.
    predicted
        Predicted classes, shape ``(n_samples,)``.
    bootstrap
        Gives the intervals.
    absent
        As for `overall_scores`.
    """
    y, classes = samples.y, samples.classes
    return PerClass(
        classes=classes,
        recall=per_class_recall(y, predicted, classes),
        recall_intervals=bootstrap.recall_intervals(predicted, level=LEVEL),
        confusion=confusion_matrix(y, predicted, classes, absent),
        absent=absent,
    )


def calibration(
    samples: LabelledSamples, raw: Floats, probabilities: Floats, method: str, temperature: float
) -> Calibration:
    """Score probabilities before and after calibration.

    Parameters
    ----------
    samples
        The samples.
    raw, probabilities
        As the head gives them, and as they are given to users, shape ``(n_samples, n_classes)``.
    method
        ``"temperature"`` or ``"none"``.
    temperature
        The temperature for the probabilities of new samples.
    """
    return Calibration(
        method=method,
        temperature=temperature,
        calibrated=_probability_scores(samples, probabilities),
        uncalibrated=_probability_scores(samples, raw),
        abstaining=_abstaining(samples, probabilities),
    )


def _probability_scores(samples: LabelledSamples, probabilities: Floats) -> ProbabilityScores:
    y, classes = samples.y, samples.classes
    return ProbabilityScores(
        log_loss=log_loss(y, probabilities, classes),
        calibration_error=calibration_error(y, probabilities, classes),
        reliability=reliability(y, probabilities, classes),
    )


def _abstaining(samples: LabelledSamples, probabilities: Floats) -> tuple[Abstaining, ...]:
    """What each threshold would keep; thresholds that no sample reaches are left out."""
    found = selective_accuracy(samples.y, probabilities, samples.classes, THRESHOLDS)
    rows = zip(THRESHOLDS, found, strict=True)
    return tuple(Abstaining(threshold, kept, accuracy) for threshold, (kept, accuracy) in rows if kept)
