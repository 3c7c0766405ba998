"""Would more images help? Heads fitted on growing parts of the training samples, each scored on the same test parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cellfeat.errors import ConfigError, HeadError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.cross_validation import evaluate
from cellfeat.evaluation.folds import Fold, thinned_rows
from cellfeat.evaluation.head_run import HeadSettings
from cellfeat.evaluation.results import HeadFailure, HeadResult
from cellfeat.evaluation.task import Provenance, Task
from cellfeat.statistics.intervals import LEVEL, Difference

SCORE_AND_INTERVAL = ("balanced_accuracy", "ci_low", "ci_high")


@dataclass(frozen=True)
class LearningCurve:
    """One head's scores by the part of the training samples that it was fitted on.

    Attributes
    ----------
    head
        Its name.
    fractions
        Ascending.
    n_train
        Training samples at each fraction, the mean over the folds.
    results
        What it scored at each.
    gain
        By how much the last fraction exceeds the one before it, paired over samples.
    """

    head: str
    fractions: tuple[float, ...]
    n_train: tuple[int, ...]
    results: tuple[HeadResult, ...]
    gain: Difference

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        points = zip(self.fractions, self.n_train, self.results, strict=True)
        return {
            "head": self.head,
            "points": [
                {"fraction": fraction, "n_train": n_train} | {name: result.metrics[name] for name in SCORE_AND_INTERVAL}
                for fraction, n_train, result in points
            ],
            "gain": asdict(self.gain),
            "verdict": self.verdict(),
        }

    def verdict(self) -> str:
        """Say in words whether more images are likely to help."""
        before, after = self.n_train[-2:]
        gain = self.gain
        step = f"{gain.estimate:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] from {before} to {after} samples"
        if gain.low > 0:
            return f"{self.head}: {step}: still rising, more images are likely to help"
        return f"{self.head}: {step}: no evidence that more images would help"


@dataclass(frozen=True)
class LearningCurves:
    """What could be drawn for several heads.

    Attributes
    ----------
    provenance
        What they are of.
    curves
        Of the heads that could be evaluated at every fraction.
    failures
        The others.
    is_complete
        Whether every head was given its turn; False after Ctrl-C.
    """

    provenance: Provenance
    curves: tuple[LearningCurve, ...]
    failures: tuple[HeadFailure, ...] = ()
    is_complete: bool = True

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "provenance": asdict(self.provenance),
            "curves": [curve.record() for curve in self.curves],
            "failures": [asdict(failure) for failure in self.failures],
        }


def learning_curves(
    task: Task,
    heads: Sequence[str],
    settings: Mapping[str, HeadSettings],
    fractions: Sequence[float],
    *,
    cache: FoldCache | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> LearningCurves:
    """Make the learning curve of one head after the other; one that fails is reported and does not stop the others.

    Parameters
    ----------
    settings
        Parameters by head.
    fractions
        As for `learning_curve`.
    say
        Told which head's turn it is, and which failed.

    Returns
    -------
    curves
        After Ctrl-C, those that were finished by then, if any was.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    HeadError
        If no head has a curve.
    """
    curves: list[LearningCurve] = []
    failures: list[HeadFailure] = []
    try:
        for head in heads:
            say(f"learning curve of {head}")
            outcome = _curve_or_failure(task, head, settings.get(head, {}), fractions, cache)
            if isinstance(outcome, HeadFailure):
                say(outcome.reason)
                failures.append(outcome)
            else:
                curves.append(outcome)
    except KeyboardInterrupt:
        if not curves:
            raise
        unfinished = heads[len(curves) + len(failures) :]
        failures += [HeadFailure(head, f"{head} was interrupted before its curve was finished") for head in unfinished]
        return LearningCurves(task.provenance, tuple(curves), tuple(failures), is_complete=False)
    if not curves:
        raise HeadError("no learning curve could be drawn: " + "; ".join(failure.reason for failure in failures))
    return LearningCurves(task.provenance, tuple(curves), tuple(failures))


def _curve_or_failure(
    task: Task, head: str, settings: HeadSettings, fractions: Sequence[float], cache: FoldCache | None
) -> LearningCurve | HeadFailure:
    try:
        return learning_curve(task, head, settings, fractions, cache=cache)
    except HeadError as error:
        return HeadFailure(head, str(error))


def learning_curve(
    task: Task,
    head: str,
    settings: HeadSettings,
    fractions: Sequence[float],
    *,
    cache: FoldCache | None = None,
) -> LearningCurve:
    """Evaluate a head on parts of each fold's training samples; the test parts stay whole.

    Whole groups are taken, class by class, and a larger part holds every smaller one.

    Parameters
    ----------
    fractions
        Two or more, above 0 and at most 1.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    HeadError
        If the head fails in a fold; the message says at which fraction.
    """
    ascending = check_fractions(fractions)
    parts = [replace(task, folds=tuple(_thinned(task, fraction))) for fraction in ascending]
    results: list[HeadResult] = []
    for fraction, part in zip(ascending, parts, strict=True):
        try:
            results.append(evaluate(part, head, settings, cache=cache))
        except HeadError as error:
            raise HeadError(f"at {fraction:g} of the training samples, {error}") from error
    predicted = [result.predictions["predicted"] for result in results]
    return LearningCurve(
        head=head,
        fractions=ascending,
        n_train=tuple(round(np.mean([len(fold.train) for fold in part.folds])) for part in parts),
        results=tuple(results),
        gain=task.bootstrap.difference(predicted[-1], predicted[-2], level=LEVEL),
    )


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """Sort fractions, and refuse those that are none.

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


def curve_table(curves: Sequence[LearningCurve]) -> pd.DataFrame:
    """One row a head and fraction: ``head, fraction, n_train, balanced_accuracy, ci_low, ci_high``."""
    return pd.DataFrame([{"head": curve.head} | point for curve in curves for point in curve.record()["points"]])


def _thinned(task: Task, fraction: float) -> Iterator[Fold]:
    for number, fold in enumerate(task.folds):
        rng = np.random.default_rng([task.design.random_state, number])
        yield Fold(thinned_rows(fold.train, task.y, task.groups, fraction, rng), fold.test)
