"""What tests on a GPU share. They lie together, and need little more than pytest: benchmarks/gpu.py runs them on
machines without the packages of the other tests.

``CELLFEAT_GPU_TESTS=cpu`` runs them on the CPU, so that every line of them is tried without a GPU.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu_steps import random_weights
from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.samples.synthetic import write_synthetic_cells

N_SAMPLES = 24


@pytest.fixture(scope="session")
def gpu() -> torch.device:
    """The device under test: the first CUDA GPU."""
    if os.environ.get("CELLFEAT_GPU_TESTS") == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU on this machine")
    return torch.device("cuda")


@pytest.fixture(scope="session")
def small_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images of a few generated cells."""
    folder = tmp_path_factory.mktemp("small_cells")
    write_synthetic_cells(folder, N_SAMPLES, seed=3, size=32)
    return folder


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A file of random weights of a network, in which every part affects the result."""
    folder = tmp_path_factory.mktemp("weights")

    def make(name: str) -> str:
        path = folder / f"{name}.pth"
        if not path.exists():
            torch.save(random_weights(name), path)
        return str(path)

    return make


@pytest.fixture
def settings_on(
    gpu: torch.device, small_cells: Path, weights_of: Callable[[str], str], tmp_path: Path
) -> Callable[..., Settings]:
    """Settings that extract the cells on the device under test; further settings by dotted key with ``__``."""

    def make(name: str, backbone: str = "mobilenet_v3_small", **overrides: Any) -> Settings:
        defaults = {
            "images.root": small_cells / "images",
            "labels.file": small_cells / "labels.csv",
            "preprocessing.input_size": 32,
            "preprocessing.crop": "none",
            "backbone.name": backbone,
            "backbone.weights": weights_of(backbone),
            "extraction.output": tmp_path / name / "features.h5",
            "extraction.device": str(gpu),
            "extraction.precision": "fp32",
            "extraction.part_size": 8,
            "extraction.batch_size": 4,
            "extraction.workers": 0,
            "extraction.thumbnails": False,
        }
        return load_settings(overrides=defaults | {key.replace("__", "."): value for key, value in overrides.items()})

    return make
