"""Settings of a head, looked for inside the training part of a fold, so that the fold's own score stays honest.

Candidates are the settings as given and others drawn from the head's search space, the same ones in each fold. They are
scored by balanced accuracy over inner folds, which keep groups together and classes in proportion as the outer ones do.
Successive halving makes it affordable [1]_: all candidates are fitted on a part of the training samples, the best third
of them on three times as many, the last few on all. The test part of the outer fold takes no part in any of it.

scikit-learn's `HalvingRandomSearchCV` does not fit: it thins by rows, which tears groups and may lose a rare class;
it may drop the settings as given before they were seen on all samples, takes the highest mean however small the lead,
is marked experimental, and says nothing before it ends.

References
----------
.. [1] K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
   2016. Nested folds: S. Varma and R. Simon, "Bias in error estimation when using cross-validation for model
   selection", BMC Bioinformatics 7 (2006) 91.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.cache import array_digest
from cellfeat.evaluation.folds import Fold, fewest_groups, grouped_folds, thinned_rows
from cellfeat.evaluation.head_run import HEAD_FAILURES, HeadRun, HeadSettings, resolved_settings
from cellfeat.heads.registry import search_space
from cellfeat.heads.state import plain_params
from cellfeat.provenance import digest_file
from cellfeat.statistics.bootstrap import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.types import Integers, Strings

INNER_FOLDS = 3
"""Inner folds; fewer where a class has fewer groups."""

STEP = 3
"""From rung to rung this many times the samples, for this part of the candidates."""

FINALISTS = 3
"""About so many candidates are fitted on all training samples, and the settings as given beside them."""

FEWEST_SAMPLES = 1000
"""No rung has fewer training samples, unless there are no more: too little is seen there of what is best on all."""

ONE_STANDARD_ERROR = 0.683
"""Level of the interval of the paired difference that has to lie above 0 for settings to replace those given.

Means of 3 or 4 parts of 500 samples, nested. Real embeddings, where the defaults leave little to win: `knn` 0.451 as
given, 0.435 where the best candidate is always taken, 0.444 with one standard error, 0.447 with two; `logreg` 0.521,
0.509, 0.514, 0.519. Generated ones: `knn` 0.226, 0.238, 0.235, 0.232; `logreg`, whose default is far off there, 0.476,
0.527, 0.527, 0.504. One standard error is the best of the four ways on the mean.
"""

DRAWS = 500


@dataclass(frozen=True)
class Rung:
    """A round of the search: so many candidates, each on a part of the training samples.

    Attributes
    ----------
    fraction
        Part of the training samples of each inner fold, in (0, 1].
    n_candidates
        The settings as given not counted.
    """

    fraction: float
    n_candidates: int


@dataclass(frozen=True)
class Choice:
    """What was found in one training part.

    Attributes
    ----------
    settings
        What differs from the settings as given; empty where these were kept.
    score, given_score
        Balanced accuracy over the inner folds, on all training samples, of the settings chosen and of those given. The
        score of the chosen is the highest of several and so flatters; no result is made of it.
    n_candidates
        How many were looked at, those given among them.
    failures
        One line for each candidate that could not be fitted.
    seconds
        What the search took.
    """

    settings: dict[str, Any]
    score: float
    given_score: float | None
    n_candidates: int
    failures: Sequence[str] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What is fitted in one training part.

    Attributes
    ----------
    n_folds
        Inner folds.
    n_train
        Training samples of an inner fold.
    rungs
        In the order in which they are climbed.
    """

    n_folds: int
    n_train: int
    rungs: tuple[Rung, ...]

    @property
    def n_fits(self) -> int:
        """Fits, those of the settings as given among them."""
        return self.n_folds * (1 + sum(rung.n_candidates for rung in self.rungs))

    @property
    def work(self) -> float:
        """The same, in fits on all training samples of an inner fold."""
        return self.n_folds * (1 + sum(rung.n_candidates * rung.fraction for rung in self.rungs))


def candidates(
    space: Mapping[str, Sequence[Any]], given: HeadSettings, n_candidates: int, random_state: int
) -> list[dict[str, Any]]:
    """Draw settings, without repetition, each as what differs from those given.

    Parameters
    ----------
    space
        Values worth trying by setting.
    given
        Every setting of the head as it stands without tuning.
    n_candidates
        How many, the settings as given among them; fewer where the space has no more.

    Returns
    -------
    list of dict
        The first is empty: the settings as given.

    Examples
    --------
    >>> candidates({"C": [0.01, 0.1]}, {"C": 0.01, "max_iter": 100}, 5, 0)
    [{}, {'C': 0.1}]
    """
    shape = [len(values) for values in space.values()]
    size = math.prod(shape)
    n_drawn = min(n_candidates, size)
    drawn = np.random.default_rng(random_state).choice(size, n_drawn, replace=False) if n_drawn < size else range(size)
    found: list[dict[str, Any]] = [{}]
    for number in drawn:
        places = np.unravel_index(number, shape)
        settings = {name: values[place] for (name, values), place in zip(space.items(), places, strict=True)}
        changed = {name: value for name, value in settings.items() if value != given[name]}
        if changed and len(found) < n_candidates:
            found.append(changed)
    return found


