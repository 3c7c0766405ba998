"""The torch device that a computation runs on."""

import re
from collections.abc import Sequence

import torch

from cellfeat.errors import DeviceError

_NOUNS = {"cuda": "CUDA GPUs", "mps": "MPS devices", "cpu": "CPU device"}


def choose_device(
    wanted: str, *, kinds: Sequence[str] = ("cuda", "mps", "cpu"), setting: str = "--device"
) -> torch.device:
    """Choose a device by its name, or the best one of this machine.

    Parameters
    ----------
    wanted
        ``auto`` for the first of `kinds` that this machine has; otherwise a name such as ``cpu``, ``cuda`` or
        ``cuda:1``.
    kinds
        Kinds of devices to choose from, the preferred one first.
    setting
        Name of the setting, for messages.

    Raises
    ------
    DeviceError
        If `wanted` is not a device of these kinds, or this machine does not have it. A device that was asked for by
        name is never replaced by the CPU.
    """
    if wanted == "auto":
        return torch.device(next(kind for kind in kinds if _count(kind)))
    if not re.fullmatch(rf"({'|'.join(kinds)})(:\d+)?", str(wanted)):
        raise DeviceError(f"{setting}: expected auto, {_names(kinds)}, got {wanted!r}")
    device = torch.device(wanted)
    n_devices = _count(device.type)
    # The index is None where the name has no number.
    if (device.index or 0) >= n_devices:
        raise DeviceError(
            f"{setting}: {wanted!r} was asked for and this machine has {n_devices} {_NOUNS[device.type]}; "
            f"use auto or cpu"
        )
    return device


def describe_device(device: torch.device) -> str:
    """Describe a device for a person: ``cuda (NVIDIA H100)``, ``cpu (2 threads)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def device_model(device: torch.device) -> str:
    """Name the hardware: the model of a CUDA GPU, otherwise ``cpu`` or ``mps``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    return 1


def _names(kinds: Sequence[str]) -> str:
    names = sorted([*kinds, *(["cuda:N"] if "cuda" in kinds else [])])
    return f"{', '.join(names[:-1])} or {names[-1]}"
