"""New images are found where training images lay in folders of their class."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.commands.steps.inference_inputs import _found_samples
from cellfeat.config_sources import load_settings
from cellfeat.errors import ManifestError

PATTERN = "{label}/{channel}_{cell}.png"


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(imagecodecs.png_encode(np.zeros((4, 4), np.uint8)))
    return folder


def settings_of(root: Path):
    return load_settings(
        overrides={
            "images.root": str(root),
            "images.layout": "pattern",
            "images.pattern": PATTERN,
            "images.channels": ["red", "blue"],
            "labels.file": None,
        }
    )


def test_folders_of_classes_may_be_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "Neue Bilder", "red_1.png", "blue_1.png", "red_2.png", "blue_2.png")
    settings, manifest = _found_samples(settings_of(root), {})
    assert settings.images.pattern == "{channel}_{cell}.png"
    assert manifest.table["sample_id"].tolist() == ["1", "2"]
    assert "{channel}_{cell}.png" in capsys.readouterr().err


def test_folders_of_classes_are_used_where_they_are(tmp_path: Path) -> None:
    root = write(tmp_path / "images", "a/red_1.png", "a/blue_1.png")
    settings, manifest = _found_samples(settings_of(root), {})
    assert settings.images.pattern == PATTERN
    assert manifest.table["label"].tolist() == ["a"]


def test_other_names_give_the_first_message(tmp_path: Path) -> None:
    root = write(tmp_path / "images", "green-1.png")
    with pytest.raises(ManifestError, match=r"green-1\.png"):
        _found_samples(settings_of(root), {})
    flat = write(tmp_path / "flat", "red_1.png", "blue_1.png")
    with pytest.raises(ManifestError):
        _found_samples(settings_of(flat), {"images.pattern": PATTERN})
