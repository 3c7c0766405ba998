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
from cellfeat.backbones.rewrites.openvino import compile_with_openvino, openvino_is_installed
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.capabilities import has_avx512
from cellfeat.extraction.forward.cuda_graphs import CudaGraphed

# int8: only the products are in integers, everything around them is in bfloat16.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.bfloat16}
"""Type of a module's input, by precision."""
FOLDING_IMAGES = 2
TORCH_COMPILE_SECONDS = 15.0
"""8 to 20 were measured on 2 cores."""
OPENVINO_SECONDS = 2.0
"""1 to 4 were measured on 2 cores, with the import of the package."""


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
Compile = Callable[[nn.Module, str, Target], nn.Module]


@dataclass(frozen=True)
class Implementation:
    """A way to compute a backbone.

    Attributes
    ----------
    build
        Builds the module from the loaded backbone, which it does not change; raises `BackboneError` where it cannot.
    compile
        Compiles the module that was built, with the pooling of its stages; None: it runs as it is.
    precisions
        Precisions that it supports.
    families
        Families of backbones that it supports; None: all.
    device_types
        Kinds of devices that it supports; None: all.
    startup_seconds
        Estimate of how long a compiler takes, before it is tried.
    trial_share
        Largest share of the remaining time that trials may take, its own included. It is larger where the
        implementation is usually so much faster that this is soon regained.
    is_fallback
        Whether it is tried only where no other form of the network can be built, because it is never the faster one.
    is_available
        Whether this machine has what it needs to be worth a trial: a package, or instructions of the processor.
    """

    build: Build
    compile: Compile | None = None
    precisions: tuple[str, ...] = ("fp32", "bf16", "fp16")
    families: tuple[str, ...] | None = None
    device_types: tuple[str, ...] | None = None
    startup_seconds: float = 0.0
    trial_share: float = 0.02
    is_fallback: bool = False
    is_available: Callable[[], bool] = lambda: True

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
    module = _rebuilt(backbone, implementation, method.precision, target)
    return module if implementation.compile is None else implementation.compile(module, method.precision, target)


def _rebuilt(backbone: LoadedBackbone, implementation: Implementation, precision: str, target: Target) -> nn.Module:
    if not isinstance(backbone.module, StagePooled):
        return implementation.build(backbone, precision, target)
    # A stage keeps its name in each form of the network, so the pooling is put around whatever was built.
    network = implementation.build(replace(backbone, module=backbone.module.network), precision, target)
    return StagePooled(network, backbone.module.stages)


def methods_for(backbone: LoadedBackbone, device: torch.device, precisions: Iterable[str]) -> list[ComputeMethod]:
    """List the methods that support a backbone here, in the order in which to try them.

    Of each precision, those that start at once come first, the one that is usually the fastest before the others. Those
    that wait for a compiler follow. An implementation that needs what this machine lacks is left out.

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
            if implementation.fits(backbone.family, device.type, precision) and implementation.is_available()
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


def _rewritten_if_convnext(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    build = _rewritten if backbone.family == "convnext" else _plain
    return build(backbone, precision, target)


def _as_loaded(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:  # noqa: ARG001, see Build
    return backbone.module


def _openvino_compiled(module: nn.Module, precision: str, target: Target) -> nn.Module:
    return compile_with_openvino(module, precision=precision, images=target.images)


def _torch_compiled(module: nn.Module, precision: str, target: Target) -> nn.Module:  # noqa: ARG001, see Compile
    # A CUDA build of PyTorch on a machine without a GPU warns about the missing GPU at every compilation.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Freezing lets the compiler fold norms and pack weights. With dynamic shapes it would compile once per shape.
    compiled: nn.Module = torch.compile(module, dynamic=False, options={"freezing": True})  # type: ignore[assignment]
    return CudaGraphed(compiled) if target.device.type == "cuda" else compiled


def _graphed(module: nn.Module, precision: str, target: Target) -> nn.Module:  # noqa: ARG001, see Compile
    return CudaGraphed(module)


def _fastest_eager(backbone: LoadedBackbone, precision: str, target: Target) -> nn.Module:
    build = _rewritten if backbone.family == "convnext" else _folded
    try:
        return build(backbone, precision, target)
    except BackboneError:
        return _plain(backbone, precision, target)


def _placed(module: nn.Module, precision: str, target: Target) -> nn.Module:
    return module.to(device=target.device, dtype=DTYPES[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]


IMPLEMENTATIONS = {
    "graphed": Implementation(_fastest_eager, _graphed, device_types=("cuda",)),
    "fused": Implementation(
        _fused,
        precisions=("fp32", "bf16"),
        families=("convnext",),
        device_types=("cpu",),
        # oneDNN's fused products are faster than plain ones with AVX-512, and slower without.
        is_available=has_avx512,
    ),
    "quantised": Implementation(_quantised, precisions=("int8",), families=("convnext",), device_types=("cpu",)),
    "rewritten": Implementation(_rewritten, families=("convnext",), is_fallback=True),
    "folded": Implementation(_folded),
    "plain": Implementation(_plain, is_fallback=True),
    "openvino": Implementation(
        _as_loaded,
        _openvino_compiled,
        precisions=("fp32", "bf16"),
        device_types=("cpu",),
        startup_seconds=OPENVINO_SECONDS,
        trial_share=0.15,
        is_available=openvino_is_installed,
    ),
    "compiled": Implementation(
        _rewritten_if_convnext, _torch_compiled, device_types=("cpu", "cuda"), startup_seconds=TORCH_COMPILE_SECONDS
    ),
}
"""Implementations by name: those that start at once, the usually fastest first; then those that compile."""
