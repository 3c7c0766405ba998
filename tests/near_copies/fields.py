"""Crops of generated fields of view whose overlaps are known."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter


@dataclass(frozen=True)
class Crops:
    """Square crops: pixels of shape (1, side, side), the field each was cut from, and its centre (row, column)."""

    pixels: list[np.ndarray]
    field: np.ndarray
    centre: np.ndarray
    side: int

    def shares(self) -> dict[tuple[int, int], float]:
        """The share of the area that each pair of overlapping crops has in common."""
        found = {}
        for first in range(len(self.field)):
            for second in range(first + 1, len(self.field)):
                if self.field[first] == self.field[second]:
                    apart = np.abs(self.centre[first] - self.centre[second])
                    share = float(np.prod(np.maximum(1 - apart / self.side, 0)))
                    if share:
                        found[first, second] = share
        return found


def nuclei_on_black(rng: np.random.Generator, side: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Bright elliptic nuclei with some texture, on a dark noisy background."""
    rows, columns = np.mgrid[:side, :side]
    field, centres = np.full((side, side), 0.02), []
    for _ in range(side * side // int(64 * scale) ** 2):
        row, column = rng.uniform(0, side, 2)
        long, short = rng.uniform(8, 13) * scale, rng.uniform(7, 11) * scale
        angle = rng.uniform(0, np.pi)
        along = (columns - column) * np.cos(angle) + (rows - row) * np.sin(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        edge = np.clip(((along / long) ** 2 + (across / short) ** 2 - 1) * 6, -30, 30)
        field = np.maximum(field, rng.uniform(0.4, 0.8) / (1 + np.exp(edge)))
        centres.append((row, column))
    texture = gaussian_filter(rng.normal(size=field.shape), scale)
    field = field * (1 + 0.12 * texture / texture.std()) + rng.normal(0, 0.004, field.shape)
    return field, np.array(centres)


def textured(rng: np.random.Generator, side: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A confluent layer: texture at three scales everywhere."""
    field = np.full((side, side), 0.4)
    for deviation, weight in ((0.8, 0.06), (2, 0.1), (6, 0.15)):
        layer = gaussian_filter(rng.normal(size=(side, side)), deviation * scale)
        field += weight * layer / layer.std()
    n_cells = side * side // int(64 * scale) ** 2
    return field + rng.normal(0, 0.01, field.shape), rng.uniform(0, side, (n_cells, 2))


KINDS = {"nuclei on black": nuclei_on_black, "textured": textured}


def crops(kind: str, side: int = 64, n_fields: int = 12, seed: int = 0) -> Crops:
    """Crops around the cells of some fields, in 8 bits."""
    rng = np.random.default_rng(seed)
    pixels, fields, places = [], [], []
    for number in range(n_fields):
        field, centres = KINDS[kind](rng, 5 * side, side / 64)
        field = np.round(np.clip(field, 0, 1) * 255).astype(np.uint8)
        half = side // 2
        for row, column in np.round(centres).astype(int):
            if half <= min(row, column) and max(row, column) <= 5 * side - half:
                pixels.append(field[np.newaxis, row - half : row + half, column - half : column + half])
                fields.append(number)
                places.append((row, column))
    return Crops(pixels, np.array(fields), np.array(places), side)
