"""The ways to compute a backbone: a table of implementations, and `ComputeMethod` to name one with its precision.

All give the same embeddings up to the rounding of their precision. Which one is fastest depends on the processor, so
`cellfeat.extraction.forward.precision` measures it.
"""

import copy
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest

import torch
from torch import nn

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.pooling import StagePooled
from cellfeat.backbones.rewrites.batch_norms import fold_batch_norms
from cellfeat.backbones.rewrites.convnext import rewrite_convnext
from cellfeat.backbones.rewrites.onednn import fused_convnext, quantised_convnext
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.cuda_graphs import CudaGraphed

# int8: only the products are in integers, everything around them is in bfloat16.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.bfloat16}
"""Type of a module's input, by precision."""
FOLDING_IMAGES = 2


@dataclass(frozen=True)
class ComputeMethod:
    """How the forward is computed.

    Attributes
    ----------
    precision
        ``fp32``, ``bf16``, ``fp16`` or ``int8``.
    implementation
        A name in `IMPLEMENTATIONS`.
    """

    precision: str
    implementation: str

    def __str__(self) -> str:
        return f"{self.precision} {self.implementation}"


@dataclass(frozen=True)
class Target:
    """What a module is built for: its device, and the shape ``(N, 3, S, S)`` of its batches."""

    device: torch.device
    images: torch.Size


Build = Callable[[LoadedBackbone, str, Target], nn.Module]


@dataclass(frozen=True)
class Implementation:
    """A way to compute a backbone.

    Attributes
    ----------
    build
        Builds the module from the loaded backbone, which it does not change; raises `BackboneError` where it cannot.
    precisions
        Precisions that it supports.
    families
        Families of backbones that it supports; None: all.
    device_types
        Kinds of devices that it supports; None: all.
    is_compiled
        Whether the first forward waits for a compiler.
    """

    build: Build
    precisions: tuple[str, ...] = ("fp32", "bf16", "fp16")
    families: tuple[str, ...] | None = None
    device_types: tuple[str, ...] | None = None
    is_compiled: bool = False

    def fits(self, family: str, device_type: str, precision: str) -> bool:
        """Whether it supports a backbone on a device.

        Parameters
        ----------
        family, device_type, precision
            Family of the backbone, kind of device, and precision.
        """
        return (
            precision in self.precisions
            and (self.families is None or family in self.families)
            and (self.device_types is None or device_type in self.device_types)
        )


def build_module(backbone: LoadedBackbone, method: ComputeMethod, target: Target) -> nn.Module:
    """Build the module that computes a backbone by a method.

    Parameters
    ----------
    backbone
        The loaded backbone; it is not changed.
    method
        Precision and implementation.
    target
        Device and shape of the batches.

    Raises
    ------
    BackboneError
        If the implementation does not support this backbone on this device, or cannot be built on this machine.
    """
    try:
        implementation = IMPLEMENTATIONS[method.implementation]
    except KeyError:
        raise BackboneError(f"this version of cellfeat has no implementation {method.implementation!r}") from None
    if not implementation.fits(backbone.family, target.device.type, method.precision):
        raise BackboneError(f"'{method}' does not support {backbone.name} on {target.device.type}")
    if not isinstance(backbone.module, StagePooled):
        return implementation.build(backbone, method.precision, target)
    if implementation.is_compiled:
        raise BackboneError(f"'{method}' does not support pool: stages, because a compiled network hides its stages")
    network = implementation.build(replace(backbone, module=backbone.module.network), method.precision, target)
    return StagePooled(network, backbone.module.stages)


def methods_for(backbone: LoadedBackbone, device: torch.device, precisions: Iterable[str]) -> list[ComputeMethod]:
    """List the methods that support a backbone, in the order in which to try them.

    The method of each precision that is usually the fastest comes first, compiled ones come last.

    Parameters
    ----------
    backbone, device
        What to compute, and where.
    precisions
        Precisions to list, the preferred one first.
    """
    by_precision = [
        [
            ComputeMethod(precision, name)
            for name, implementation in IMPLEMENTATIONS.items()
            if implementation.fits(backbone.family, device.type, precision)
        ]
        for precision in precisions
    ]
    ranks = zip_longest(*by_precision)
    return [method for rank in ranks for method in rank if method is not None]


def _plain(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    # A copy, because `_placed` changes the module itself; the other builders make their own.
    return _placed(copy.deepcopy(backbone.module), precision, target)


def _folded(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    shape = (FOLDING_IMAGES, *target.images[1:])
    # Noise is enough to see which convolution feeds which norm, and whether the results stay the same.
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return _placed(fold_batch_norms(backbone.module, images), precision, target)


def _rewritten(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    return _placed(rewrite_convnext(backbone.module), precision, target)


def _fused(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    return fused_convnext(backbone.module, dtype=DTYPES[precision], images=target.images)


def _quantised(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:  # noqa: ARG001, see Build
    return quantised_convnext(backbone.module, images=target.images)


def _compiled(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    build = _rewritten if backbone.family == "convnext" else _plain
    # A CUDA build of PyTorch on a machine without a GPU warns about the missing GPU at every compilation.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Freezing lets the compiler fold norms and pack weights. With dynamic shapes it would compile once per shape.
    compiled: nn.Module = torch.compile(build(backbone, precision, target), dynamic=False, options={"freezing": True})  # type: ignore[assignment]
    return CudaGraphed(compiled) if target.device.type == "cuda" else compiled


def _graphed(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    return CudaGraphed(_fastest_eager(backbone, precision, target))


def _fastest_eager(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    build = _rewritten if backbone.family == "convnext" else _folded
    try:
        return build(backbone, precision, target)
    except BackboneError:
        return _plain(backbone, precision, target)


def _placed(module: nn.Module, precision: str, target: Target) -> nn.Module:
    return module.to(device=target.device, dtype=DTYPES[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]


IMPLEMENTATIONS = {
    # A recorded network hides its stages, as a compiled one does.
    "graphed": Implementation(_graphed, device_types=("cuda",), is_compiled=True),
    "fused": Implementation(_fused, precisions=("fp32", "bf16"), families=("convnext",), device_types=("cpu",)),
    "quantised": Implementation(_quantised, precisions=("int8",), families=("convnext",), device_types=("cpu",)),
    "rewritten": Implementation(_rewritten, families=("convnext",)),
    "folded": Implementation(_folded),
    "plain": Implementation(_plain),
    "compiled": Implementation(_compiled, device_types=("cpu", "cuda"), is_compiled=True),
}
"""Implementations by name. The first is usually the fastest."""
