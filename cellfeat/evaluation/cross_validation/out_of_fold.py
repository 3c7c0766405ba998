"""One head over all folds: fitted on the other folds, it predicts each fold.

Predicting and scoring are two steps: `out_of_fold` gives the probabilities, `score` of
`cellfeat.evaluation.scoring.score` their scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from cellfeat.errors import HeadError, WriteError
from cellfeat.evaluation.cross_validation.hooks import SILENT, Hooks
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.folds.fold import FoldOutcome
from cellfeat.evaluation.parallel.pieces import HEAD_FAILURES, Failure, Flow
from cellfeat.evaluation.parallel.schedule import Schedule
from cellfeat.evaluation.parallel.workers import IN_THIS_PROCESS
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.scores.head_scores import ChosenSettings, Seconds, Tuning
from cellfeat.evaluation.task.task import Task
from cellfeat.evaluation.tuning.tuner import Tuner, tuning_of
from cellfeat.heads.registry import Head
from cellfeat.types import Floats

FoldObserver = Callable[[int, float], None]
"""Receives the number of the current fold, from 1, and the share of it that is done."""


def ignore_fold(_fold: int, _share: float) -> None:
    """Drop the report of a fold."""


def ignore_end(_fold: int) -> None:
    """Drop the end of a fold."""


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
    chosen
        What the head of each fold chose itself, by name; empty where it chose nothing.
    """

    head: str
    probabilities: Floats
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: Seconds = field(default_factory=Seconds)
    tuning: Tuning | None = None
    n_cached: int = 0
    chosen: tuple[Mapping[str, Any], ...] = ()


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
    folds = HeadFolds(HeadRun(task, head, cache), settings or {}, hooks.say, on_fold)
    return folds.collected(Schedule([folds.flows()], IN_THIS_PROCESS).results(0))


class FoldResult(NamedTuple):
    """What came out of one fold.

    Attributes
    ----------
    outcome
        The predictions.
    choice
        The settings that were chosen; None where nothing was tuned.
    """

    outcome: FoldOutcome
    choice: ChosenSettings | None


@dataclass(frozen=True)
class HeadFolds:
    """The folds of one head, as flows that can advance side by side.

    Attributes
    ----------
    run
        The head on its task.
    given
        Settings from the user.
    say
        Receives what tuning will cost.
    on_fold
        Receives each fold that begins, and its progress.
    on_end
        Receives the number of each fold that is finished, from 1.
    tunes_all
        Whether settings for all samples are chosen too, after those of the folds.
    """

    run: HeadRun
    given: HeadSettings
    say: Say = ignore_line
    on_fold: FoldObserver = ignore_fold
    on_end: Callable[[int], None] = ignore_end
    tunes_all: bool = False

    @cached_property
    def tuner(self) -> Tuner:
        """Chooses settings."""
        return Tuner(self.run, self.given, self.say, on_all=self.tunes_all)

    def flows(self) -> list[Flow[FoldResult]]:
        """A flow for each fold."""
        return [self._predicting(number) for number in range(1, len(self.run.task.folds) + 1)]

    def collected(self, results: Sequence[FoldResult]) -> OutOfFold:
        """Put the results of all folds together.

        Parameters
        ----------
        results
            Those of the flows, in order.
        """
        outcomes = [result.outcome for result in results]
        choices = [result.choice for result in results if result.choice is not None]
        return OutOfFold(
            head=self.run.head,
            probabilities=_pooled(self.run.task, outcomes),
            settings=resolved_settings(self.run.task, self.run.entry, self.given),
            seconds=_seconds(outcomes, choices),
            tuning=tuning_of(choices),
            n_cached=self.run.n_cached,
            chosen=tuple(outcome.chosen for outcome in outcomes if outcome.chosen is not None),
        )

    def _predicting(self, number: int) -> Flow[FoldResult]:
        """Predict fold `number`, with settings that are chosen in its training part."""
        fold, settings, tuner, choice = self.run.task.folds[number - 1], self.given, self.tuner, None
        self.on_fold(number, 0)
        try:
            if tuner.has_choice:
                choice = yield from tuner.choosing(fold.train, partial(self.on_fold, number))
                settings = {**settings, **choice.settings}
            outcome = yield from self.run.predicting(settings, fold)
        except WriteError:  # the cache cannot be written: not a fault of the head
            raise
        except HEAD_FAILURES as error:
            raise self._failed(number, Failure.of(error)) from error
        if isinstance(outcome, Failure):
            raise self._failed(number, outcome)
        self.on_end(number)
        return FoldResult(outcome, choice)

    def _failed(self, number: int, failure: Failure) -> HeadError:
        return HeadError(f"{self.run.head} failed in fold {number} of {len(self.run.task.folds)}: {failure.reason}")


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
