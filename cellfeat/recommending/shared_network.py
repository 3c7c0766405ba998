"""One forward that gives every pool of a network: the stages and the input of its classifier."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property

import torch
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone
from cellfeat.backbones.blocks import pooled_by_block
from cellfeat.backbones.pooling import StagePooled, StagesAndOutput, pooled_by_stage
from cellfeat.backbones.registry import find_backbone, load_entry
from cellfeat.config import PreprocessingSettings
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.capabilities import fast_precisions_of
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.implementations import (
    DTYPES,
    IMPLEMENTATIONS,
    ComputeMethod,
    Target,
    build_module,
    methods_for,
)
from cellfeat.extraction.forward.passes import Pass
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.recommending.networks import RANDOM, NamedNetwork
from cellfeat.recommending.recipes import Crop, Pool

SAME = 0.02
"""Largest relative difference between a pool of the shared forward and the same alone: bfloat16 rounds."""

PLAIN = ComputeMethod("fp32", "plain")

COMPILED = "openvino"
"""The compiled implementation that is used: some two seconds a size, and two to three times as fast on a CPU, except
for ConvNeXts (``docs/studies/forward-implementations.md``)."""

INNER_POOLS: dict[Pool, Callable[[Backbone, LoadedBackbone], LoadedBackbone]] = {
    "stages": pooled_by_stage,
    "blocks": pooled_by_block,
}
"""Pools of layers before the last one; a network has at most one of them."""


class SideBySide(nn.Module):
    """Two networks on the same images: where a network does not show its inner layers while it computes its output."""

    def __init__(self, inner: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.inner, self.norm = inner, norm

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, n_columns)``."""
        return torch.cat([self.inner(images).float(), self.norm(images).float()], dim=1)


