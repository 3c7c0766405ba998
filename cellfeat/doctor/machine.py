"""The machine: devices, threads, memory and folders."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from threadpoolctl import threadpool_info

from cellfeat.device import choose_device, describe_device
from cellfeat.doctor.findings import Finding
from cellfeat.extraction.forward.capabilities import fast_precisions_of
from cellfeat.processors import usable_processors

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LITTLE_ROOM = 2_000_000_000
"""Bytes: weights of a network take up to 1 GB, a feature file of 28,896 samples and 1,024 columns 0.12 GB."""


def look_at_machine() -> Iterator[Finding]:
    """Yield the Python, the device, its precisions, threads and folders."""
    yield Finding("python", f"{platform.python_version()}, {platform.platform()}")
    device = choose_device("auto")
    yield Finding("device", describe_device(device))
    yield Finding("fast precisions", ", ".join(fast_precisions_of(device)))
    yield _look_at_threads()
    yield from _look_at_openmp()
    yield from _look_at_folders()


def _look_at_threads() -> Finding:
    n_cores, n_threads = usable_processors(), torch.get_num_threads()
    found = f"torch computes with {n_threads} of {n_cores} cores"
    variables = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if os.environ.get(name)]
    if variables:
        found += f" ({', '.join(variables)})"
    # Torch counts cores, and the system's number counts two for a core with hyper-threading.
    if variables and n_threads < n_cores:
        return Finding("threads", found, "note", f"for all cores: unset {' '.join(THREAD_VARIABLES)}")
    return Finding("threads", found)


def _look_at_openmp() -> Iterator[Finding]:
    """Find two kinds of OpenMP in one process: Intel's and LLVM's together may stop, or compute wrong numbers."""
    __import__("lightgbm")
    kinds = sorted({one["prefix"] for one in threadpool_info() if one["user_api"] == "openmp"})
    if {"libiomp5", "libomp"} <= set(kinds) or {"libiomp", "libomp"} <= set(kinds):
        advice = "install all packages with one installer, either pip or conda"
        yield Finding("OpenMP", f"two runtimes in one process: {', '.join(kinds)}", "problem", advice)


def _look_at_folders() -> Iterator[Finding]:
    folders = {"working folder": Path.cwd(), "temporary folder": Path(tempfile.gettempdir()), "weights": _weights()}
    for topic, folder in folders.items():
        yield _look_at_folder(topic, folder)
    if sys.getfilesystemencoding().lower() != "utf-8":
        found = f"names of files are {sys.getfilesystemencoding()}"
        yield Finding("encoding", found, "note", "set PYTHONUTF8=1: results hold names in UTF-8")


def _weights() -> Path:
    """The folder in which torch keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _look_at_folder(topic: str, folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        return Finding(
            topic, f"{folder}: cannot be written", "problem", f"choose another, or allow writing in {existing}"
        )
    free = shutil.disk_usage(existing).free
    found = f"{folder}: {free / 1e9:.1f} GB free"
    return Finding(topic, found, "note", "make room") if free < LITTLE_ROOM else Finding(topic, found)
