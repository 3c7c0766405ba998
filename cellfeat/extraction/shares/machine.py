"""What the numbers of a machine depend on: device, libraries, threads."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cellfeat.device import device_model
from cellfeat.provenance import differences, versions


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Describe this machine, as JSON values: its name, and all that may change the last bits of an embedding."""
    return {
        "host": socket.gethostname(),
        "device": device_model(device),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "versions": {**versions(), **_gpu_libraries(device)},
    }


def machine_differences(planned: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """List in what two machines differ, other than their names.

    Parameters
    ----------
    planned, here
        As `describe_machine` gives them.
    """
    before, now = ({key: value for key, value in one.items() if key != "host"} for one in (planned, here))
    return "; ".join(differences(before, now)) or "nothing that is recorded"


def _processor() -> str:
    """The model of the processor; ``""`` where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _gpu_libraries(device: torch.device) -> dict[str, str]:
    if device.type != "cuda":
        return {}
    return {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
