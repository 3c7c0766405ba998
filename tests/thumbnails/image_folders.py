"""Folders of images for thumbnails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from cellfeat.extraction.store import Features

Make = Callable[..., Features]


def write_images(folder: Path, n: int, n_channels: int = 2, side: int = 32) -> None:
    """Images of random noise; those of sample n get brighter with n."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        pixels = rng.integers(0, 1000, (n_channels, side, side), dtype=np.uint16) + np.uint16(10 * number)
        tifffile.imwrite(folder / f"cell_{number:03}.tif", pixels, photometric="minisblack")