def rungs(n_candidates: int, n_train: int) -> list[Rung]:
    """Plan the rounds: about equal budgets, until some `FINALISTS` candidates are left for all training samples.

    Parameters
    ----------
    n_candidates
        The settings as given not counted.
    n_train
        Training samples of an inner fold.

    Examples
    --------
    >>> [(round(rung.fraction, 2), rung.n_candidates) for rung in rungs(26, 20_000)]
    [(0.11, 26), (0.33, 9), (1.0, 3)]
    """
    n_steps = max(0, round(math.log(max(n_candidates, 1) / FINALISTS, STEP)))
    wanted = [float(STEP) ** -step for step in range(n_steps, 0, -1)]
    fractions = [fraction for fraction in wanted if fraction * n_train >= FEWEST_SAMPLES] + [1.0]
    plan, n_left = [], n_candidates
    for fraction, following in pairwise(fractions):
        plan.append(Rung(fraction, n_left))
        n_left = min(n_left, max(FINALISTS, math.ceil(n_left * fraction / following - 1e-9)))
    return [*plan, Rung(1.0, n_left)]


class Tuner:
    """Looks for the settings of one head, in one training part after the other.

    Parameters
    ----------
    run
        The head on its task, whose design says how many candidates there are.
    given
        Settings that the user gave: they stay as they are, and only the others are searched.
    say
        Told after the first fit how long all will take.
    on_all
        Whether settings for all samples are looked for too, after those of the folds: it is told of, and reckoned with.

    Attributes
    ----------
    given
        As above.
    candidates
        See `candidates`.
    """

    def __init__(
        self,
        run: HeadRun,
        given: HeadSettings,
        say: Callable[[str], None] = lambda _line: None,
        *,
        on_all: bool = False,
    ) -> None:
        design = run.task.design
        space = {name: values for name, values in search_space(run.head).items() if name not in given}
        resolved = resolved_settings(run.task, run.head, given)
        drawn = candidates(space, resolved, design.tune, design.random_state)
        self.candidates = [plain_params(settings) for settings in drawn]
        self._run, self.given, self._say = run, given, say
        self._parts = [fold.train for fold in run.task.folds] + ([np.arange(len(run.task.y))] if on_all else [])
        self._was_estimated = False

    @property
    def has_choice(self) -> bool:
        """Whether there is anything but the settings as given."""
        return len(self.candidates) > 1

    def cost(self) -> str:
        """Say how much is to be fitted.

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

    def choose(self, rows: Integers, on_share: Callable[[float], None] = lambda _share: None) -> Choice:
        """Find the settings for a training part, or take them from the cache.

        The best candidate takes the place of the settings as given only where it is better, on all training samples, by
        more than one standard error of their paired difference: the best of many looks better than it is.

        Parameters
        ----------
        rows
            Row numbers of the training part.
        on_share
            Told the share of the work that is done, in (0, 1].

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
            return Choice(**found)
        choice = self._search(rows, on_share)
        cache.save_record(key, asdict(choice))
        return choice

    def _search(self, rows: Integers, on_share: Callable[[float], None]) -> Choice:
        start, plan = perf_counter(), self._plan(rows)
        search = _Search(self._run, self.given, self.candidates, rows, plan, self._observer(plan, on_share))
        return replace(search.choice(), seconds=perf_counter() - start)

    def _plan(self, rows: Integers) -> Plan:
        task = self._run.task
        n_folds = min(INNER_FOLDS, fewest_groups(task.y[rows], task.groups[rows]))
        if n_folds < 2:
            raise SplitError(
                "tune: inner folds need every class in 2 or more groups of each training part, got a class in 1; "
                "ask for more folds, leave the class out, or do not tune"
            )
        n_train = len(rows) * (n_folds - 1) // n_folds
        return Plan(n_folds, n_train, tuple(rungs(len(self.candidates) - 1, n_train)))

    def _question(self, rows: Integers) -> dict[str, Any]:
        """All that decides a choice, beside what decides an outcome."""
        task = self._run.task
        return {
            "tuning": digest_file(Path(__file__)),
            "candidates": self.candidates,
            "train": array_digest(rows),
            "groups": array_digest(task.groups[rows]),
            "seed": task.design.random_state,
        }

    def _observer(self, plan: Plan, on_share: Callable[[float], None]) -> Callable[[float, float], None]:
        done = 0.0

        def observe(seconds: float, fraction: float) -> None:
            nonlocal done
            done += fraction
            self._estimate_once(seconds)
            on_share(done / plan.work)

        return observe

    def _estimate_once(self, seconds: float) -> None:
        """Tell from the first fit, on all training samples of an inner fold, how long all of them will take."""
        if self._was_estimated:
            return
        self._was_estimated = True
        plans = [self._plan(rows) for rows in self._parts]
        # The search in each part, and the fit on the part with what was found.
        n_rows = sum(plan.work * plan.n_train + len(rows) for plan, rows in zip(plans, self._parts, strict=True))
        duration = _duration(n_rows / plans[0].n_train * seconds)
        where = self._where(" and all samples")
        self._say(f"{self._run.head}: {len(self.candidates)} settings, {where}, about {duration}")


