"""Scores of single folds, and what groups that given folds cut do to a score."""

from dataclasses import replace

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.scores.given_fold_scores import Apart, FoldScore
from cellfeat.evaluation.scores.head_scores import Overall
from cellfeat.evaluation.task.task import Task
from cellfeat.statistics.interval_types import LEVEL, Interval
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.types import Strings

MOST_DRAWS = 500
"""Bootstrap draws behind the interval of a single fold: there may be 200 of them."""


def fold_accuracies(task: Task, predicted: Strings) -> tuple[float, ...]:
    """Balanced accuracy of each fold, over the classes that its test part has.

    Parameters
    ----------
    task
        The samples that are tested.
    predicted
        Predicted classes, shape ``(n_samples,)``.
    """
    return tuple(_accuracy(task, predicted, fold) for fold in task.folds)


def with_given_folds(overall: Overall, task: Task, predicted: Strings) -> Overall:
    """Add the scores of folds that were given; drawn folds leave the scores as they are.

    Parameters
    ----------
    overall
        Scores over all folds.
    task
        All samples, with those that are only fitted on.
    predicted
        Predicted classes of the samples that are tested, shape ``(n_tested,)``.
    """
    if not any(fold.name for fold in task.folds):
        return overall
    tested = task.tested
    pairs = zip(task.folds, tested.folds, strict=True)
    given = tuple(_fold_score(tested, predicted, fold, task.y[whole.train]) for whole, fold in pairs)
    return replace(overall, given=given, apart=_apart(task, predicted))


def _accuracy(task: Task, predicted: Strings, fold: Fold) -> float:
    y = task.y[fold.test]
    return balanced_accuracy(y, predicted[fold.test], np.unique(y).tolist())


def _fold_score(task: Task, predicted: Strings, fold: Fold, fitted_on: Strings) -> FoldScore:
    present = np.unique(task.y[fold.test])
    return FoldScore(
        name=fold.name,
        n_samples=len(fold.test),
        classes=tuple(present.tolist()),
        balanced_accuracy=_accuracy(task, predicted, fold),
        interval=_interval(task, predicted, fold, present),
        unknown=tuple(np.setdiff1d(present, fitted_on).tolist()),
    )


def _interval(task: Task, predicted: Strings, fold: Fold, present: Strings) -> Interval | None:
    units = task.groups if task.units is None else task.units
    design = task.design
    try:
        bootstrap = GroupBootstrap(
            task.y[fold.test],
            units[fold.test],
            present.tolist(),
            n_draws=min(design.draws, MOST_DRAWS),
            random_state=design.random_state,
        )
    except SplitError:
        return None
    return bootstrap.interval(predicted[fold.test], level=LEVEL)


def _apart(task: Task, predicted: Strings) -> Apart | None:
    tested = task.tested
    is_shared = np.zeros(len(tested.y), dtype=bool)
    for whole, fold in zip(task.folds, tested.folds, strict=True):
        is_shared[fold.test] = np.isin(tested.groups[fold.test], task.groups[whole.train])
    if not is_shared.any():
        return None
    y = tested.y[~is_shared]
    lacks_a_class = len(np.unique(y)) < len(tested.classes)
    score = None if lacks_a_class else balanced_accuracy(y, predicted[~is_shared], tested.classes)
    return Apart(int(np.count_nonzero(is_shared)), score)
