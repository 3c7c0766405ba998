"""Small fields of view whose cells are known: images of random pixels, label images and tables."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from cellfeat.config_sources import load_settings
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest

CHANNELS = ("DNA", "ER")
SIDE = 48
CENTRES = ((8, 9), (30, 10), (12, 33), (36, 37))
"""``(x, y)`` of the cells of every field; a cell is a square of 7 pixels."""


@dataclass
class Fields:
    """A folder of fields.

    Attributes
    ----------
    root
        The folder; images are in ``images``, label images in ``masks``.
    pixels
        The image of each field, shape ``(2, SIDE, SIDE)``, by its plate, well and site.
    labels
        The label image of each field.
    """

    root: Path
    pixels: dict[tuple[str, str, int], np.ndarray] = field(default_factory=dict)
    labels: dict[tuple[str, str, int], np.ndarray] = field(default_factory=dict)


def write_fields(root: Path, *, wells: tuple[str, ...] = ("A01", "B02"), n_sites: int = 1) -> Fields:
    """Write fields of two plates, one file a channel, and their label images."""
    fields = Fields(root)
    for plate in ("P1", "P2"):
        for well in wells:
            for site in range(1, n_sites + 1):
                write_field(fields, plate, well, site)
    return fields


def write_field(fields: Fields, plate: str, well: str, site: int) -> None:
    seed = zlib.crc32(f"{fields.root.name} {plate} {well} {site}".encode())
    pixels = np.random.default_rng(seed).integers(0, 60_000, (2, SIDE, SIDE), np.uint16)
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for value, (x, y) in enumerate(CENTRES, start=1):
        labels[y - 3 : y + 4, x - 3 : x + 4] = value
    fields.pixels[plate, well, site], fields.labels[plate, well, site] = pixels, labels
    (fields.root / "images" / plate).mkdir(parents=True, exist_ok=True)
    (fields.root / "masks" / plate).mkdir(parents=True, exist_ok=True)
    for channel, plane in zip(CHANNELS, pixels, strict=True):
        path = fields.root / "images" / plate / f"{well}_s{site}_{channel}.png"
        path.write_bytes(imagecodecs.png_encode(plane))
    tifffile.imwrite(fields.root / "masks" / plate / f"{well}_s{site}_cp_masks.tif", labels)


def _round_cells(centres: np.ndarray, height: int, width: int, *, sign: int = 1) -> np.ndarray:
    """An image with a round cell at each centre, of shape ``(2, height, width)``; the second channel is noise."""
    rows, columns = np.mgrid[:height, :width]
    cells = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 60) for x, y in centres)
    noise = np.random.default_rng(0).normal(0, 4, (2, height, width))
    planes = 120 + noise + np.stack([sign * 90 * cells, 0 * cells])
    return planes.clip(0, 255).astype(np.uint8)


def write_round_cells(
    folder: Path,
    change: Any = None,
    *,
    height: int = 200,
    n_cells: int = 8,
    sign: int = 1,
    pixel_size: float | None = None,
) -> Path:
    """Write four fields of two channels, and a table whose positions are those of the cells after a change.

    The files state the size of a pixel in micrometres, if one is given.
    """
    rng = np.random.default_rng(3)
    stated: dict[str, Any] = {}
    if pixel_size:
        stated = {"resolution": (1e4 / pixel_size, 1e4 / pixel_size), "resolutionunit": "CENTIMETER"}
    (folder / "images").mkdir()
    lines = ["field,x,y"]
    for name in ("f1", "f2", "f3", "f4"):
        centres = np.column_stack([rng.integers(20, 180, n_cells), rng.integers(20, height - 20, n_cells)])
        planes = _round_cells(centres, height, 200, sign=sign)
        for channel, plane in zip(("dna", "er"), planes, strict=True):
            tifffile.imwrite(folder / "images" / f"{name}_{channel}.tif", plane, **stated)
        for x, y in centres:
            given = (x, y) if change is None else change(float(x), float(y), 200)
            lines.append(f"{name},{given[0]},{given[1]}")
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    return folder


def settings_of_round_cells(folder: Path) -> dict[str, Any]:
    """Settings of what `write_round_cells` writes, by key."""
    return {
        "images.root": folder / "images",
        "images.layout": "fields",
        "images.pattern": "{field}_{channel}.tif",
        "images.channels": ["dna", "er"],
        "images.fields.positions": str(folder / "cells.csv"),
        "images.fields.crop_size": 16,
        "preprocessing.channels_as": "separate",
        "labels.file": None,
    }


def write_csv(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def manifest(root: Path, **overrides: Any) -> Manifest:
    """The manifest of fields as `write_fields` writes them; further settings by key, ``__`` in place of the dot."""
    settings = {
        "images.root": root / "images",
        "images.layout": "fields",
        "images.pattern": "{plate}/{well}_s{site}_{channel}.png",
        "images.channels": list(CHANNELS),
        "images.fields.crop_size": 9,
        "labels.file": None,
        "labels.label": "treatment",
    } | {key.replace("__", "."): value for key, value in overrides.items()}
    loaded = load_settings(overrides=settings)
    return build_manifest(loaded.images, loaded.labels)
