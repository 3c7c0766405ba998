"""Which device the backbone runs on."""

import torch

from cellfeat.errors import DeviceError

DEFAULT_BATCH = {"cpu": 16, "cuda": 128, "mps": 32}
"""Samples a forward: more gain nothing on the CPU (measured: 92 % of the rate of a bare product), less wastes a GPU."""


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


def use_device(device: torch.device) -> None:
    """Make float32 mean float32: by default a GPU of NVIDIA's computes convolutions with 10 bits of it (TF32)."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


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


def _is_available(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return kind == "cpu"


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1
