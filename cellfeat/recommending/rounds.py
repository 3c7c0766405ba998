"""Successive halving: all recipes on few samples with one view, the better ones on more samples with more views.

A round ends when its share of the budget is spent. What was not tried is recorded with the reason.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cellfeat.evaluation.remarks import Say
from cellfeat.recommending.choosing import ALL_FOLDS, LEAST_KEPT, Judged, best_first, best_third, front
from cellfeat.recommending.clock import Clock, OutOfTimeError
from cellfeat.recommending.contest import Contest, Stage
from cellfeat.recommending.embeddings import Embeddings
from cellfeat.recommending.least_squares import predict_folds, products
from cellfeat.recommending.part import Part
from cellfeat.recommending.recipes import Recipe, Source, passes_of
from cellfeat.text import counted
from cellfeat.types import Float32s, Integers

LEAST_FIRST = 300
"""Samples of the first round at least, as far as there are so many: fewer do not tell recipes apart."""

LEAST_FIRST_PER_CLASS = 30

FIRST_SOURCE_SHARE, FEWEST_FIRST = 0.5, 60
"""The first round takes fewer samples, down to `FEWEST_FIRST`, where the cheapest source would take more than this
share of it: a slow machine or network then still compares some recipes."""

CLEARLY_MORE = 1.15
"""A round takes the samples of the one before, unless there is time for clearly more."""

BASELINE_SHARE = 0.15
"""Largest share of the time left that is kept for the baseline: where it takes longer, fewer samples judge it."""

MARGIN = 0.7
"""Share of the time left that the forwards of the baseline may take by their expected length."""


class Round(NamedTuple):
    """One round.

    Attributes
    ----------
    share
        Share of the samples.
    views
        Largest number of views.
    until
        Share of the usable budget that may be spent at its end.
    """

    share: float
    views: int
    until: float


ROUNDS = (Round(1 / 3, 1, 0.4), Round(2 / 3, 4, 0.65), Round(1, 4, 0.85), Round(1, 8, 1.0))


class Halving:
    """Runs the rounds.

    Parameters
    ----------
    part
        The samples.
    embeddings
        Gives their embeddings.
    clock
        The budget.
    seed
        Orders groups.
    say
        Receives a line for each round.
    """

    def __init__(self, part: Part, embeddings: Embeddings, clock: Clock, *, seed: int, say: Say) -> None:
        self._part, self._embeddings, self._clock = part, embeddings, clock
        self._seed, self._say = seed, say
        self._head_seconds = 0.0
        self._unit: dict[str, float] = {}

    def run(self, baseline: Recipe, recipes: Sequence[Recipe]) -> Contest:
        """Compare recipes until they are told apart, the time is over, or the user interrupts.

        Parameters
        ----------
        baseline
            The recipe that others are compared with.
        recipes
            All recipes with one view.
        """
        contest = Contest(baseline)
        alive = {fold: list(recipes) for fold in (ALL_FOLDS, *range(self._part.labels.n_folds))}
        self._clock.start_rounds()
        try:
            for number, one in enumerate(ROUNDS):
                stage = self._stage(contest, one, alive[ALL_FOLDS])
                stage.alive = alive
                self._keep_time_for(baseline, stage)
                self._play(contest, stage, number)
                if number == 0 and self._clock.has_room(self._seconds([baseline], stage), ROUNDS[1].until):
                    self._judge(contest, stage, [baseline])
                if number + 1 < len(ROUNDS):
                    views = ROUNDS[number + 1].views
                    alive = {fold: going_on(stage.judged, left, fold, views) for fold, left in alive.items()}
                    self._note_dropped(contest, stage, alive)
        except OutOfTimeError:
            self._say("the budget is used up; what is known so far decides")
        except KeyboardInterrupt:
            contest.is_interrupted = True
        self._note_unreached(contest)
        self._judge_baseline(contest)
        return contest

    def _keep_time_for(self, baseline: Recipe, stage: Stage) -> None:
        """Keep what the baseline needs on the samples of a stage: nothing where it has been judged on them."""
        seconds = 0.0 if baseline in stage.judged else self._seconds([baseline], stage)
        self._clock.keep(0.0)
        self._clock.keep(min(seconds, BASELINE_SHARE * self._clock.left()))

    def _judge_baseline(self, contest: Contest) -> None:
        """Judge the baseline on the samples of the last stage, or where there is no time, on fewer.

        It comes last: it may be dearer than all others together, and decides nothing about them.
        """
        self._clock.keep(0.0)
        judged = [stage for stage in reversed(contest.stages) if set(stage.judged) - {contest.baseline}]
        if not judged or contest.baseline in judged[0].judged:
            return
        fitting = [one for one in judged if self._clock.has_room(self._seconds([contest.baseline], one))]
        try:
            stage = fitting[0] if fitting else self._small_stage(contest, judged[0])
            if contest.baseline not in stage.judged:
                self._say(f"now the recipe of your settings, on {counted(len(stage.rows), 'sample')}")
                self._judge(contest, stage, [contest.baseline])
        except OutOfTimeError:
            pass
        except KeyboardInterrupt:
            contest.is_interrupted = True

    def _small_stage(self, contest: Contest, last: Stage) -> Stage:
        """Judge the recipes of the last stage on as few samples as there is time to judge the baseline on."""
        n = len(self._part)
        seconds = self._clock.left() - self._embeddings.loading_seconds(contest.baseline.source)
        affordable = MARGIN * seconds / self._seconds_on_all([contest.baseline])[0]
        rows = self._part.first(min(len(last.rows), max(affordable * n, FEWEST_FIRST)) / n, self._seed)
        stage = Stage(rows, self._part.labels.take(rows), alive=last.alive)
        for recipes in _by_source([one for one in last.judged if one != contest.baseline]).values():
            if self._embeddings.n_missing(recipes[0].source, self._embeddings.needs(recipes), rows) == 0:
                self._judge(contest, stage, recipes)
        contest.stages.insert(0, stage)
        return stage

    def _stage(self, contest: Contest, one: Round, recipes: Sequence[Recipe]) -> Stage:
        """The stage of a round: fewer samples than planned where there is no time for the best recipes on all."""
        rows = self._part.first(self._share(contest, one, recipes), self._seed)
        if contest.stages and len(rows) < CLEARLY_MORE * len(contest.stages[-1].rows):
            return contest.stages[-1]
        contest.stages.append(Stage(rows, self._part.labels.take(rows)))
        return contest.stages[-1]

    def _share(self, contest: Contest, one: Round, recipes: Sequence[Recipe]) -> float:
        """The share of the samples for which there is time; of `recipes`, the best come first."""
        n = len(self._part)
        if not contest.stages:
            least = max(LEAST_FIRST, LEAST_FIRST_PER_CLASS * self._part.labels.n_classes)
            planned = max(one.share, min(1.0, least / n))
            affordable = FIRST_SOURCE_SHARE * self._clock.left(one.until) / min(self._seconds_on_all(recipes))
            return max(min(planned, FEWEST_FIRST / n), min(planned, affordable))
        affordable = self._clock.left(one.until) / sum(self._seconds_on_all(recipes[: 2 * LEAST_KEPT]))
        before = len(contest.stages[-1].rows) / n
        return max(before, min(one.share, affordable))

    def _seconds_on_all(self, recipes: Sequence[Recipe]) -> list[float]:
        """Expected seconds of recipes on all samples, by source."""
        everything = np.arange(len(self._part))
        return [max(self._forward_seconds(those, everything), 1e-9) for those in _by_source(recipes).values()]

    def _forward_seconds(self, recipes: Sequence[Recipe], rows: Integers) -> float:
        """Expected seconds of the forwards that recipes of one source still need."""
        source = recipes[0].source
        n_forwards = self._embeddings.n_missing(source, self._embeddings.needs(recipes), rows)
        return n_forwards * self._embeddings.seconds_per_forward(source)

    def _play(self, contest: Contest, stage: Stage, number: int) -> None:
        wanted = list(dict.fromkeys(recipe for left in stage.alive.values() for recipe in left))
        wanted = [recipe for recipe in wanted if recipe not in stage.judged]
        self._say(
            f"round {number + 1} of {len(ROUNDS)}: {counted(len(wanted), 'recipe')} on "
            f"{counted(len(stage.rows), 'sample')}, up to {counted(ROUNDS[number].views, 'view')}"
        )
        for recipes in self._in_order(contest, wanted):
            self._judge_source(contest, stage, recipes, ROUNDS[number].until)
        if stage.judged:
            best = best_first(stage.judged)[0]
            self._say(f"  best so far: {best}: {stage.judged[best].score():.3f}, after {self._clock.spent:.0f} s")

    def _in_order(self, contest: Contest, recipes: Sequence[Recipe]) -> Iterator[list[Recipe]]:
        """Recipes by source: the cheapest first, later those that scored best."""
        by_source = _by_source(recipes)
        scores = _best_of_sources(contest)

        def rank(source: Source) -> tuple[float, float]:
            return (-scores.get(source, 0.0), self._embeddings.seconds_per_forward(source))

        order = sorted(by_source, key=rank)
        for source in order:
            yield by_source[source]
            self._embeddings.drop_all_but(sorted(_sources_kept(contest, order), key=rank))

    def _judge_source(self, contest: Contest, stage: Stage, recipes: Sequence[Recipe], until: float) -> None:
        """Judge the recipes of a source: all, or where there is no time for all, the best or cheapest ones."""
        if self._clock.has_room(self._seconds(recipes, stage), until):
            self._judge(contest, stage, recipes)
            return
        known = {one: -stage.judged[one].score() for one, stage in contest.last_seen().items()}
        for recipe in sorted(recipes, key=lambda one: (known.get(one, 0.0), one.work(self._part.n_channels))):
            seconds = self._seconds([recipe], stage)
            if self._clock.has_room(seconds, until):
                self._judge(contest, stage, [recipe])
            else:
                contest.untried[recipe] = f"no time: some {max(1, round(seconds))} s on {len(stage.rows):,} samples"

    def _seconds(self, recipes: Sequence[Recipe], stage: Stage) -> float:
        """Expected seconds of judging recipes of one source."""
        heads = len(recipes) * self._head_seconds * (len(stage.rows) / max(1, len(self._part))) ** 2
        loading = self._embeddings.loading_seconds(recipes[0].source)
        return loading + self._forward_seconds(recipes, stage.rows) + heads

    def _judge(self, contest: Contest, stage: Stage, recipes: Sequence[Recipe]) -> None:
        self._embeddings.ensure(recipes[0].source, self._embeddings.needs(recipes), stage.rows)
        known: dict[tuple[int, str, int], Float32s] = {}
        for recipe in recipes:
            self._clock.check()
            began = time.perf_counter()
            predicted = self._predicted(recipe, stage, known)
            stage.judged[recipe] = Judged.of(predicted, self.cost(recipe), stage.labels)
            contest.untried.pop(recipe, None)
            seconds = (time.perf_counter() - began) * (len(self._part) / len(stage.rows)) ** 2
            self._head_seconds = 0.7 * (self._head_seconds or seconds) + 0.3 * seconds

    def _predicted(self, recipe: Recipe, stage: Stage, known: dict[tuple[int, str, int], Float32s]) -> Integers:
        n_columns = 0
        summed = []
        for number in passes_of(recipe.channels_as, self._part.n_channels):
            columns = self._embeddings.of_pass(recipe, number, stage.rows)
            key = (number, recipe.pool, recipe.views)
            if key not in known:
                known[key] = products(columns)
            summed.append(known[key])
            n_columns += columns.shape[1]
        return predict_folds(summed, n_columns, stage.labels)

    def cost(self, recipe: Recipe) -> float:
        """Work of a recipe for each sample; a network's own speed is rounded, so that choices can be repeated."""
        name = recipe.source.backbone
        if name not in self._unit:
            at = Source(name, 100, "none")
            measured = self._embeddings.fastest_forward(at)
            self._unit[name] = 2.0 ** round(float(np.log2(measured)))
        return self._unit[name] * recipe.work(self._part.n_channels)

    def _note_unreached(self, contest: Contest) -> None:
        """Record the recipes that the last round did not get to."""
        seen = contest.last_seen()
        for left in contest.stages[-1].alive.values() if contest.stages else ():
            for recipe in left:
                if recipe not in seen:
                    contest.untried.setdefault(recipe, "the comparison ended before")

    def _note_dropped(self, contest: Contest, stage: Stage, alive: Mapping[int, Sequence[Recipe]]) -> None:
        going = {recipe for left in alive.values() for recipe in left}
        for recipe in stage.judged:
            if recipe not in going and recipe != contest.baseline:
                contest.untried[recipe] = f"not among the best on {len(stage.rows):,} samples"


