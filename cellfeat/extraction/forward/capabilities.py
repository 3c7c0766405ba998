"""What a device can compute: its precisions, its default batch size, and exact float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

DEFAULT_BATCH = {"cpu": 16, "cuda": 128, "mps": 32}
"""Samples per batch, by kind of device."""


@contextmanager
def exact_float32() -> Iterator[None]:
    """Turn TF32 off inside the block: NVIDIA GPUs otherwise compute float32 convolutions with a 10-bit mantissa."""
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = False
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """List the precisions that a device supports."""
    if device.type == "cuda":
        return ("fp32", "bf16", "fp16") if torch.cuda.is_bf16_supported() else ("fp32", "fp16")
    return ("fp32", "fp16") if device.type == "mps" else ("fp32", "bf16")


def fast_precisions_of(device: torch.device) -> tuple[str, ...]:
    """List the precisions that a device has instructions for; the others are emulated, and slow."""
    if device.type == "cpu" and not _has_fast_bf16():
        return ("fp32",)
    return precisions_of(device)


def has_avx512() -> bool:
    """Whether the processor has AVX-512 instructions, and PyTorch uses them."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _has_fast_bf16() -> bool:
    try:
        # Not a public function: it may be missing from another version or build of PyTorch.
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False
