"""Extractions and saved heads that tests of several commands share: tests add files to the folder, and change none."""

import csv
from pathlib import Path

import pandas as pd
import pytest
import torch
from torchvision import models

from cellfeat.samples.synthetic import write_synthetic_cells
from tests.commands.command_line import EXTRACT, LAYOUTS, Ended, lay_out, rows_of, succeed

N_SAMPLES = 150


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: images, a checkpoint, labels with a plate for all but one sample, ``features/cells.h5``."""
    folder = tmp_path_factory.mktemp("user")
    write_synthetic_cells(folder, n_samples=N_SAMPLES, seed=1, size=32)
    labels = pd.read_csv(folder / "labels.csv")
    labels["plate"] = [f"plate {i % 30}" if i else "" for i in range(N_SAMPLES)]
    labels.to_csv(folder / "labels.csv", index=False)
    torch.manual_seed(0)
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), folder / "weights.pth")
    succeed(folder, *EXTRACT)
    return folder


@pytest.fixture(scope="session")
def saved_knn(folder: Path) -> str:
    """A saved head, fitted on all samples."""
    succeed(folder, "fit", "--head", "knn", "--folds", "2", "--output", "saved-knn")
    return "saved-knn"


@pytest.fixture(scope="session")
def laid_out(folder: Path) -> dict[str, str]:
    """Saved heads by the layout of the images that they are fitted on: see `LAYOUTS` and `lay_out`."""
    lay_out(folder)
    for layout, options in LAYOUTS.items():
        features = f"features/{layout}.h5"
        channels = ("--set", "images.channels=[0,1,2]")
        succeed(folder, *EXTRACT, "--images", "rgb", *options, *channels, "--output", features)
        succeed(folder, "fit", "--head", "knn", "--folds", "2", "--features", features, "--output", f"{layout}-knn")
    return {layout: f"{layout}-knn" for layout in LAYOUTS}


@pytest.fixture(scope="session")
def early(folder: Path) -> Path:
    """The folder with a head ``early``, fitted on the first 100 samples; ``late.csv`` has the labels of the last 60."""
    heading, *rows = rows_of(folder / "labels.csv")
    for name, part in (("early.csv", rows[:100]), ("late.csv", rows[90:])):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([heading, *part])
    listed = ("--labels", "early.csv", "--set", "labels.unmatched=listed", "--set", "comparison.folds=3")
    succeed(folder, *EXTRACT, *listed, "--output", "features/early.h5")
    fit = ("fit", "--head", "logreg", "--folds", "3", "--features", "features/early.h5", "--output", "early")
    succeed(folder, *fit)
    return folder


@pytest.fixture(scope="session")
def scored(early: Path) -> tuple[Ended, Path]:
    """The head ``early`` scored on ``late.csv``: how the command ended, and the features that it extracted."""
    done = succeed(early, "score", "--model", "early", "--images", "images", "--labels", "late.csv")
    (features,) = (early / "early_on_late").glob("*.features.h5")
    return done, features.relative_to(early)