def _are_alike(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.shape == second.shape and bool((first - second).norm() <= SAME * second.norm())


class SharedNetwork:
    """A loaded network at one input size, which gives all its pools at once.

    Parameters
    ----------
    network
        Its name and weights.
    input_size
        Side of its input in pixels; None for the published one.
    device, batch_size
        Where, and how many samples at a time.
    seed
        Seed of random weights.
    may_compile
        Whether there is time to compile it.

    Raises
    ------
    BackboneError, WeightsError, MissingFileError, MissingExtraError
        If it cannot be loaded, or does not take the size.
    """

    def __init__(
        self,
        network: NamedNetwork,
        input_size: int | None,
        *,
        device: torch.device,
        batch_size: int,
        seed: int,
        may_compile: bool = False,
    ) -> None:
        self._device, self._batch_size, self._may_compile = device, batch_size, may_compile
        entry = find_backbone(network.name)
        is_random = network.weights == RANDOM
        weights = None if is_random else network.weights
        # The same random weights each time, and the caller's random numbers stay as they are.
        with torch.random.fork_rng(devices=[], enabled=is_random):
            if is_random:
                torch.default_generator.manual_seed(seed)
            self._norm = load_entry(entry, weights=weights, pool="norm", input_size=input_size)
        self._inner: dict[Pool, LoadedBackbone] = {}
        for pool, make in INNER_POOLS.items():
            with suppress(BackboneError):
                self._inner[pool] = make(entry, self._norm)
                break

    @property
    def input_size(self) -> int:
        """Side of the input in pixels."""
        return self._norm.transform.input_size

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools that the network has: the input of its classifier, and its stages or its blocks, if any."""
        return ("norm", *self._inner)

    @property
    def network(self) -> nn.Module:
        """The network whose input of the classifier is `norm`."""
        return self._norm.module

    def loaded(self, pool: Pool) -> LoadedBackbone:
        """The loaded backbone of one pool."""
        return self._inner.get(pool, self._norm)

    def columns(self, pool: Pool) -> slice:
        """The columns of a pool among those of an embedding."""
        n_inner = sum(one.embedding_dim for one in self._inner.values())
        return slice(n_inner, None) if pool == "norm" else slice(0, n_inner)

    def crops_differ(self, samples: Sequence[Decoded]) -> bool:
        """Whether a centre crop and the whole image differ for some samples."""
        transform = self._norm.transform
        shapes = {sample.pixels.shape[1:] for sample in samples if sample.pixels is not None}
        return transform.resize != transform.crop or any(height != width for height, width in shapes)

    def inputs(
        self, crop: Crop, passes: Sequence[Pass], n_channels: int, views: int, given: PreprocessingSettings
    ) -> Inputs:
        """Make the pictures that the network receives.

        Parameters
        ----------
        crop, passes, n_channels, views
            As of a recipe.
        given
            Settings of the user that no recipe changes: interpolation, mean and deviation.
        """
        wanted = given.model_copy(update={"crop": crop, "input_size": self.input_size})
        return Inputs((self._norm.transform.adapted(wanted),), tuple(passes), n_channels, views)

    def embedder(self, inputs: Inputs) -> Embedder:
        """Make the embedder of all pools."""
        method, module = self._built
        return Embedder([module], inputs, device=self._device, precision=method.precision, batch_size=self._batch_size)

    @property
    def is_built(self) -> bool:
        """Whether the forward has been built."""
        return "_built" in self.__dict__

    def build(self) -> None:
        """Build the forward of all pools, unless it is built."""
        _ = self._built

    @cached_property
    def _built(self) -> tuple[ComputeMethod, nn.Module]:
        for method in self._methods():
            module = self._try(method)
            if module is not None:
                return method, module
        return PLAIN, self._side_by_side(PLAIN)

    def _methods(self) -> list[ComputeMethod]:
        """The methods that may pay for a few thousand forwards, the usually fastest first."""
        methods = methods_for(self._norm, self._device, fast_precisions_of(self._device))
        at_once = [one for one in methods if IMPLEMENTATIONS[one.implementation].compile is None]
        compiled = [one for one in methods if one.implementation == COMPILED and self._may_compile]
        return [*compiled, *at_once] if self._norm.family != "convnext" else at_once

    @property
    def _target(self) -> Target:
        side = self.input_size
        return Target(self._device, torch.Size((self._batch_size, 3, side, side)))

    @torch.inference_mode()
    def _try(self, method: ComputeMethod) -> nn.Module | None:
        """Build all pools by a method; None where that does not give what each of them gives alone."""
        try:
            module = self._all_pools(method)
            images = torch.rand(self._target.images, generator=torch.Generator().manual_seed(0))
            images = images.to(memory_format=torch.channels_last)
            shared = module(images.to(self._device, DTYPES[method.precision]))[:2].float().cpu()
            alone = {pool: self.loaded(pool).module(images[:2]) for pool in self.pools}
            is_same = all(_are_alike(shared[:, self.columns(pool)], one) for pool, one in alone.items())
        except (BackboneError, RuntimeError, AttributeError, TypeError):
            return None
        return module if is_same else None

    def _all_pools(self, method: ComputeMethod) -> nn.Module:
        implementation = IMPLEMENTATIONS[method.implementation]
        staged = self._inner.get("stages")
        if staged is None:
            return self._side_by_side(method)
        assert isinstance(staged.module, StagePooled)
        network = implementation.build(self._norm, method.precision, self._target)
        module = StagesAndOutput(network, staged.module.stages)
        return (
            module if implementation.compile is None else implementation.compile(module, method.precision, self._target)
        )

    def _side_by_side(self, method: ComputeMethod) -> nn.Module:
        modules = [build_module(one, method, self._target) for one in (*self._inner.values(), self._norm)]
        return modules[0] if len(modules) == 1 else SideBySide(*modules)

    def shares_of_time(self, samples: Sequence[Decoded], inputs: Inputs) -> dict[Pool, float]:
        """Measure what each pool costs alone, in relation to the shared forward.

        Each is timed in turn, so that other load on the machine changes all alike.

        Parameters
        ----------
        samples
            At most one batch.
        inputs
            The pictures; one forward of each sample is enough.
        """
        method, shared = self._built
        modules: dict[str, nn.Module] = {"shared": shared}
        for pool in self.pools:
            modules[pool] = build_module(self.loaded(pool), method, self._target)
        fastest = dict.fromkeys(modules, float("inf"))
        for _ in range(3):
            for name, module in modules.items():
                embedder = Embedder(
                    [module], inputs, device=self._device, precision=method.precision, batch_size=self._batch_size
                )
                began = time.perf_counter()
                embedder(samples)
                fastest[name] = min(fastest[name], time.perf_counter() - began)
        return {pool: min(1.0, fastest[pool] / fastest["shared"]) for pool in self.pools}