class _Search:
    """The search in one training part.

    Parameters
    ----------
    on_fit
        Told the seconds of each fit, and the part of the training samples that it had.
    """

    def __init__(
        self,
        run: HeadRun,
        given: HeadSettings,
        candidates: Sequence[Mapping[str, Any]],
        rows: Integers,
        plan: Plan,
        on_fit: Callable[[float, float], None],
    ) -> None:
        task = run.task
        self._run, self._given, self._candidates, self._rows, self._plan = run, given, candidates, rows, plan
        self._y, self._groups, self._on_fit = task.y[rows], task.groups[rows], on_fit
        self._folds = grouped_folds(self._y, self._groups, plan.n_folds, random_state=task.design.random_state)
        self._predicted: dict[int, Strings] = {}
        self._failures: dict[int, str] = {}

    def choice(self) -> Choice:
        given = next(iter(self._ranked([0], 1.0)), None)
        left = list(range(1, len(self._candidates)))
        for rung in self._plan.rungs:
            left = self._ranked(left[: rung.n_candidates], rung.fraction)
        if given is None and not left:
            raise HeadError(f"none of {len(self._candidates)} settings could be fitted: {self._failures[0]}")
        chosen = self._replacement(left) if given is not None else left[0]
        return Choice(
            settings=dict(self._candidates[chosen]),
            score=self._score(chosen),
            given_score=None if given is None else self._score(given),
            n_candidates=len(self._candidates),
            failures=list(self._failures.values()),
        )

    def _replacement(self, ranked: Sequence[int]) -> int:
        """Number of the settings that are clearly better than those given, or theirs, which is 0."""
        if not ranked:
            return 0
        task = self._run.task
        bootstrap = GroupBootstrap(
            self._y, self._groups, task.classes, n_draws=DRAWS, random_state=task.design.random_state
        )
        gap = bootstrap.difference(self._predicted[ranked[0]], self._predicted[0], level=ONE_STANDARD_ERROR)
        return ranked[0] if gap.low > 0 else 0

    def _ranked(self, numbers: Sequence[int], fraction: float) -> list[int]:
        """Fit candidates on a part of the training samples: those that could be, best first."""
        fitted = [number for number in numbers if self._could_predict(number, fraction)]
        return sorted(fitted, key=lambda number: (-self._score(number), number))

    def _score(self, number: int) -> float:
        return balanced_accuracy(self._y, self._predicted[number], self._run.task.classes)

    def _could_predict(self, number: int, fraction: float) -> bool:
        """Predict each inner fold, and note why where that fails."""
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
        rng = np.random.default_rng([self._run.task.design.random_state, fold_number])
        return thinned_rows(train, self._y, self._groups, fraction, rng)


def tuning_record(choices: Sequence[Choice]) -> dict[str, Any]:
    """What was chosen in each fold, as plain JSON values."""
    return {
        "inner_folds": INNER_FOLDS,
        "n_candidates": choices[0].n_candidates,
        "per_fold": [
            {name: value for name, value in asdict(choice).items() if name not in ("seconds", "n_candidates")}
            for choice in choices
        ],
    }


def describe_settings(settings: Mapping[str, Any]) -> str:
    """Write settings as a user would give them.

    Examples
    --------
    >>> describe_settings({"C": 0.01, "hidden": [512, 256]}), describe_settings({})
    ('C=0.01, hidden=[512, 256]', 'settings as given')
    """
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "settings as given"


def describe_choices(chosen: Sequence[Mapping[str, Any]]) -> str:
    """Say which settings were chosen in how many folds, the most frequent first.

    Examples
    --------
    >>> describe_choices([{"C": 0.01}, {}, {"C": 0.01}])
    'C=0.01 in 2 of 3 folds, settings as given in 1'
    """
    counts = Counter(describe_settings(settings) for settings in chosen).most_common()
    parts = [f"{text} in {count}" for text, count in counts]
    first = f"{parts[0]} of {len(chosen)} folds"
    between = "; " if any("," in text for text, _ in counts) else ", "
    return between.join([first, *parts[1:]])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
