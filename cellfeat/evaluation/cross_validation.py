"""One head over all folds: fitted on the others, asked about each, and all that it said scored together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np

from cellfeat.errors import HeadError, WriteError
from cellfeat.evaluation.cache import FoldCache, FoldOutcome
from cellfeat.evaluation.head_run import HEAD_FAILURES, HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.results import HeadResult
from cellfeat.evaluation.scoring import score
from cellfeat.evaluation.task import Task
from cellfeat.evaluation.tuning import Choice, Tuner, tuning_record
from cellfeat.types import Floats

FoldObserver = Callable[[int, float], None]
"""Told the number of the fold at hand, and the share of it that is done."""


class Progress(Protocol):
    """Told each time a head begins with a fold, and of each fit that tunes it there."""

    def __call__(self, head: str, fold: int, n_done: float, n_total: int) -> None:
        """Take note that `head` is at `fold`, and that `n_done` of `n_total` folds over all heads are finished.

        Folds are counted from 1; fold 0 is all samples, which `fit` counts as one fold more.
        """
        ...


def evaluate(
    task: Task,
    head: str,
    settings: HeadSettings,
    *,
    cache: FoldCache | None = None,
    on_fold: FoldObserver = lambda _fold, _share: None,
    say: Callable[[str], None] = lambda _line: None,
) -> HeadResult:
    """Predict each fold by a head fitted on the others, and score all predictions together.

    Where the design says so, the head's settings are first looked for in the training part of each fold.

    Parameters
    ----------
    cache, say
        As for `compare`.
    on_fold
        Told the number, from 1, of the fold at hand, and the share of it that is done.

    Raises
    ------
    HeadError
        If the head fails in a fold; the message says in which, and why.
    """
    run = HeadRun(task, head, cache)
    return evaluate_run(run, Tuner(run, settings, say), on_fold)


def evaluate_run(run: HeadRun, tuner: Tuner, on_fold: FoldObserver) -> HeadResult:
    """Do what `evaluate` does, with what looks for the head's settings in hand."""
    task, head = run.task, run.head
    choices, outcomes = [], []
    for number, fold in enumerate(task.folds, start=1):
        on_fold(number, 0)
        try:
            settings = tuner.given
            if tuner.has_choice:
                choices.append(tuner.choose(fold.train, partial(on_fold, number)))
                settings = {**settings, **choices[-1].settings}
            outcomes.append(run.outcome(settings, fold))
        except WriteError:  # of the cache, and no fault of the head
            raise
        except HEAD_FAILURES as error:
            raise HeadError(
                f"{head} failed in fold {number} of {len(task.folds)}: {type(error).__name__}: {error}"
            ) from error
    result = score(task, head, _pooled(task, outcomes))
    record = {
        "seconds": _seconds(outcomes, choices),
        "settings": resolved_settings(task, head, tuner.given),
        "tuning": tuning_record(choices) if choices else None,
    }
    return replace(result, metrics=result.metrics | record, n_cached=run.n_cached)


def _pooled(task: Task, outcomes: Sequence[FoldOutcome]) -> Floats:
    """The predictions of all folds, in the order of the samples."""
    raw = np.empty((len(task.y), len(task.classes)))
    for fold, outcome in zip(task.folds, outcomes, strict=True):
        raw[fold.test] = outcome.probabilities
    return raw


def _seconds(outcomes: Sequence[FoldOutcome], choices: Sequence[Choice]) -> dict[str, float]:
    """What each kind of work took over all folds."""
    return {
        "fit": sum(outcome.fit_seconds for outcome in outcomes),
        "predict": sum(outcome.predict_seconds for outcome in outcomes),
        "tune": sum(choice.seconds for choice in choices),
    }


def fold_observer(head: str, n_before: int, n_total: int, progress: Progress | None) -> FoldObserver:
    """Pass on what one head is at, counted over the folds of all heads.

    Parameters
    ----------
    n_before
        Folds of the heads before this one.
    n_total
        Folds of all heads; where there is a fit on all samples, it is the last of them.
    """

    def report(fold: int, share: float) -> None:
        if progress is not None:
            progress(head, fold, n_before + (fold or n_total) - 1 + share, n_total)

    return report
