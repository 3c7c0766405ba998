"""Folders of images for thumbnails, and features of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from cellfeat.config import Settings
from cellfeat.extraction.store import Features
from cellfeat.near_copies.pictures import read_folder_pictures

Make = Callable[..., Features]


def write_images(folder: Path, n: int, n_channels: int = 2, side: int = 32) -> None:
    """Images of random noise; those of sample n get brighter with n."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        pixels = rng.integers(0, 1000, (n_channels, side, side), dtype=np.uint16) + np.uint16(10 * number)
        tifffile.imwrite(folder / f"cell_{number:03}.tif", pixels, photometric="minisblack")


def features_of_images(path: Path, settings: Settings) -> Features:
    """Samples with images and pixel digests, as a feature file holds them, without a network.

    Parameters
    ----------
    path
        The feature file.
    settings
        Where the images are.
    """
    samples, _ = read_folder_pictures(settings, lambda _line: None)
    return Features(
        path=path,
        samples=samples,
        embeddings=np.zeros((len(samples), 1, 2), np.float32),
        fingerprint="sha256:test",
        recipe={"passes": ["planes"], "embedding_dim": 2},
        provenance={"settings": settings.record()},
    )
