"""Tuning: the settings of a head, chosen inside the training part of each fold, so that the fold's score stays honest.

Candidates are the given settings and others drawn from the head's search space, the same ones in each fold. They are
scored by balanced accuracy over inner folds, which keep groups together and classes in proportion as the outer folds
do [1]_. The test part of the outer fold takes no part in the search.

scikit-learn's `HalvingRandomSearchCV` does not fit: it thins by rows, which splits groups and may lose a rare class;
it may drop the given settings before they were seen on all samples, takes the highest mean however small the lead, is
marked experimental, and reports nothing before it ends.

References
----------
.. [1] S. Varma and R. Simon, "Bias in error estimation when using cross-validation for model selection", BMC
   Bioinformatics 7 (2006) 91.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.cache import array_digest
from cellfeat.evaluation.folds import Fold, fewest_groups, grouped_folds, thinned_rows
from cellfeat.evaluation.head_run import HEAD_FAILURES, HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.hooks import Say, ignore_line
from cellfeat.evaluation.scoring.head_scores import ChosenSettings, Tuning
from cellfeat.evaluation.tuning import halving
from cellfeat.evaluation.tuning.halving import SearchPlan, candidates, rungs
from cellfeat.heads.registry import search_space
from cellfeat.heads.state import plain_params
from cellfeat.provenance import digest_file
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.types import Integers, Strings

INNER_FOLDS = 3
"""Inner folds; fewer where a class has fewer groups."""

ONE_STANDARD_ERROR = 0.683
"""Level of the interval of the paired difference that has to lie above 0 for other settings to replace the given ones.

