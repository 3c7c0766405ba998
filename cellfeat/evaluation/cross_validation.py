"""One head over all folds: fitted on the other folds, it predicts each fold.

Predicting and scoring are two steps: `out_of_fold` gives the probabilities, `score` of
`cellfeat.evaluation.scoring.score` their scores.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from cellfeat.errors import HeadError, WriteError
from cellfeat.evaluation.cache import FoldCache, FoldOutcome
from cellfeat.evaluation.head_run import HEAD_FAILURES, HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.hooks import SILENT, Hooks
from cellfeat.evaluation.results import Seconds
from cellfeat.evaluation.scoring.head_scores import ChosenSettings, Tuning
from cellfeat.evaluation.task import Task
from cellfeat.evaluation.tuning.tuner import Tuner, tuning_of
from cellfeat.heads.registry import Head
from cellfeat.types import Floats

FoldObserver = Callable[[int, float], None]
"""Receives the number of the current fold, from 1, and the share of it that is done."""


def ignore_fold(_fold: int, _share: float) -> None:
    """Drop the report of a fold."""


@dataclass(frozen=True)
class OutOfFold:
    """What one head predicts for samples that it was not fitted on.

    Attributes
    ----------
    head
        Name of the head.
    probabilities
        As the head gives them, in the order of the samples that are tested, shape ``(n_samples, n_classes)``.
    settings
        Every parameter of the head, including defaults, as given before any tuning.
    seconds
        What fitting, predicting and tuning took.
    tuning
        What tuning chose in each fold; None where nothing was tuned.
    n_cached
        Folds that came from the cache.
    """

    head: str
    probabilities: Floats
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: Seconds = field(default_factory=Seconds)
    tuning: Tuning | None = None
    n_cached: int = 0


def out_of_fold(
    task: Task,
    head: str | Head,
    settings: HeadSettings | None = None,
    *,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    on_fold: FoldObserver = ignore_fold,
) -> OutOfFold:
    """Predict each fold by a head that was fitted on the other folds.

    Where the design asks for tuning, settings are first chosen inside the training part of each fold.

    Parameters
    ----------
    task
        Samples and folds.
    head
        Name from `HEADS`, or an entry.
    settings
        Parameters of the head; the others keep their defaults.
    cache
        Stores the predictions of each fold and reuses them. None computes all of them.
    hooks
        Receives what tuning will cost.
    on_fold
        Receives each fold that begins.

    Raises
    ------
    HeadError
        If the head fails in a fold; the message names the fold and the reason.
    """
    run = HeadRun(task, head, cache)
    return out_of_fold_of(run, Tuner(run, settings or {}, hooks.say), on_fold)


def out_of_fold_of(run: HeadRun, tuner: Tuner, on_fold: FoldObserver) -> OutOfFold:
    """Predict as `out_of_fold` does, for callers that use the run and its tuner afterwards.

    Parameters
    ----------
    run
        The head on its task.
    tuner
        Chooses its settings.
    on_fold
        As for `out_of_fold`.

    Raises
    ------
    HeadError
        As `out_of_fold`.
    """
    choices: list[ChosenSettings] = []
    outcomes = [_fold_outcome(run, tuner, number, choices, on_fold) for number in range(1, len(run.task.folds) + 1)]
    return OutOfFold(
        head=run.head,
        probabilities=_pooled(run.task, outcomes),
        settings=resolved_settings(run.task, run.entry, tuner.given),
        seconds=_seconds(outcomes, choices),
        tuning=tuning_of(choices),
        n_cached=run.n_cached,
    )


def _fold_outcome(
    run: HeadRun, tuner: Tuner, number: int, choices: list[ChosenSettings], on_fold: FoldObserver
) -> FoldOutcome:
    """Predict fold `number`; a choice of settings is added to `choices`."""
    fold, settings = run.task.folds[number - 1], tuner.given
    on_fold(number, 0)
    try:
        if tuner.has_choice:
            choices.append(tuner.choose(fold.train, partial(on_fold, number)))
            settings = {**settings, **choices[-1].settings}
        return run.outcome(settings, fold)
    except WriteError:  # the cache cannot be written: not a fault of the head
        raise
    except HEAD_FAILURES as error:
        # A head's own refusal says all; the name of another library's exception may help.
        reason = str(error) if isinstance(error, HeadError) else f"{type(error).__name__}: {error}"
        raise HeadError(f"{run.head} failed in fold {number} of {len(run.task.folds)}: {reason}") from error


def _pooled(task: Task, outcomes: Sequence[FoldOutcome]) -> Floats:
    """The predictions of all folds, in the order of the samples."""
    tested = task.tested
    raw = np.empty((len(tested.y), len(tested.classes)))
    for fold, outcome in zip(tested.folds, outcomes, strict=True):
        raw[fold.test] = outcome.probabilities
    return raw


def _seconds(outcomes: Sequence[FoldOutcome], choices: Sequence[ChosenSettings]) -> Seconds:
    return Seconds(
        fit=sum(outcome.fit_seconds for outcome in outcomes),
        predict=sum(outcome.predict_seconds for outcome in outcomes),
        tune=sum(choice.seconds for choice in choices),
    )


def fold_observer(head: str, n_before: int, n_total: int, hooks: Hooks) -> FoldObserver:
    """Report the progress of one head, counted over the folds of all heads.

    Parameters
    ----------
    head
        Name of the head.
    n_before
        Folds of the heads before this one.
    n_total
        Folds of all heads; a fit on all samples is the last of them.
    hooks
        Receives the progress.
    """

    def report(fold: int, share: float) -> None:
        hooks.progress(head, fold, n_before + (fold or n_total) - 1 + share, n_total)

    return report
