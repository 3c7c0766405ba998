"""Small images and small networks with weights that are awake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import models

from cellfeat.config import Settings, load_settings
from cellfeat.samples.synthetic import write_synthetic_cells


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 generated samples: ``images/`` and ``labels.csv``, of three classes."""
    folder = tmp_path_factory.mktemp("cells")
    write_synthetic_cells(folder, n_samples=24, seed=3, size=32)
    rows = [f"{i},{('HeLa', 'A549', 'U-2 OS')[i % 3]}" for i in range(1, 25)]
    (folder / "labels.csv").write_text("\n".join(["file_id,cell_line", *rows]) + "\n")
    return folder


def awake(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Give every scale and statistic a value that matters: a fresh ConvNeXt's layer_scale of 1e-6 hides its blocks."""
    generator = torch.Generator().manual_seed(seed)
    state = module.state_dict()
    for name, tensor in state.items():
        if "layer_scale" in name or "running_var" in name:
            tensor.uniform_(0.1, 1, generator=generator)
        elif "running_mean" in name:
            tensor.normal_(0, 0.1, generator=generator)
    return module.eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a checkpoint of a torchvision network with random weights, once per session."""
    folder = tmp_path_factory.mktemp("weights")

    def make(name: str) -> Path:
        path = folder / f"{name}.pth"
        if not path.exists():
            torch.manual_seed(0)
            torch.save(awake(models.get_model(name), seed=1).state_dict(), path)
        return path

    return make


@pytest.fixture
def settings_for(cells: Path, tmp_path: Path, checkpoint: Callable[[str], Path]) -> Callable[..., Settings]:
    """Settings that extract `cells` with a small network into `tmp_path`; further settings by dotted key."""

    def make(backbone: str = "mobilenet_v3_small", **overrides: Any) -> Settings:
        defaults = {
            "images.root": cells / "images",
            "labels.file": cells / "labels.csv",
            "preprocessing.input_size": 64,
            "preprocessing.crop": "none",
            "backbone.name": backbone,
            "backbone.weights": str(checkpoint(backbone)),
            "extraction.output": tmp_path / "features.h5",
            "extraction.device": "cpu",
            "extraction.precision": "fp32",
            "extraction.part_size": 8,
            "extraction.batch_size": 4,
        }
        return load_settings(overrides=defaults | {key.replace("__", "."): value for key, value in overrides.items()})

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
