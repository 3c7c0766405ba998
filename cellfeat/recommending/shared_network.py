"""One forward that gives every pool of a network: the stages and the input of its classifier."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property

import torch
from torch import nn

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.pooling import StagePooled, mean_and_deviation, pooled_by_stage
from cellfeat.backbones.registry import find_backbone, load_entry
from cellfeat.config import PreprocessingSettings
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.capabilities import fast_precisions_of
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.implementations import (
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
from cellfeat.text import first_line

SAME = 0.02
"""Largest relative difference between the stages of the shared forward and of the cut network: bfloat16 rounds."""

PLAIN = ComputeMethod("fp32", "plain")


class AllPools(nn.Module):
    """A whole network that returns its pooled stages, and then its own output.

    Parameters
    ----------
    network
        Maps ``(N, 3, H, W)`` to ``(N, embedding_dim)``.
    stages
        Names of submodules that return ``(N, C, h, w)``, in the order in which they run.
    """

    def __init__(self, network: nn.Module, stages: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.stages = stages

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, n_columns)``."""
        pooled: list[torch.Tensor] = []

        def pool(_stage: nn.Module, _inputs: object, maps: torch.Tensor) -> None:
            pooled.append(mean_and_deviation(maps))

        with ExitStack() as hooks:
            for name in self.stages:
                hooks.callback(self.network.get_submodule(name).register_forward_hook(pool).remove)
            output = self.network(images)
        return torch.cat([*pooled, output.float()], dim=1)


class SideBySide(nn.Module):
    """Two networks on the same images: where a network does not show its stages while it computes its output."""

    def __init__(self, stages: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.stage_pooled, self.norm = stages, norm

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, n_columns)``."""
        return torch.cat([self.stage_pooled(images).float(), self.norm(images).float()], dim=1)


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

    Raises
    ------
    BackboneError, WeightsError, MissingFileError, MissingExtraError
        If it cannot be loaded, or does not take the size.
    """

    def __init__(
        self, network: NamedNetwork, input_size: int | None, *, device: torch.device, batch_size: int, seed: int
    ) -> None:
        self._device, self._batch_size = device, batch_size
        entry = find_backbone(network.name)
        is_random = network.weights == RANDOM
        if is_random:
            torch.manual_seed(seed)
        weights = None if is_random else network.weights
        self._norm = load_entry(entry, weights=weights, pool="norm", input_size=input_size)
        self._staged: LoadedBackbone | None = None
        try:
            self._staged = pooled_by_stage(entry, self._norm)
        except BackboneError as error:
            self.why_no_stages = first_line(error)

    @property
    def input_size(self) -> int:
        """Side of the input in pixels."""
        return self._norm.transform.input_size

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools that the network has."""
        return ("norm",) if self._staged is None else ("norm", "stages")

    @property
    def network(self) -> nn.Module:
        """The network whose input of the classifier is `norm`."""
        return self._norm.module

    def loaded(self, pool: Pool) -> LoadedBackbone:
        """The loaded backbone of one pool."""
        found = self._staged if pool == "stages" else self._norm
        assert found is not None, "recipes are made of pools that the network has"
        return found

    def columns(self, pool: Pool) -> slice:
        """The columns of a pool among those of an embedding."""
        n_staged = 0 if self._staged is None else self._staged.embedding_dim
        return slice(0, n_staged) if pool == "stages" else slice(n_staged, None)

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
        return Inputs(self._norm.transform.adapted(wanted), tuple(passes), n_channels, views)

    def embedder(self, inputs: Inputs) -> Embedder:
        """Make the embedder of all pools."""
        method, module = self._built
        return Embedder(module, inputs, device=self._device, precision=method.precision, batch_size=self._batch_size)

    @cached_property
    def _built(self) -> tuple[ComputeMethod, nn.Module]:
        target = self._target
        for method in methods_for(self._norm, self._device, fast_precisions_of(self._device)):
            if IMPLEMENTATIONS[method.implementation].compile is not None:
                continue
            module = self._try(method, target)
            if module is not None:
                return method, module
        norm = build_module(self._norm, PLAIN, target)
        return PLAIN, norm if self._staged is None else SideBySide(build_module(self._staged, PLAIN, target), norm)

    @property
    def _target(self) -> Target:
        side = self.input_size
        return Target(self._device, torch.Size((self._batch_size, 3, side, side)))

    @torch.inference_mode()
    def _try(self, method: ComputeMethod, target: Target) -> nn.Module | None:
        """Build all pools by a method; None where that does not give what the cut network gives."""
        try:
            network = build_module(self._norm, method, target)
            if self._staged is None:
                return network
            assert isinstance(self._staged.module, StagePooled)
            module = AllPools(network, self._staged.module.stages)
            images = torch.rand(target.images, generator=torch.Generator().manual_seed(0))
            images = images.to(memory_format=torch.channels_last)
            dtype = torch.bfloat16 if method.precision == "bf16" else torch.float32
            dtype = torch.float16 if method.precision == "fp16" else dtype
            shared = module(images.to(self._device, dtype))[:2, self.columns("stages")].float().cpu()
            alone = self._staged.module(images[:2])
        except (BackboneError, RuntimeError, AttributeError, AssertionError):
            return None
        is_same = shared.shape == alone.shape and bool((shared - alone).norm() <= SAME * alone.norm())
        return module if is_same else None

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
                    module, inputs, device=self._device, precision=method.precision, batch_size=self._batch_size
                )
                began = time.perf_counter()
                embedder(samples)
                fastest[name] = min(fastest[name], time.perf_counter() - began)
        return {pool: min(1.0, fastest[pool] / fastest["shared"]) for pool in self.pools}
