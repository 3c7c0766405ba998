"""What extracting all samples by a recipe takes, from the forwards that were timed."""

from collections.abc import Mapping

import torch

from cellfeat.config import Settings
from cellfeat.extraction.forward.capabilities import DEFAULT_BATCH
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.forward.precision import choose_method
from cellfeat.extraction.forward.probe import Probe, timed_in_turn
from cellfeat.recommending.clock import Clock
from cellfeat.recommending.contest import Contest, Stage
from cellfeat.recommending.embeddings import Embeddings
from cellfeat.recommending.part import Part
from cellfeat.recommending.recipes import Pool, Recipe

TIMING_SECONDS = 60.0
"""Length of the extraction for which methods are timed: compiling, which takes 15 s, is then never tried."""


class Costs:
    """Expected seconds of whole extractions.

    Parameters
    ----------
    part, embeddings
        The samples of the comparison, and the forwards that were timed.
    settings
        Precision and batch size.
    clock
        What has to be timed is left out where there is no time.
    n_samples
        Number of all samples.
    device
        Where the networks run.
    """

    def __init__(
        self, part: Part, embeddings: Embeddings, settings: Settings, clock: Clock, n_samples: int, device: torch.device
    ) -> None:
        self._part, self._embeddings, self._settings, self._clock = part, embeddings, settings, clock
        self._n_samples, self._device = n_samples, device
        wanted = settings.extraction.batch_size
        self._batch_size = DEFAULT_BATCH[device.type] if wanted == "auto" else wanted

    def of_all(self, contest: Contest) -> dict[Recipe, float]:
        """Expected seconds of the whole extraction by each recipe, by the fastest forwards that were seen."""
        seen = contest.last_seen()
        shares = self._shares_of_time(seen)
        n_samples, n_channels = self._n_samples, self._part.n_channels
        return {
            recipe: n_samples
            * (
                self._part.seconds_per_sample
                + recipe.n_forwards(n_channels)
                * self._embeddings.fastest_forward(recipe.source)
                * shares[recipe.source.backbone][recipe.pool]
            )
            for recipe in seen
        }

    def _shares_of_time(self, seen: Mapping[Recipe, Stage]) -> dict[str, dict[Pool, float]]:
        """What each pool of each network costs alone, measured where there is time."""
        shares: dict[str, dict[Pool, float]] = {}
        for recipe in seen:
            source = recipe.source
            if source.backbone in shares:
                continue
            shares[source.backbone] = dict.fromkeys(self._embeddings.network(source).pools, 1.0)
            batch = 9 * self._batch_size * self._embeddings.seconds_per_forward(source)
            if self._clock.spent + 3 * batch < self._clock.budget - 2:
                network = self._embeddings.network(source)
                passes = make_passes(range(self._part.n_channels), "separate")[:1]
                inputs = network.inputs(source.crop, passes, self._part.n_channels, 1, self._settings.preprocessing)
                shares[source.backbone] = network.shares_of_time(self._part.decoded[: self._batch_size], inputs)
        return shares

    def timed(self, recipe: Recipe) -> float:
        """Seconds of the whole extraction, by the method that `extract` would take."""
        network = self._embeddings.network(recipe.source)
        n_channels = self._part.n_channels
        passes = make_passes(range(n_channels), recipe.channels_as)
        inputs = network.inputs(recipe.source.crop, passes, n_channels, recipe.views, self._settings.preprocessing)
        samples = self._part.decoded[: self._batch_size]
        seconds = self._embeddings.fastest_forward(recipe.source)
        probe = Probe(
            backbone=network.loaded(recipe.pool),
            inputs=inputs,
            device=self._device,
            batch_size=self._batch_size,
            samples=samples,
            n_forwards=max(1, round(TIMING_SECONDS / seconds)),
        )
        if self._clock.spent + 12 * self._batch_size * seconds < self._clock.budget:
            choice = choose_method(probe, self._settings.extraction.precision)
            measured = {one.method: 1 / one.samples_per_second for one in choice.considered}
            alone = timed_in_turn([choice.embedder], samples)[0].seconds / self._batch_size
            seconds = min(alone, measured.get(choice.method, alone))
        n_samples = self._n_samples
        return n_samples * (self._part.seconds_per_sample + recipe.n_forwards(n_channels) * seconds)
