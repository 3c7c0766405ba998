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

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cellfeat.errors import SplitError
from cellfeat.evaluation.fold_predictions.cache import array_digest
from cellfeat.evaluation.fold_predictions.head_run import HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.folds.grouped_folds import fewest_groups
from cellfeat.evaluation.parallel.pieces import Flow
from cellfeat.evaluation.parallel.schedule import completed
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.scores.head_scores import ChosenSettings, Tuning
from cellfeat.evaluation.tuning import halving, search, together
from cellfeat.evaluation.tuning.halving import SearchPlan, candidates, rungs
from cellfeat.evaluation.tuning.search import Search
from cellfeat.evaluation.tuning.together import JointRun
from cellfeat.heads.registry import search_space
from cellfeat.heads.state import plain_params
from cellfeat.provenance import digest_file
from cellfeat.types import Integers

INNER_FOLDS = 3
"""Inner folds; fewer where a class has fewer groups."""


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
        self._joint = JointRun(run)
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
        return completed(self.choosing(rows, on_share))

    def choosing(self, rows: Integers, on_share: Callable[[float], None]) -> Flow[ChosenSettings]:
        """Choose settings as `choose` does, as a flow: the candidates of a round can be fitted side by side.

        Parameters
        ----------
        rows, on_share
            As for `choose`.

        Raises
        ------
        HeadError, SplitError
            As `choose`.
        """
        cache, keys = self._run.cache, self._run.keys(self.given)
        if cache is None or not keys.can_be_cached:
            return (yield from self._search(rows, on_share))
        key = keys.key_of(self._question(rows))
        found = cache.load_record(key)
        if found is not None:
            return ChosenSettings(**found)
        choice = yield from self._search(rows, on_share)
        cache.save_record(key, asdict(choice))
        return choice

    def _search(self, rows: Integers, on_share: Callable[[float], None]) -> Flow[ChosenSettings]:
        plan, seconds = self._plan(rows), list[float]()
        observe = self._observer(plan, on_share)

        def on_fit(duration: float, fraction: float) -> None:
            seconds.append(duration)
            observe(duration, fraction)

        choice = yield from Search(self._joint, self.given, self.candidates, rows, plan, on_fit).choice()
        # Those of the fits: side by side, the time of day says little.
        return replace(choice, seconds=sum(seconds))

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
            "tuning": [
                digest_file(Path(module)) for module in (__file__, halving.__file__, search.__file__, together.__file__)
            ],
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
            self._estimate_once(seconds / fraction)
            on_share(done / plan.work)

        return observe

    def _estimate_once(self, seconds: float) -> None:
        """Estimate how long all fits will take, from the first fit as if on all training samples of an inner fold."""
        if self._was_estimated:
            return
        self._was_estimated = True
        plans = [self._plan(rows) for rows in self._parts]
        # The search in each part, and the fit on the part with the chosen settings.
        n_rows = sum(plan.work * plan.n_train + len(rows) for plan, rows in zip(plans, self._parts, strict=True))
        duration = _duration(n_rows / plans[0].n_train * seconds)
        where = self._where(" and all samples")
        self._say(f"{self._run.head}: {len(self.candidates)} settings, {where}, about {duration}")


def tuning_of(choices: Sequence[ChosenSettings]) -> Tuning | None:
    """Collect what was chosen in each fold; None where nothing was tuned."""
    return Tuning(INNER_FOLDS, choices[0].n_candidates, tuple(choices)) if choices else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
