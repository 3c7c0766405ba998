"""Generated cells of which one property alone tells the classes apart, and settings that find them."""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision import models

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings

Draw = Callable[[int, np.random.Generator], np.ndarray]
"""Gives a sample of a class, shape ``(C, H, W)`` with values from 0 to 1."""


def write_samples(folder: Path, n_of_class: dict[str, int], draw: Draw, *, seed: int = 0) -> Path:
    """Write a folder of TIFFs for each class; the class number is the place of its name."""
    for code, (name, n) in enumerate(n_of_class.items()):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            pixels = draw(code, np.random.default_rng([seed, code, number]))
            image = (pixels.clip(0, 1) * 255).astype(np.uint8)
            (folder / name / f"{number:03d}.tif").write_bytes(imagecodecs.tiff_encode(image, photometric="minisblack"))
    return folder


def settings_of(images: Path, output: Path, n_channels: int = 3, **overrides: object) -> Settings:
    return load_settings(
        overrides={
            "images.root": images,
            "images.layout": "folders",
            "images.channels": list(range(n_channels)),
            "labels.file": None,
            "extraction.output": output / "cells.h5",
            "extraction.workers": 0,
            "extraction.device": "cpu",
            "extraction.batch_size": 8,
            **overrides,
        }
    )


def disc(radii: tuple[float, float], rng: np.random.Generator, size: int = 40) -> np.ndarray:
    """A soft ellipse of these half axes at a random angle, near the middle."""
    y, x = np.mgrid[:size, :size] - (size / 2 + rng.normal(0, 2, 2))[:, None, None]
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return 1 / (1 + np.exp(4 * (np.hypot(along / radii[0], across / radii[1]) - 1) * min(radii) / 2))


def noise(sigma: float, rng: np.random.Generator, size: int = 40) -> np.ndarray:
    """Noise of this grain, unit variance."""
    grain = ndimage.gaussian_filter(rng.standard_normal((size, size)), sigma)
    return grain / grain.std()


def by_colour(code: int, rng: np.random.Generator) -> np.ndarray:
    """Cells whose channels 0 and 1 are equally bright (class 0), or unequally, whichever is the brighter (class 1)."""
    body = disc((12, 12), rng)
    bright = rng.uniform(0.3, 0.7)
    gap = 0.0 if code == 0 else rng.choice([-0.2, 0.2])
    levels = (bright + gap / 2, bright - gap / 2, rng.uniform(0.3, 0.7))
    return np.stack([level * body + 0.02 * rng.standard_normal(body.shape) for level in levels])


def by_texture(code: int, rng: np.random.Generator) -> np.ndarray:
    """Cells of one form and brightness; the grain of their texture is fine (even classes) or coarse (odd ones)."""
    body = disc((14, 14), rng)
    return np.stack([body * (0.5 + 0.12 * noise((0.7, 1.1)[code % 2], rng)) for _ in range(3)])


def by_shape(code: int, rng: np.random.Generator) -> np.ndarray:
    """Cells of one area, brightness and texture, round (class 0) or long (class 1)."""
    stretch = (1.0, 1.35)[code] * np.exp(rng.normal(0, 0.06))
    radius = 12 * np.exp(rng.normal(0, 0.1))
    body = disc((radius * stretch, radius / stretch), rng)
    return np.stack([body * (0.5 + 0.1 * noise(1.0, rng)) for _ in range(3)])


@pytest.fixture(scope="session")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small network with random weights in a file, as ``NAME=FILE``."""
    file = tmp_path_factory.mktemp("weights") / "mobilenet.pth"
    torch.manual_seed(0)
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), file)
    return f"mobilenet_v3_small={file}"
