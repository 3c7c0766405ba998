"""The search for settings in one training part: candidates are fitted on inner folds, round by round."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from cellfeat.errors import HeadError
from cellfeat.evaluation.fold_predictions.head_run import HeadSettings
from cellfeat.evaluation.folds.fold import Fold, FoldOutcome
from cellfeat.evaluation.folds.grouped_folds import grouped_folds, thinned_rows
from cellfeat.evaluation.parallel.pieces import Failure, Flow, Piece
from cellfeat.evaluation.scores.head_scores import ChosenSettings
from cellfeat.evaluation.tuning.halving import SearchPlan
from cellfeat.evaluation.tuning.together import CANDIDATES, SCREENING, Batch, JointRun, batches, fitted_together
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.types import Floats, Integers, Strings

ONE_STANDARD_ERROR = 0.683
"""Level of the interval of the paired difference that has to lie above 0 for other settings to replace the given ones.

Means of 3 or 4 parts of 500 samples, nested. Real embeddings, where the defaults leave little to win: `knn` 0.451 as
given, 0.435 where the best candidate is always taken, 0.444 with one standard error, 0.447 with two; `logreg` 0.521,
0.509, 0.514, 0.519. Generated ones: `knn` 0.226, 0.238, 0.235, 0.232; `logreg`, whose default is far off there, 0.476,
0.527, 0.527, 0.504. One standard error is the best of the four ways on the mean.
"""

DRAWS = 500
"""Bootstrap draws behind that interval."""


class Search:
    """The search in one training part.

    Parameters
    ----------
    joint
        The head on its task.
    given
        Settings from the user.
    candidates
        What each differs in from the given settings; the first in nothing.
    rows
        Row numbers of the training part, shape ``(n_train,)``.
    plan
        The rounds.
    on_fit
        Receives the seconds of each fit and its part of the training samples.
    """

    def __init__(
        self,
        joint: JointRun,
        given: HeadSettings,
        candidates: Sequence[Mapping[str, Any]],
        rows: Integers,
        plan: SearchPlan,
        on_fit: Callable[[float, float], None],
    ) -> None:
        self._joint, run, task = joint, joint.run, joint.run.task
        self._together = fitted_together(run, given)
        self._run, self._given, self._candidates, self._rows, self._plan = run, given, candidates, rows, plan
        self._y, self._groups, self._on_fit = task.y[rows], task.groups[rows], on_fit
        self._folds = grouped_folds(self._y, self._groups, plan.n_folds, random_state=task.design.random_state)
        self._predicted: dict[int, Strings] = {}
        self._failures: dict[int, str] = {}

    def choice(self) -> Flow[ChosenSettings]:
        """Choose settings; the candidates of a round can be fitted side by side."""
        # Candidate 0 is the given settings. They are scored on all samples before any other candidate can replace them:
        # first, so that the time of all fits can be told early, or together with the last candidates.
        left, could_fit_given = list(range(1, len(self._candidates))), False
        round_of_given = len(self._plan.rungs) - 1 if self._together else 0
        for number, rung in enumerate(self._plan.rungs):
            trials = [(one, rung.fraction) for one in left[: rung.n_candidates]]
            fitted = yield from self._try([(0, 1.0), *trials] if number == round_of_given else trials)
            could_fit_given |= 0 in fitted
            left = self._ranked(fitted - {0})
        if not could_fit_given and not left:
            raise HeadError(f"none of {len(self._candidates)} settings could be fitted: {self._failures[0]}")
        # Settings that cannot be fitted need not be beaten.
        chosen = self._replacement(left) if could_fit_given else left[0]
        return ChosenSettings(
            settings=dict(self._candidates[chosen]),
            score=self._score(chosen),
            given_score=self._score(0) if could_fit_given else None,
            n_candidates=len(self._candidates),
            failures=list(self._failures.values()),
        )

    def _replacement(self, ranked: Sequence[int]) -> int:
        """Number of the settings that are clearly better than the given ones; 0 where none are."""
        if not ranked:
            return 0
        task = self._run.task
        bootstrap = GroupBootstrap(
            self._y, self._groups, task.classes, n_draws=DRAWS, random_state=task.design.random_state
        )
        gap = bootstrap.difference(self._predicted[ranked[0]], self._predicted[0], level=ONE_STANDARD_ERROR)
        return ranked[0] if gap.low > 0 else 0

    def _ranked(self, numbers: Iterable[int]) -> list[int]:
        """Sort candidates that could be fitted, best first."""
        return sorted(numbers, key=lambda number: (-self._score(number), number))

    def _score(self, number: int) -> float:
        return balanced_accuracy(self._y, self._predicted[number], self._run.task.classes)

    def _try(self, trials: Sequence[tuple[int, float]]) -> Flow[set[int]]:
        """Fit candidates on parts of the training samples of each inner fold; give those that could be fitted."""
        fitted, failed = yield from self._try_batches(batches(trials, self._settings, self._together))
        if failed:
            # One candidate can spoil a batch: alone, each shows what it can.
            alone, _ = yield from self._try_batches([Batch(one.fraction, (n,)) for one in failed for n in one.numbers])
            fitted |= alone
        return fitted

    def _try_batches(self, tried: Sequence[Batch]) -> Flow[tuple[set[int], list[Batch]]]:
        """Fit batches; give the candidates that could be fitted, and the batches of several that could not."""
        parts = {batch.fraction: self._inner_folds(batch.fraction) for batch in tried}
        pieces = [self._piece(batch, fold) for batch in tried for fold in parts[batch.fraction]]
        outcomes = iter((yield pieces))
        fitted, failed = set[int](), list[Batch]()
        for batch in tried:
            of_folds = list(islice(outcomes, len(self._folds)))
            failure = next((one for one in of_folds if isinstance(one, Failure)), None)
            if failure is None:
                self._keep(batch, [one.probabilities for one in of_folds if not isinstance(one, Failure)])
                fitted.update(batch.numbers)
            elif len(batch.numbers) > 1:
                failed.append(batch)
            else:
                (number,) = batch.numbers
                settings = describe_settings(self._candidates[number])
                self._failures[number] = f"{settings}: {failure.kind}: {failure.text}"
        return fitted, failed

    def _piece(self, batch: Batch, fold: Fold) -> Piece:
        first, report = batch.numbers[0], partial(self._report, batch)
        if len(batch.numbers) == 1:
            return Piece(self._run, self._settings(first), fold, first, report)
        several = [self._settings(number) for number in batch.numbers]
        return Piece(self._joint, {CANDIDATES: several, SCREENING: batch.fraction < 1}, fold, first, report)

    def _settings(self, number: int) -> dict[str, Any]:
        return {**self._given, **self._candidates[number]}

    def _report(self, batch: Batch, outcome: FoldOutcome) -> None:
        for _ in batch.numbers:
            self._on_fit((outcome.fit_seconds + outcome.predict_seconds) / len(batch.numbers), batch.fraction)

    def _keep(self, batch: Batch, probabilities: Sequence[Floats]) -> None:
        """Keep what the candidates of a batch predict for the inner folds."""
        classes = np.array(self._run.task.classes)
        for place, number in enumerate(batch.numbers):
            predicted = np.empty_like(self._y, dtype=classes.dtype)
            for fold, of_fold in zip(self._folds, probabilities, strict=True):
                of_one = of_fold.reshape(len(batch.numbers), len(fold.test), -1)[place]
                predicted[fold.test] = classes[of_one.argmax(axis=1)]
            self._predicted[number] = predicted

    def _inner_folds(self, fraction: float) -> list[Fold]:
        """The inner folds in rows of the task, with a part of their training samples."""
        return [
            Fold(self._rows[self._thinned(fold.train, fraction, number)], self._rows[fold.test])
            for number, fold in enumerate(self._folds)
        ]

    def _thinned(self, train: Integers, fraction: float, fold_number: int) -> Integers:
        if fraction == 1:
            return train
        # The same generator for all candidates, so that all are fitted on the same rows.
        rng = np.random.default_rng([self._run.task.design.random_state, fold_number])
        return thinned_rows(train, self._y, self._groups, fraction, rng)


def describe_settings(settings: Mapping[str, Any]) -> str:
    """Write settings as a user would give them.

    Examples
    --------
    >>> describe_settings({"C": 0.01, "hidden": [512, 256]}), describe_settings({})
    ('C=0.01, hidden=[512, 256]', 'settings as given')
    """
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "settings as given"
