"""Samples with images and pixel digests, as a feature file holds them, without a network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.config_sources import load_settings
from cellfeat.extraction.store import Features
from cellfeat.near_copies.pictures import read_folder_pictures
from tests.thumbnails.image_folders import Make, write_images


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
        samples, _ = read_folder_pictures(settings, lambda _line: None)
        return Features(
            path=tmp_path / "cells.h5",
            samples=samples,
            embeddings=np.zeros((len(samples), 1, 2), np.float32),
            fingerprint="sha256:test",
            recipe={"passes": ["planes"], "embedding_dim": 2},
            provenance={"settings": settings.record()},
        )

    return features
