"""From images and labels to a recommended recipe."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch

from cellfeat.config import Settings
from cellfeat.device import choose_device, describe_device
from cellfeat.errors import BackboneError, ConfigError, DeviceError, MissingFileError, WeightsError
from cellfeat.evaluation.design import Design
from cellfeat.extraction.forward.capabilities import DEFAULT_BATCH
from cellfeat.extraction.observer import Observer, SilentObserver
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.recommending.choosing import Judged, chosen, cross_fitted, front
from cellfeat.recommending.clock import Clock, OutOfTimeError
from cellfeat.recommending.contest import Contest, Stage
from cellfeat.recommending.costs import Costs
from cellfeat.recommending.embeddings import Embeddings
from cellfeat.recommending.networks import RANDOM, NamedNetwork, networks_to_compare
from cellfeat.recommending.part import Part
from cellfeat.recommending.preparing import design_of, prepared_part
from cellfeat.recommending.recipes import CROPS, SIZES, Pool, Recipe, Source, given_recipe, recipes_of
from cellfeat.recommending.recommendation import Candidate, Recommendation, chosen_settings
from cellfeat.recommending.rounds import Halving, among
from cellfeat.recommending.stage_intervals import Intervals
from cellfeat.statistics.interval_types import Difference
from cellfeat.text import first_line
from cellfeat.types import Integers

DEFAULT_BUDGET = 1200.0
DEFAULT_SAMPLES = 1500
LEAST_SAMPLES = 10

BASELINE_SHARE = 0.3
"""Largest share of the budget for the baseline: a network that takes longer is replaced by the first that does not."""


def recommend(
    settings: Settings,
    *,
    budget: float = DEFAULT_BUDGET,
    samples: int = DEFAULT_SAMPLES,
    backbones: Sequence[str] = (),
    observer: Observer | None = None,
) -> Recommendation:
    """Compare recipes on a part of the labelled images, and recommend one.

    The recipe of the settings is the baseline. Recipes are ranked by a linear head on folds that keep groups together,
    on more and more samples and views, the better ones going on; the score of the recommendation is that of recipes
    chosen without the samples that they are scored on.

    Parameters
    ----------
    settings
        Images, labels, groups, number of folds and seed (``comparison``), and the recipe that others are compared with.
    budget
        Seconds that the whole comparison may take.
    samples
        Number of samples to compare on.
    backbones
        Networks as ``NAME`` or ``NAME=WEIGHTS`` (a file, a name, or ``random``); by default those whose weights are on
        this machine.
    observer
        Receives messages.

    Returns
    -------
    Recommendation
        ``settings`` for `extract`, ``table()``, ``lines()``; `cellfeat.recommending.saving` writes it.

    Raises
    ------
    ManifestError, ImageError, MissingFileError
        If the samples are not as described, none has a label, or none can be read.
    ConfigError
        If a value is out of range, or the budget is too small to compare anything.
    SplitError, UnknownNameError
        If no folds can be made.
    BackboneError, WeightsError, DeviceError
        If no network is there, or one that is named cannot be loaded.
    """
    clock = Clock(_checked_budget(budget))
    if samples < LEAST_SAMPLES:
        raise ConfigError(f"samples: expected {LEAST_SAMPLES} or more, got {samples}")
    observer = observer or SilentObserver()
    networks = networks_to_compare(settings, backbones)
    design = design_of(settings)
    device = choose_device(settings.extraction.device)
    with prepared_request(settings, observer) as request:
        observer.say(f"device: {describe_device(device)}; networks: {', '.join(one.name for one in networks)}")
        part = prepared_part(request, design, samples, clock)
        session = _Session(settings, request, design, part, networks, device, clock)
        return session.run()


def _checked_budget(budget: float) -> float:
    if not budget > 0:
        raise ConfigError(f"budget: expected seconds above 0, got {budget}")
    return budget


class _Session:
    """One recommendation."""

    def __init__(
        self,
        settings: Settings,
        request: ExtractionRequest,
        design: Design,
        part: Part,
        networks: Sequence[NamedNetwork],
        device: torch.device,
        clock: Clock,
    ) -> None:
        self._settings, self._request, self._design, self._part = settings, request, design, part
        self._networks, self._device, self._clock = list(networks), device, clock
        self._say = request.observer.say
        wanted = settings.extraction.batch_size
        self._batch_size = DEFAULT_BATCH[device.type] if wanted == "auto" else wanted
        self._embeddings = Embeddings(
            part.decoded,
            networks,
            settings.preprocessing,
            clock,
            device=device,
            batch_size=self._batch_size,
            seed=design.random_state,
        )
        self._costs = Costs(part, self._embeddings, settings, clock, len(request.manifest), device)
        self._published: dict[str, int] = {}
        self._pools: dict[str, tuple[Pool, ...]] = {}
        self._crops_differ: dict[str, bool] = {}

    def run(self) -> Recommendation:
        """Compare, choose, and time what was chosen."""
        try:
            self._load()
            baseline = self._baseline()
            recipes = [recipe for source in self._sources() for recipe in self._recipes(source)]
        except (OutOfTimeError, KeyboardInterrupt) as error:
            raise self._too_short(error) from None
        others = [recipe for recipe in recipes if recipe != baseline]
        if not others:
            raise BackboneError(
                f"nothing to choose from: the networks have no recipe but that of the settings ({baseline})"
            )
        halving = Halving(self._part, self._embeddings, self._clock, seed=self._design.random_state, say=self._say)
        contest = halving.run(baseline, others)
        stage = contest.final()
        if stage is None:
            raise self._too_short(KeyboardInterrupt() if contest.is_interrupted else OutOfTimeError())
        return self._result(contest, stage)

    def _too_short(self, error: BaseException) -> BaseException:
        if isinstance(error, KeyboardInterrupt):
            return KeyboardInterrupt()
        return ConfigError(
            f"--budget: {self._clock.budget:.0f} s were too short to compare a single recipe with that of your "
            f"settings; allow more, or compare on fewer --samples (now {len(self._part):,})"
        )

    def _load(self) -> None:
        """Load each network at its published size, and time it at the smallest size."""
        is_only = len(self._networks) == 1
        for network in list(self._networks):
            self._clock.check()
            try:
                shared = self._embeddings.published(network.name)
                self._published[network.name] = shared.input_size
                self._pools[network.name] = shared.pools
                self._crops_differ[network.name] = shared.crops_differ(self._part.decoded)
                self._embeddings.measure(min(self._sizes_of(network.name), key=lambda one: one.input_size))
            except (BackboneError, WeightsError, MissingFileError, DeviceError) as error:
                if is_only:
                    raise
                self._networks.remove(network)
                self._say(f"{network.name} is left out: {first_line(error)}")
        if not self._published:
            raise BackboneError("none of the networks could be loaded: see the lines above")

    def _sizes_of(self, name: str) -> list[Source]:
        """The sources of a network with whole images."""
        from cellfeat.backbones.registry import find_backbone

        entry, published = find_backbone(name), self._published[name]
        sizes = sorted({*SIZES, self._settings.preprocessing.input_size or published})
        fitting = []
        for size in sizes:
            with suppress(BackboneError):
                entry.check_input_size(size)
                fitting.append(size)
        return [Source(name, size, "none") for size in fitting]

    def _sources(self) -> Iterator[Source]:
        for network in self._networks:
            for source in self._sizes_of(network.name):
                is_taken, reason = self._takes(source)
                if not is_taken:
                    self._say(f"{network.name} at {source.input_size} px is left out: {reason}")
                    continue
                differ = self._crops_differ[network.name]
                yield from (replace(source, crop=crop) for crop in (CROPS if differ else CROPS[:1]))

    def _takes(self, source: Source) -> tuple[bool, str]:
        """Whether a network takes a size: some vision transformers do not."""
        if source.backbone in self._any_size:
            return True, ""
        try:
            self._embeddings.network(source)
        except BackboneError as error:
            return False, first_line(error)
        return True, ""

    @property
    def _any_size(self) -> set[str]:
        # A network with stages is convolutional, and takes every size from its smallest on.
        return {name for name, pools in self._pools.items() if "stages" in pools}

    def _recipes(self, source: Source) -> Iterator[Recipe]:
        return recipes_of(source, self._pools[source.backbone], self._part.n_channels)

    def _baseline(self) -> Recipe:
        """The recipe of the settings, with the first network for which there is time."""
        names = list(self._published)
        for name in names:
            recipe = given_recipe(self._settings, name, self._published[name], self._part.n_channels)
            if recipe.pool not in self._pools[name]:
                recipe = replace(recipe, pool="norm")
            forwards = recipe.n_forwards(self._part.n_channels) * len(self._part)
            seconds = forwards * self._embeddings.seconds_per_forward(recipe.source)
            if seconds <= BASELINE_SHARE * self._clock.budget or name == names[-1]:
                break
        if name != self._settings.backbone.name:
            self._say(f"the recipe of your settings is compared with {name} in place of {self._settings.backbone.name}")
        if not self._crops_differ[name]:
            recipe = replace(recipe, source=replace(recipe.source, crop="none"))
        return recipe

    def _result(self, contest: Contest, stage: Stage) -> Recommendation:
        baseline, judged = contest.baseline, stage.judged
        recipe = chosen(judged)
        predicted, in_folds = _without_own_fold(stage)
        intervals = Intervals(self._part, stage, self._design)
        candidates = tuple(self._candidates(contest, stage, intervals))
        network = next(one for one in self._networks if one.name == recipe.source.backbone)
        settings = chosen_settings(self._settings, recipe, network.weights)
        own = Judged.of(predicted, 0.0, stage.labels)
        return Recommendation(
            chosen=recipe,
            baseline=baseline,
            candidates=candidates,
            untried={one: why for one, why in contest.untried.items() if one not in contest.last_seen()},
            honest_score=own.score(),
            honest_interval=intervals.interval(predicted),
            honest_difference=self._to_baseline(contest),
            chosen_in_folds={one: in_folds.count(one) for one in dict.fromkeys(in_folds)},
            n_compared=len(stage.rows),
            n_with_baseline=0 if (with_baseline := contest.with_baseline()) is None else len(with_baseline.rows),
            n_groups=len(np.unique(self._part.groups[stage.rows])),
            n_folds=stage.labels.n_folds,
            n_classes=stage.labels.n_classes,
            n_samples=len(self._request.manifest),
            # Other load on the machine can only make a measurement longer.
            extraction_seconds=min(
                next(one.seconds for one in candidates if one.recipe == recipe), self._costs.timed(recipe)
            ),
            settings=settings,
            seconds=self._clock.spent,
            budget=self._clock.budget,
            seed=self._design.random_state,
            is_interrupted=contest.is_interrupted,
            random_networks=tuple(one.name for one in self._networks if one.weights == RANDOM),
        )

    def _to_baseline(self, contest: Contest) -> Difference | None:
        """Paired difference of the choosing to the baseline, on the last stage that has it."""
        stage = contest.with_baseline()
        if stage is None:
            return None
        predicted, _ = _without_own_fold(stage)
        return Intervals(self._part, stage, self._design).difference(
            predicted, stage.judged[contest.baseline].predicted
        )

    def _candidates(self, contest: Contest, stage: Stage, intervals: "Intervals") -> Iterator[Candidate]:
        seconds = self._costs.of_all(contest)
        timed = {recipe: replace(one, cost=seconds[recipe]) for recipe, one in stage.judged.items()}
        on_front = set(front(timed))
        finalists = sorted(stage.judged.items(), key=lambda item: -item[1].score())
        base = stage.judged.get(contest.baseline)
        for recipe, one in finalists:
            gap = None if base is None or base is one else intervals.difference(one.predicted, base.predicted)
            yield Candidate(
                recipe,
                len(stage.rows),
                one.score(),
                intervals.interval(one.predicted),
                gap,
                seconds[recipe],
                recipe in on_front,
            )
        ended = [(recipe, last) for recipe, last in contest.last_seen().items() if recipe not in stage.judged]
        for recipe, last in sorted(ended, key=lambda item: (-len(item[1].rows), -item[1].judged[item[0]].score())):
            why = contest.untried.get(recipe, f"not tried on more than {len(last.rows):,} samples")
            yield Candidate(recipe, len(last.rows), last.judged[recipe].score(), None, None, seconds[recipe], ended=why)


def _without_own_fold(stage: Stage) -> tuple[Integers, list[Recipe]]:
    """Predict each fold of a stage by the recipe that is chosen without it; also gives these recipes."""
    folds = range(stage.labels.n_folds)
    alive = [list(among(stage.judged, stage.alive.get(fold, ()))) or list(stage.judged) for fold in folds]
    return cross_fitted(stage.judged, alive, stage.labels)
