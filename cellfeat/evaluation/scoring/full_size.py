"""The score to expect of the saved head, which is fitted on all samples and not on the training part of a fold."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.folds.grouped_folds import grouped_folds
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scores.head_scores import FullSize
from cellfeat.evaluation.task.task import Task
from cellfeat.statistics.full_size import LEAST_SHARE, full_size_values, weight_of_halves
from cellfeat.statistics.interval_types import LEVEL, Interval
from cellfeat.statistics.scores import balanced_accuracy, encode
from cellfeat.statistics.spread import ROUNDING
from cellfeat.types import Floats, Strings


def task_of_halves(task: Task) -> Task | None:
    """Make the task of fitting a head on each half of the samples, with the settings as given.

    Returns
    -------
    Task or None
        None where the saved head is the one that was evaluated (a single split), where the heads of the folds have
        hardly more than half of the samples, or where a class has too few groups for two halves.
    """
    n_train = sum(len(fold.train) for fold in task.folds)
    n_test = sum(len(fold.test) for fold in task.folds)
    if len(task.folds) == 1 or n_train < LEAST_SHARE * (n_train + n_test):
        return None
    try:
        halves = grouped_folds(task.y, task.groups, 2, random_state=task.design.random_state)
    except SplitError:
        return None
    return replace(task, folds=tuple(halves), design=replace(task.design, tune=0))


def full_size(task: Task, result: HeadResult, of_halves: Floats) -> FullSize:
    """Extrapolate the score of a head to all samples.

    Parameters
    ----------
    task
        Samples and folds; every sample is tested.
    result
        What the heads of the folds score.
    of_halves
        Probabilities by the heads on halves, for the half that each was not fitted on, shape ``(n_samples,
        n_classes)``.
    """
    n_train, n_test = (sum(sizes) for sizes in zip(*((len(f.train), len(f.test)) for f in task.folds), strict=True))
    halves = np.array(task.classes)[of_halves.argmax(axis=1)] == task.y
    predicted = result.predictions["predicted"].to_numpy(str)
    values = full_size_values(predicted == task.y, halves, weight_of_halves(n_train / (n_train + n_test)))
    recall = _class_means(task.y, values, task.classes)
    score = min(max(float(recall.mean()), 0.0), 1.0)
    low, high = task.bootstrap.mean_interval(values, level=LEVEL, widened=task.widening)
    if high - low < ROUNDING:
        # No draw varies, as without errors. The interval of the folds' score has a width then, too.
        of_folds = task.bootstrap.interval(predicted, level=LEVEL, widened=task.widening)
        folds = balanced_accuracy(task.y, predicted, task.classes)
        low, high = score + of_folds.low - folds, score + of_folds.high - folds
    interval = Interval(min(max(low, 0.0), score), max(min(high, 1.0), score))
    return FullSize(score, interval, recall, float(_class_means(task.y, halves, task.classes).mean()))


def _class_means(y: Strings, values: Floats, classes: Sequence[str]) -> Floats:
    codes = encode(y, classes)
    return np.bincount(codes, weights=values) / np.bincount(codes)
