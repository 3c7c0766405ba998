"""Embeddings of the part, computed when a recipe needs them, and shared by all recipes of a source."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from cellfeat.config import PreprocessingSettings
from cellfeat.extraction.forward.passes import Pass, make_passes
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.recommending.clock import Clock
from cellfeat.recommending.networks import NamedNetwork
from cellfeat.recommending.recipes import VIEWS, Recipe, Source, passes_of, widest
from cellfeat.recommending.shared_network import SharedNetwork
from cellfeat.types import Bools, Float32s, Integers

MOST_BYTES = 2 << 30
"""Bytes of embeddings that are kept; those of the worst sources are dropped, and computed again if needed."""

COMPILING_BUDGET = 40.0
"""Seconds of budget from which networks are compiled: it takes some two seconds for each size."""

NETWORKS_KEPT = 5
"""Loaded networks that are kept, each at one input size."""


class _Key(NamedTuple):
    source: Source
    number: int
    views: int


class Embeddings:
    """Means over views of all pools of each pass, by source.

    Parameters
    ----------
    samples
        The decoded samples.
    networks
        The networks by name.
    given
        Settings of the user that no recipe changes.
    clock
        Ends the work when its time is over.
    device, batch_size, seed
        As for `SharedNetwork`.
    """

    def __init__(
        self,
        samples: Sequence[Decoded],
        networks: Sequence[NamedNetwork],
        given: PreprocessingSettings,
        clock: Clock,
        *,
        device: torch.device,
        batch_size: int,
        seed: int,
    ) -> None:
        self._samples, self._given, self._clock = samples, given, clock
        self._networks = {network.name: network for network in networks}
        self._device, self._batch_size, self._seed = device, batch_size, seed
        pixels = samples[0].pixels
        assert pixels is not None, "samples that failed are left out"
        self.n_channels = int(pixels.shape[0])
        self._passes = make_passes(range(self.n_channels), widest(self.n_channels))
        self._loaded: OrderedDict[tuple[str, int], SharedNetwork] = OrderedDict()
        self._means: dict[_Key, Float32s] = {}
        self._is_there: dict[_Key, Bools] = {}
        self._fastest: dict[tuple[str, int], float] = {}
        self._recent: dict[tuple[str, int], float] = {}
        self._loading: dict[str, float] = {}

    def network(self, source: Source) -> SharedNetwork:
        """Load the network of a source, unless it is loaded."""
        return self._network(source.backbone, source.input_size)

    def published(self, name: str) -> SharedNetwork:
        """Load a network at its published size."""
        made = self._make(name, None)
        self._keep((name, made.input_size), made)
        return made

    def _network(self, name: str, input_size: int) -> SharedNetwork:
        key = (name, input_size)
        if key not in self._loaded:
            self._keep(key, self._make(name, input_size))
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def _make(self, name: str, input_size: int | None) -> SharedNetwork:
        return SharedNetwork(
            self._networks[name],
            input_size,
            device=self._device,
            batch_size=self._batch_size,
            seed=self._seed,
            may_compile=self._clock.budget >= COMPILING_BUDGET,
        )

    def _keep(self, key: tuple[str, int], network: SharedNetwork) -> None:
        self._loaded[key] = network
        while len(self._loaded) > NETWORKS_KEPT:
            self._loaded.popitem(last=False)

    def loading_seconds(self, source: Source) -> float:
        """Expected seconds until the network of a source is ready: none if it is, else those of its last size."""
        loaded = self._loaded.get((source.backbone, source.input_size))
        return 0.0 if loaded is not None and loaded.is_built else self._loading.get(source.backbone, 0.0)

    def _ready(self, source: Source) -> SharedNetwork:
        """Load and build the network of a source, and note how long that took."""
        began = time.perf_counter()
        network = self.network(source)
        if not network.is_built:
            network.build()
            self._loading[source.backbone] = time.perf_counter() - began
        return network

    def measure(self, source: Source) -> None:
        """Time a forward of a source, unless one of its size has been timed."""
        if (source.backbone, source.input_size) in self._recent:
            return
        for _ in range(2):  # the first builds and warms up
            began = time.perf_counter()
            self._embed(source, self._passes[:1], 1, self._samples[: self._batch_size])
        self._note(source, time.perf_counter() - began, self._batch_size)

    def seconds_per_forward(self, source: Source) -> float:
        """Expected seconds of one forward now, with whatever else runs on the machine; of another size by its area."""
        return _at_size(self._recent, source)

    def fastest_forward(self, source: Source) -> float:
        """Seconds of the fastest forward that was seen: other load on the machine can only make it slower."""
        return _at_size(self._fastest, source)

    def _note(self, source: Source, seconds: float, n_forwards: int) -> None:
        key, each = (source.backbone, source.input_size), seconds / n_forwards
        self._fastest[key] = min(each, self._fastest.get(key, each))
        self._recent[key] = 0.7 * self._recent.get(key, each) + 0.3 * each

    def n_missing(self, source: Source, wanted: Mapping[int, int], rows: Integers) -> int:
        """Count the forwards that recipes still need.

        Parameters
        ----------
        source
            Their source.
        wanted
            Number of views by number of the pass.
        rows
            Places of the samples, shape ``(n,)``.
        """
        return sum(len(self._missing(_Key(source, number, views), rows)) * views for number, views in wanted.items())

    def _missing(self, key: _Key, rows: Integers) -> Integers:
        there = self._is_there.get(key)
        return rows if there is None else rows[~there[rows]]

    def ensure(self, source: Source, wanted: Mapping[int, int], rows: Integers) -> None:
        """Compute what is missing.

        Parameters
        ----------
        source, wanted, rows
            As for `n_missing`.

        Raises
        ------
        OutOfTimeError
            When the time is over; what is finished is kept.
        """
        together: dict[tuple[int, bytes], list[int]] = {}
        for number, views in wanted.items():
            missing = self._missing(_Key(source, number, views), rows)
            if len(missing):
                together.setdefault((views, missing.tobytes()), []).append(number)
        for (views, places), numbers in together.items():
            self._compute(source, numbers, views, np.frombuffer(places, rows.dtype))

    def _compute(self, source: Source, numbers: Sequence[int], views: int, rows: Integers) -> None:
        passes = [self._passes[number] for number in numbers]
        self._ready(source)  # before the time of forwards is taken
        for start in range(0, len(rows), self._batch_size):
            self._clock.check()
            here = rows[start : start + self._batch_size]
            began = time.perf_counter()
            embedded = self._embed(source, passes, views, [self._samples[place] for place in here])
            # A batch is always computed in its full size.
            self._note(source, time.perf_counter() - began, self._batch_size * views * len(passes))
            split = embedded.reshape(len(here), views, len(passes), -1)
            for level in (level for level in VIEWS if level <= views):
                means = split[:, :level].mean(axis=1)
                for place, number in enumerate(numbers):
                    self._put(_Key(source, number, level), here, means[:, place])

    def _embed(self, source: Source, passes: Sequence[Pass], views: int, samples: Sequence[Decoded]) -> Float32s:
        network = self._ready(source)
        inputs = network.inputs(source.crop, passes, self.n_channels, views, self._given)
        return network.embedder(inputs)(samples)

    def _put(self, key: _Key, rows: Integers, values: Float32s) -> None:
        if key not in self._means:
            # Memory of rows that are never written is never used.
            self._means[key] = np.empty((len(self._samples), values.shape[1]), np.float32)
            self._is_there[key] = np.zeros(len(self._samples), bool)
        self._means[key][rows] = values
        self._is_there[key][rows] = True

    def of_pass(self, recipe: Recipe, number: int, rows: Integers) -> Float32s:
        """Give the embeddings of one pass of a recipe, mean over its views.

        Parameters
        ----------
        recipe
            A recipe whose embeddings are there.
        number
            Number of the pass.
        rows
            Places of the samples, shape ``(n,)``.

        Returns
        -------
        ndarray of shape (n, dim)
        """
        columns = self.network(recipe.source).columns(recipe.pool)
        return self._means[_Key(recipe.source, number, recipe.views)][rows, columns]

    def needs(self, recipes: Sequence[Recipe]) -> dict[int, int]:
        """Give the number of views that recipes of one source need, by number of the pass."""
        wanted: dict[int, int] = {}
        for recipe in recipes:
            for number in passes_of(recipe.channels_as, self.n_channels):
                wanted[number] = max(recipe.views, wanted.get(number, 0))
        return wanted

    def drop_all_but(self, sources: Sequence[Source]) -> None:
        """Forget all sources but some, the best first; of those, too, what exceeds the memory."""
        order = {source: place for place, source in enumerate(sources)}
        for key in [key for key in self._means if key.source not in order]:
            del self._means[key], self._is_there[key]
        while self._n_bytes > MOST_BYTES:
            worst = max(self._means, key=lambda key: order[key.source]).source
            for key in [key for key in self._means if key.source == worst]:
                del self._means[key], self._is_there[key]

    @property
    def _n_bytes(self) -> int:
        # Rows that were never written take no memory.
        return sum(int(self._is_there[key].sum()) * values.shape[1] * 4 for key, values in self._means.items())


def _at_size(rates: Mapping[tuple[str, int], float], source: Source) -> float:
    """The rate of a source, or of the next size of its network, in proportion to the area."""
    known = {size: seconds for (name, size), seconds in rates.items() if name == source.backbone}
    nearest = min(known, key=lambda size: abs(size - source.input_size))
    return known[nearest] * (source.input_size / nearest) ** 2
