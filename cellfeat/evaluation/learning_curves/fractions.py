"""Parts of the training samples of each fold, on which learning curves are made."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cellfeat.errors import ConfigError
from cellfeat.evaluation.cross_validation.out_of_fold import HeadFolds
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadRun, HeadSettings
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.folds.grouped_folds import thinned_rows
from cellfeat.evaluation.task.task import Task
from cellfeat.heads.registry import Head


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """Sort fractions, and refuse invalid ones.

    Raises
    ------
    ConfigError
        If there are fewer than two different ones, or one is not above 0 and at most 1.
    """
    ascending = tuple(sorted(set(fractions)))
    if len(ascending) < 2 or not all(0 < fraction <= 1 for fraction in ascending):
        raise ConfigError(
            f"fractions: expected two or more numbers above 0 and at most 1, got {list(fractions)}; "
            "for example: 0.1,0.25,0.5,1"
        )
    return ascending


def point_before(n_train: Sequence[int]) -> int:
    """Choose the point that the last one is compared with: the largest of at most half as many samples, or the first.

    A step that is much shorter than a doubling may change a score less than the choice of samples does.

    Parameters
    ----------
    n_train
        Training samples at each point, ascending.

    Returns
    -------
    int
        The place of the point.
    """
    # Whole groups are taken, so that half of the samples is seldom exactly half.
    half = [place for place, number in enumerate(n_train[:-1]) if number <= 0.55 * n_train[-1]]
    return half[-1] if half else 0


def outlook(is_rising: bool, before: int, after: int) -> str:
    """Say what a step of a curve means for more samples.

    Parameters
    ----------
    is_rising
        Whether the score rose beyond chance.
    before, after
        Training samples before and after the step.
    """
    if is_rising:
        return "still rising, more samples are likely to help"
    if before > 0.55 * after:
        return "too short a step to say whether more samples would help; add a fraction of half the largest"
    return "no evidence that more samples would help"


def parts_of(task: Task, fractions: Sequence[float]) -> list[Task]:
    """Give the task with a part of each fold's training samples, for each fraction.

    Parameters
    ----------
    task
        Samples and folds.
    fractions
        Parts of the training samples.
    """
    return [task.with_folds(tuple(_thinned(task, fraction))) for fraction in fractions]


def points_of(
    parts: Sequence[Task], head: str | Head, settings: HeadSettings, cache: FoldCache | None
) -> list[HeadFolds]:
    """Give the folds of a head for each fraction.

    Parameters
    ----------
    parts
        The task for each fraction.
    head, settings
        The head.
    cache
        Stores predictions.
    """
    return [HeadFolds(HeadRun(part, head, cache), settings) for part in parts]


def _thinned(task: Task, fraction: float) -> Iterator[Fold]:
    for number, fold in enumerate(task.folds):
        # The same generator at every fraction, so that each takes the first groups of one order.
        rng = np.random.default_rng([task.design.random_state, number])
        yield replace(fold, train=thinned_rows(fold.train, task.y, task.groups, fraction, rng))