def among(judged: Mapping[Recipe, Judged], left: Sequence[Recipe]) -> dict[Recipe, Judged]:
    """Give those of some recipes that were judged.

    Parameters
    ----------
    judged, left
        All that were judged, and the recipes in question.
    """
    return {recipe: judged[recipe] for recipe in left if recipe in judged}


def going_on(judged: Mapping[Recipe, Judged], left: Sequence[Recipe], fold: int, views: int) -> list[Recipe]:
    """List the recipes of the next round, the best first.

    They are the better third, also with more views, the cheap ones that are good, and those for which there was no time
    in this round.

    Parameters
    ----------
    judged
        The recipes that were judged on the samples of this round.
    left
        The recipes of this round.
    fold
        The fold whose scores are left out.
    views
        Number of views of the next round.
    """
    seen = among(judged, left)
    best = best_third(seen, fold)
    with_more = [one for recipe in best for one in (recipe, recipe.with_views(views))]
    unseen = [recipe for recipe in left if recipe not in judged]
    return list(dict.fromkeys([*with_more, *front(seen, fold), *unseen]))


def _by_source(recipes: Sequence[Recipe]) -> dict[Source, list[Recipe]]:
    by_source: dict[Source, list[Recipe]] = {}
    for recipe in recipes:
        by_source.setdefault(recipe.source, []).append(recipe)
    return by_source


def _best_of_sources(contest: Contest) -> dict[Source, float]:
    """The best score of each source in the latest stage of each of its recipes; none in the first round."""
    if len(contest.stages) < 2:
        return {}
    best: dict[Source, float] = {}
    for recipe, stage in contest.last_seen().items():
        best[recipe.source] = max(best.get(recipe.source, 0.0), stage.judged[recipe].score())
    return best


def _sources_kept(contest: Contest, order: Sequence[Source]) -> list[Source]:
    return list(dict.fromkeys([contest.baseline.source, *order]))
