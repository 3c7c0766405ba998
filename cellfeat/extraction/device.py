"""Which device the backbone runs on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from cellfeat.errors import DeviceError

DEFAULT_BATCH = {"cpu": 16, "cuda": 128, "mps": 32}
"""Samples a forward."""


def choose_device(wanted: str) -> torch.device:
    """Choose the device: ``auto`` takes cuda, else mps, else the cpu.

    Raises
    ------
    DeviceError
        If the device that was asked for by name is not there: the cpu is never taken in its place without a word.
    """
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if _is_available(name)))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise DeviceError(f"--device {wanted}: not a device; valid: auto, cpu, cuda, cuda:0 …, mps") from None
    if not _is_available(device.type) or (device.index or 0) >= _count(device.type):
        raise DeviceError(f"--device {wanted}: this machine, or this build of torch, has none; try --device auto")
    return device


@contextmanager
def whole_float32() -> Iterator[None]:
    """Let float32 mean float32 in the block: a GPU of NVIDIA's computes convolutions with 10 bits of it (TF32) else."""
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = False
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def describe_device(device: torch.device) -> str:
    """Name a device as a person would: ``cuda (NVIDIA H100)``, ``cpu (2 threads)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """List the precisions that a device computes in."""
    if device.type == "cuda":
        return ("fp32", "bf16", "fp16") if torch.cuda.is_bf16_supported() else ("fp32", "fp16")
    return ("fp32", "fp16") if device.type == "mps" else ("fp32", "bf16")


def fast_precisions_of(device: torch.device) -> tuple[str, ...]:
    """List the precisions that a device has instructions for; the others it computes, but slowly."""
    if device.type == "cpu" and not _has_fast_bf16():
        return ("fp32",)
    return precisions_of(device)


def _has_fast_bf16() -> bool:
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False


def _is_available(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return kind == "cpu"


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1
