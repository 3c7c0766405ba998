"""Features of images in a folder of the test."""

from pathlib import Path
from typing import Any

import pytest

from cellfeat.config_sources import load_settings
from cellfeat.extraction.store import Features
from tests.thumbnails.image_folders import Make, features_of_images, write_images


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make features of images in a folder of the test, saved beside it; settings by dotted key."""
    monkeypatch.setenv("CELLFEAT_CACHE", str(tmp_path / "cache"))

    def features(n: int = 70, n_channels: int = 2, **overrides: Any) -> Features:
        images = tmp_path / "images"
        if not images.exists():
            write_images(images, n, n_channels)
        settings = load_settings(
            overrides={
                "images.root": str(images),
                "images.pattern": "cell_{sample_id:03d}.tif",
                "images.channels": list(range(n_channels)),
                "labels.file": None,
                "extraction.workers": 0,
                **overrides,
            }
        )
        return features_of_images(tmp_path / "cells.h5", settings)

    return features