Means of 3 or 4 parts of 500 samples, nested. Real embeddings, where the defaults leave little to win: `knn` 0.451 as
given, 0.435 where the best candidate is always taken, 0.444 with one standard error, 0.447 with two; `logreg` 0.521,
0.509, 0.514, 0.519. Generated ones: `knn` 0.226, 0.238, 0.235, 0.232; `logreg`, whose default is far off there, 0.476,
0.527, 0.527, 0.504. One standard error is the best of the four ways on the mean.
"""

DRAWS = 500
"""Bootstrap draws behind that interval."""


class Tuner:
    """Chooses the settings of one head, in one training part after another.

    Parameters
    ----------
    run
        The head on its task, whose design gives the number of candidates.
    given
        Settings from the user: these stay, and only the others are searched.
    say
        Receives, after the first fit, how long all fits will take.
    on_all
        Whether settings for all samples are chosen too, after those of the folds. The cost includes them.

    Attributes
    ----------
    given
        As above.
    candidates
        The settings to choose from: see `cellfeat.evaluation.tuning.halving.candidates`.
    """

    def __init__(
        self,
        run: HeadRun,
        given: HeadSettings,
        say: Say = ignore_line,
        *,
        on_all: bool = False,
    ) -> None:
        design = run.task.design
        # A setting that the user gives is not searched.
        space = {name: values for name, values in search_space(run.entry).items() if name not in given}
        resolved = resolved_settings(run.task, run.entry, given)
        drawn = candidates(space, resolved, design.tune, design.random_state)
        self.candidates = [plain_params(settings) for settings in drawn]
        self._run, self.given, self._say = run, given, say
        self._parts = [fold.train for fold in run.task.folds] + ([run.task.rows_to_fit] if on_all else [])
        self._was_estimated = False

    @property
    def has_choice(self) -> bool:
        """Whether there are any settings besides the given ones."""
        return len(self.candidates) > 1

    def cost(self) -> str:
        """Say how many fits the search makes.

        Raises
        ------
        SplitError
            As `choose`.
        """
        if not self.has_choice:
            return f"{self._run.head}: no settings to choose from"
        n_fits = sum(self._plan(rows).n_fits for rows in self._parts)
        where = f"each of {self._where(' and on all samples')}"
        return f"{self._run.head}: {len(self.candidates)} settings in {where}, {n_fits} fits on parts of them"

    def _where(self, all_samples: str) -> str:
        n_folds = len(self._run.task.folds)
        return f"{n_folds} folds{all_samples if len(self._parts) > n_folds else ''}"

    def choose(self, rows: Integers, on_share: Callable[[float], None] = lambda _share: None) -> ChosenSettings:
        """Choose the settings for a training part, or take the choice from the cache.

        The best candidate replaces the given settings only where it is better, on all training samples, by more than
        one standard error of their paired difference: the best of many looks better than it is.

        Parameters
        ----------
        rows
            Row numbers of the training part, shape ``(n_train,)``.
        on_share
            Receives the share of the work that is done, in (0, 1].

        Raises
        ------
        HeadError
            If no candidate can be fitted.
        SplitError
            If a class has too few groups for two inner folds.
        """
        cache, keys = self._run.cache, self._run.keys(self.given)
        if cache is None or not keys.can_be_cached:
            return self._search(rows, on_share)
        key = keys.key_of(self._question(rows))
        found = cache.load_record(key)
        if found is not None:
            return ChosenSettings(**found)
        choice = self._search(rows, on_share)
        cache.save_record(key, asdict(choice))
        return choice

    def _search(self, rows: Integers, on_share: Callable[[float], None]) -> ChosenSettings:
        start, plan = perf_counter(), self._plan(rows)
        search = _Search(self._run, self.given, self.candidates, rows, plan, self._observer(plan, on_share))
        return replace(search.choice(), seconds=perf_counter() - start)

    def _plan(self, rows: Integers) -> SearchPlan:
        task = self._run.task
        n_folds = min(INNER_FOLDS, fewest_groups(task.y[rows], task.groups[rows]))
        if n_folds < 2:
            raise SplitError(
                "tune: inner folds need every class in 2 or more groups of each training part, got a class in 1; "
                "ask for more folds, leave the class out, or do not tune"
            )
        n_train = len(rows) * (n_folds - 1) // n_folds
        return SearchPlan(n_folds, n_train, tuple(rungs(len(self.candidates) - 1, n_train)))

    def _question(self, rows: Integers) -> dict[str, Any]:
        """Everything that decides a choice beyond what decides a prediction."""
        task = self._run.task
        return {
            # An edited search must not find the choices that it made before.
            "tuning": [digest_file(Path(module)) for module in (__file__, halving.__file__)],
            "candidates": self.candidates,
            "train": array_digest(rows),
            "groups": array_digest(task.groups[rows]),
            "seed": task.design.random_state,
        }

    def _observer(self, plan: SearchPlan, on_share: Callable[[float], None]) -> Callable[[float, float], None]:
        done = 0.0

        def observe(seconds: float, fraction: float) -> None:
            nonlocal done
            done += fraction
            self._estimate_once(seconds)
            on_share(done / plan.work)

        return observe

    def _estimate_once(self, seconds: float) -> None:
        """Estimate from the first fit, on all training samples of an inner fold, how long all fits will take."""
        if self._was_estimated:
            return
        self._was_estimated = True
        plans = [self._plan(rows) for rows in self._parts]
        # The search in each part, and the fit on the part with the chosen settings.
        n_rows = sum(plan.work * plan.n_train + len(rows) for plan, rows in zip(plans, self._parts, strict=True))
        duration = _duration(n_rows / plans[0].n_train * seconds)
        where = self._where(" and all samples")
        self._say(f"{self._run.head}: {len(self.candidates)} settings, {where}, about {duration}")


class _Search:
    """The search in one training part.

    Parameters
    ----------
    on_fit
        Receives the seconds of each fit and its part of the training samples.
    """

    def __init__(
        self,
        run: HeadRun,
        given: HeadSettings,
        candidates: Sequence[Mapping[str, Any]],
        rows: Integers,
        plan: SearchPlan,
        on_fit: Callable[[float, float], None],
    ) -> None:
        task = run.task
        self._run, self._given, self._candidates, self._rows, self._plan = run, given, candidates, rows, plan
        self._y, self._groups, self._on_fit = task.y[rows], task.groups[rows], on_fit
        self._folds = grouped_folds(self._y, self._groups, plan.n_folds, random_state=task.design.random_state)
        self._predicted: dict[int, Strings] = {}
        self._failures: dict[int, str] = {}

    def choice(self) -> ChosenSettings:
        # Candidate 0 is the given settings. They are scored on all samples before any other candidate can replace them.
        given = next(iter(self._ranked([0], 1.0)), None)
        left = list(range(1, len(self._candidates)))
        for rung in self._plan.rungs:
            left = self._ranked(left[: rung.n_candidates], rung.fraction)
        if given is None and not left:
            raise HeadError(f"none of {len(self._candidates)} settings could be fitted: {self._failures[0]}")
        # Settings that cannot be fitted need not be beaten.
        chosen = self._replacement(left) if given is not None else left[0]
        return ChosenSettings(
            settings=dict(self._candidates[chosen]),
            score=self._score(chosen),
            given_score=None if given is None else self._score(given),
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

    def _ranked(self, numbers: Sequence[int], fraction: float) -> list[int]:
        """Fit candidates on a part of the training samples; those that could be fitted, best first."""
        fitted = [number for number in numbers if self._could_predict(number, fraction)]
        return sorted(fitted, key=lambda number: (-self._score(number), number))

    def _score(self, number: int) -> float:
        return balanced_accuracy(self._y, self._predicted[number], self._run.task.classes)

    def _could_predict(self, number: int, fraction: float) -> bool:
        """Predict each inner fold; record the reason where that fails."""
        classes = np.array(self._run.task.classes)
        predicted = np.empty_like(self._y, dtype=classes.dtype)
        try:
            for fold_number, fold in enumerate(self._folds):
                train = self._thinned(fold.train, fraction, fold_number)
                outcome = self._run.compute(
                    {**self._given, **self._candidates[number]}, Fold(self._rows[train], self._rows[fold.test])
                )
                predicted[fold.test] = classes[outcome.probabilities.argmax(axis=1)]
                self._on_fit(outcome.fit_seconds + outcome.predict_seconds, fraction)
        except HEAD_FAILURES as error:
            settings = describe_settings(self._candidates[number])
            self._failures[number] = f"{settings}: {type(error).__name__}: {error}"
            return False
        self._predicted[number] = predicted
        return True

    def _thinned(self, train: Integers, fraction: float, fold_number: int) -> Integers:
        if fraction == 1:
            return train
        # The same generator for all candidates, so that all are fitted on the same rows.
        rng = np.random.default_rng([self._run.task.design.random_state, fold_number])
        return thinned_rows(train, self._y, self._groups, fraction, rng)


def tuning_of(choices: Sequence[ChosenSettings]) -> Tuning | None:
    """Collect what was chosen in each fold; None where nothing was tuned."""
    return Tuning(INNER_FOLDS, choices[0].n_candidates, tuple(choices)) if choices else None


def describe_settings(settings: Mapping[str, Any]) -> str:
    """Write settings as a user would give them.

    Examples
    --------
    >>> describe_settings({"C": 0.01, "hidden": [512, 256]}), describe_settings({})
    ('C=0.01, hidden=[512, 256]', 'settings as given')
    """
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "settings as given"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
