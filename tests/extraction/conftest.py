"""Small images and small networks with weights that matter, and extractions of them."""

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import models

from cellfeat.backbones.registry import load_backbone
from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.extraction.extract import extract
from cellfeat.samples.synthetic import write_synthetic_cells
from tests.object_stores import bucket, faulty, s3_server  # noqa: F401, pytest finds fixtures by name
from tests.samples.remote_folders import impatient  # noqa: F401


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 generated samples: ``images/`` and ``labels.csv``, of three classes."""
    folder = tmp_path_factory.mktemp("cells")
    write_synthetic_cells(folder, n_samples=24, seed=3, size=32)
    rows = [f"{i},{('HeLa', 'A549', 'U-2 OS')[i % 3]}" for i in range(1, 25)]
    (folder / "labels.csv").write_text("\n".join(["file_id,cell_line", *rows]) + "\n")
    return folder


@pytest.fixture
def images(cells: Path, tmp_path: Path) -> Path:
    """A copy of the images of `cells`, to be changed."""
    return shutil.copytree(cells / "images", tmp_path / "images")


def randomise(module: torch.nn.Module, seed: int) -> torch.nn.Module:
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
            torch.save(randomise(models.get_model(name), seed=1).state_dict(), path)
        return path

    return make


@pytest.fixture(scope="session", autouse=True)
def load_backbones_once() -> Iterator[None]:
    """Load each network once per session: tests/backbones test loading, and embedding does not change a network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cellfeat.backbones.side_by_side.load_backbone", functools.cache(load_backbone))
        yield


@pytest.fixture(scope="session")
def settings_into(cells: Path, checkpoint: Callable[[str], Path]) -> Callable[..., Settings]:
    """Settings that extract `cells` with a small network into a folder; further settings by dotted key.

    Images are read in place: starting processes takes longer than the rest of such an extraction. Thumbnails have
    tests of their own.
    """

    def make(folder: Path, backbone: str = "mobilenet_v3_small", **overrides: Any) -> Settings:
        defaults = {
            "images.root": cells / "images",
            "labels.file": cells / "labels.csv",
            "preprocessing.input_size": 64,
            "preprocessing.crop": "none",
            "backbone.name": backbone,
            "backbone.weights": str(checkpoint(backbone)),
            "extraction.output": folder / "features.h5",
            "extraction.device": "cpu",
            "extraction.precision": "fp32",
            "extraction.part_size": 8,
            "extraction.batch_size": 4,
            "extraction.workers": 0,
            "extraction.thumbnails": False,
        }
        return load_settings(overrides=defaults | {key.replace("__", "."): value for key, value in overrides.items()})

    return make


@pytest.fixture
def settings_for(settings_into: Callable[..., Settings], tmp_path: Path) -> Callable[..., Settings]:
    """`settings_into` for the folder of the test."""

    def make(backbone: str = "mobilenet_v3_small", **overrides: Any) -> Settings:
        return settings_into(tmp_path, backbone, **overrides)

    return make


@pytest.fixture(scope="session")
def finished(settings_into: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The feature file of `cells` by given settings, extracted once per session; not to be changed."""
    made: dict[str, Path] = {}

    def get(backbone: str = "mobilenet_v3_small", **overrides: Any) -> Path:
        key = json.dumps([backbone, overrides], sort_keys=True, default=str)
        if key not in made:
            made[key] = extract(settings_into(tmp_path_factory.mktemp("finished"), backbone, **overrides)).path
        return made[key]

    return get


@pytest.fixture
def copy_of_finished(finished: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of the default feature file, where `settings_for` writes its own."""
    return shutil.copy(finished(), tmp_path / "features.h5")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
