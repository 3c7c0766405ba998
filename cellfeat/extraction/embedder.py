"""Samples of one batch -> their embeddings, on the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cellfeat.backbones.transform import Transform
from cellfeat.extraction.passes import Pass, turn
from cellfeat.extraction.pipeline import Decoded

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_DEVICE_TYPES = {np.dtype(np.uint8), np.dtype(np.float32)}


@dataclass(frozen=True)
class Plan:
    """How the forward is computed.

    Attributes
    ----------
    precision
        ``fp32``, ``bf16`` or ``fp16``.
    implementation
        ``plain`` (the network as it was loaded) or ``rewritten`` (the equal, faster one); either way the weights are
        cast to the precision.
    """

    precision: str
    implementation: str


@dataclass(frozen=True)
class Inputs:
    """What the backbone sees of a sample: how it is resized and normalised, and which passes and views there are."""

    transform: Transform
    passes: tuple[Pass, ...]
    n_channels: int
    n_views: int


class Embedder:
    """Embeds batches of a fixed size: an incomplete one is padded, so that the kernels never change.

    Parameters
    ----------
    module
        Maps ``(N, 3, H, W)`` to ``(N, embedding_dim)`` on `device`, in the plan's precision.
    inputs
        What the module sees of a sample.
    device, plan, batch_size
        How it is computed.
    """

    def __init__(
        self, module: torch.nn.Module, inputs: Inputs, *, device: torch.device, plan: Plan, batch_size: int
    ) -> None:
        self.module = module
        self._inputs = inputs
        self._device = device
        self._plan = plan
        self.batch_size = batch_size

    @torch.inference_mode()
    def __call__(self, samples: Sequence[Decoded]) -> np.ndarray:
        """Embed at most `batch_size` samples: ``(len(samples), n_views, n_passes * embedding_dim)`` float32."""
        squares = self.squares(samples)
        embedded = [self._embed_view(turn(squares, view)) for view in range(self._inputs.n_views)]
        return torch.stack(embedded, dim=1)[: len(samples)].float().cpu().numpy()

    @torch.inference_mode()
    def squares(self, samples: Sequence[Decoded]) -> torch.Tensor:
        """Scale and resize samples to the fixed batch shape ``(batch_size, C, S, S)``, values 0 to 1."""
        size = self._inputs.transform.input_size
        batch = torch.zeros(self.batch_size, self._inputs.n_channels, size, size, device=self._device)
        for indices in _by_shape(samples):
            batch[indices] = self._resized([samples[i] for i in indices])
        return batch

    def _resized(self, samples: Sequence[Decoded]) -> torch.Tensor:
        pixels = torch.from_numpy(_stack([sample.pixels for sample in samples]))
        limits = torch.from_numpy(_stack([sample.limits for sample in samples])).to(self._device)
        low, high = limits[:, :, 0, None, None], limits[:, :, 1, None, None]
        values = pixels.to(self._device).to(torch.float32)
        return self._inputs.transform.square(((values - low) / (high - low)).clamp_(0, 1))

    def _embed_view(self, squares: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._embed_pass(squares[:, list(one.planes)]) for one in self._inputs.passes], dim=1)

    def _embed_pass(self, planes: torch.Tensor) -> torch.Tensor:
        normalised = self._inputs.transform.normalised(planes).contiguous(memory_format=torch.channels_last)
        return self.module(normalised.to(_DTYPES[self._plan.precision]))


def prepared(module: torch.nn.Module, *, device: torch.device, plan: Plan) -> torch.nn.Module:
    """Move a module to the device, in channels-last layout, with its weights cast to the plan's precision."""
    return module.to(device=device, dtype=_DTYPES[plan.precision], memory_format=torch.channels_last)  # type: ignore[call-overload]


def _by_shape(samples: Sequence[Decoded]) -> list[list[int]]:
    """Group the samples' positions by shape and type: only equal ones can be stacked."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, sample in enumerate(samples):
        assert sample.pixels is not None, "only samples that were read can be embedded"
        groups.setdefault((sample.pixels.shape, sample.pixels.dtype), []).append(i)
    return list(groups.values())


def _stack(arrays: Sequence[np.ndarray | None]) -> np.ndarray:
    stacked = np.stack([array for array in arrays if array is not None])
    # The device knows few integer types; float32 holds every uint16 exactly, and is what follows anyway.
    return stacked if stacked.dtype in _DEVICE_TYPES else stacked.astype(np.float32)
