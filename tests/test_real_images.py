"""The main job on real images, where the machine has them: extract 200 samples, compare, fit, predict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cellfeat
from cellfeat.auditing.audit import audit_images
from cellfeat.config_sources import load_settings
from cellfeat.evaluation.design import Design

pytestmark = pytest.mark.slow

MakeSettings = Callable[..., dict[str, Any]]


def cell_lines(real_data: Path, folder: Path) -> dict[str, Any]:
    """The first 200 samples of the cell lines: 8-bit, a grey file for each channel."""
    labels = pd.read_csv(real_data / "jku_cell_lines" / "y_train.csv").head(200)
    labels.to_csv(folder / "labels.csv", index=False)
    images = folder / "images"
    images.mkdir()
    for path in (real_data / "jku_cell_lines" / "images_train").iterdir():
        if int(path.name[:5]) <= 200:
            (images / path.name).symlink_to(path)
    return {"images.root": images, "labels.file": folder / "labels.csv"}


def cell_cycle(real_data: Path, folder: Path) -> dict[str, Any]:
    """Some 30 samples of each phase: 16-bit, three channels in a file, a folder for each class."""
    images = folder / "images"
    for phase in sorted(path for path in (real_data / "jurkat_cell_cycle").iterdir() if path.is_dir()):
        (images / phase.name).mkdir(parents=True)
        for path in sorted(phase.iterdir())[:30]:
            (images / phase.name / path.name).symlink_to(path)
    return {
        "images.root": images,
        "images.layout": "folders",
        "images.channels": [0, 1, 2],
        "images.intensity": {"percentile": [0.1, 99.9], "over": "dataset"},
        "labels.file": None,
        "preprocessing.channels_as": "separate",
    }


SETS = {"cell lines": cell_lines, "cell cycle": cell_cycle}


@pytest.mark.parametrize("name", SETS)
def test_extract_compare_fit_and_predict(name: str, real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    settings = load_settings(
        overrides={
            "backbone.name": "efficientnet_lite0",
            "preprocessing.input_size": 112,
            "preprocessing.crop": "none",
            "extraction.output": tmp_path / "features.h5",
            **SETS[name](real_data, tmp_path),
        }
    )
    extraction = cellfeat.extract(settings)
    assert extraction.n_failed == 0
    features = cellfeat.load_features(extraction.path)
    assert np.isfinite(features.embeddings).all()

    comparison = cellfeat.compare(features, ["logreg", "knn", "dummy"], design=Design(folds=3))
    scores = {result.head: result for result in comparison.results}
    assert scores["dummy"].balanced_accuracy == pytest.approx(1 / len(comparison.classes))
    assert scores["logreg"].scores.overall.interval.low > scores["dummy"].balanced_accuracy + 0.1

    bundle, _ = cellfeat.fit(features, "logreg", design=Design(folds=3))
    predictions = cellfeat.predict(bundle, features)
    assert (predictions.predicted == features.samples.labels).mean() > 0.9


@pytest.mark.parametrize("name", SETS)
def test_files_and_names_of_real_cells_are_no_shortcut(name: str, real_data: Path, tmp_path: Path) -> None:
    """Cells of the lines reach the border, so that it is no finding; light of the other cells reaches it."""
    found = audit_images(load_settings(overrides=SETS[name](real_data, tmp_path)))
    assert found.probes is not None
    assert {probe.name for probe in found.probes.telling if probe.is_shortcut} <= {"border"}
    if name == "cell lines":
        assert "shortcut" not in found.counts()
