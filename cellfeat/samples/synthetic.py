"""Generated fluorescence images of nine fictitious cell lines, for demonstrations and tests.

The lines have the names of real ones and differ in the shape of the nucleus, the microtubules and the endoplasmic
reticulum. Every trait varies between cells by about as much as between lines, so that no classifier is perfect.
"""

import csv
import io
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import imagecodecs
import numpy as np
from scipy import ndimage

from cellfeat.errors import ConfigError
from cellfeat.provenance import publish

CHANNELS = ("blue", "red", "yellow")
COPIED_SHARE = 0.04
"""Share of the samples that are exact copies of another sample."""
TRAIT_VARIATION = 0.13
"""Standard deviation of a trait's logarithm within a line.

A linear head on efficientnet_lite0 embeddings of 900 samples has a balanced accuracy of 0.53 with 0.22, and of 0.69
with 0.13.
"""


@dataclass(frozen=True)
class Traits:
    """Appearance of a cell line; lengths are in pixels of a 64-pixel image.

    Attributes
    ----------
    nucleus
        Mean radius of the nucleus.
    elongation
        Ratio of its long axis to its short axis.
    nucleoli
        Mean number of dark spots in the nucleus.
    chromatin
        Grain of the texture of the nucleus.
    spread
        Ratio of the cell's radius to the radius of the nucleus.
    neighbours
        Mean number of further cells in view.
    filaments
        Mean number of microtubules.
    curl
        Curvature of a microtubule, in radians per pixel.
    mesh
        Grain of the reticulum.
    perinuclear
        How fast the reticulum fades outwards from the nucleus.
    """

    nucleus: float
    elongation: float
    nucleoli: float
    chromatin: float
    spread: float
    neighbours: float
    filaments: float
    curl: float
    mesh: float
    perinuclear: float


# Name, share of the samples (unequal, as in real screens) and traits.
CELL_LINES = (
    ("PC-3", 1.2, Traits(11.0, 1.6, 2.0, 1.6, 2.0, 1.0, 70, 0.10, 1.0, 1.2)),
    ("U-251 MG", 1.6, Traits(12.0, 1.3, 3.0, 1.2, 2.4, 0.6, 100, 0.06, 1.4, 2.2)),
    ("HeLa", 1.0, Traits(12.5, 1.2, 3.5, 2.0, 2.2, 0.8, 120, 0.14, 1.0, 1.0)),
    ("A549", 0.8, Traits(12.5, 1.3, 1.5, 1.2, 2.6, 0.5, 130, 0.20, 0.8, 0.7)),
    ("U-2 OS", 1.8, Traits(13.5, 1.4, 2.0, 1.0, 2.8, 0.3, 150, 0.08, 1.2, 2.6)),
    ("MCF7", 2.2, Traits(10.5, 1.2, 4.0, 2.2, 1.8, 2.2, 60, 0.22, 1.5, 1.4)),
    ("HEK 293", 1.4, Traits(9.5, 1.3, 2.5, 1.8, 1.6, 3.0, 35, 0.16, 1.2, 0.8)),
    ("CACO-2", 1.5, Traits(10.0, 1.5, 1.2, 1.4, 1.9, 2.4, 80, 0.12, 1.8, 0.6)),
    ("RT4", 2.8, Traits(9.0, 1.2, 3.0, 1.4, 1.9, 3.5, 55, 0.18, 0.9, 1.8)),
)  # fmt: skip


def write_synthetic_cells(folder: Path, n_samples: int, seed: int, size: int = 64, n_processes: int = 1) -> None:
    """Write images and labels: ``images/<id:05d>_{blue,red,yellow}.png`` and ``labels.csv``.

    Images are 8-bit grey. Blue shows nuclei, red microtubules and yellow the endoplasmic reticulum. About 4 % of the
    samples are exact copies of another sample of their class, with their own id. Equal arguments give equal files.

    Parameters
    ----------
    folder
        Where to write; it is created if it does not exist.
    n_samples
        Number of samples, at least one for each of the nine lines.
    seed
        Seed of the random numbers, not negative.
    size
        Height and width of an image in pixels.
    n_processes
        Number of processes that draw; the files are the same for any number. 1 draws in this process.

    Raises
    ------
    ConfigError
        If there are fewer samples than lines.
    """
    # First, so that a folder that was left half way is known by its labels.
    with publish(folder / "labels.csv") as temporary:
        temporary.write_bytes(synthetic_labels(n_samples, seed).encode())
    lines = _lines(n_samples, seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    samples = [_Sample(sample, int(source), int(lines[source])) for sample, source in enumerate(_sources(lines, seed))]
    if n_processes == 1:
        _write_samples(folder / "images", samples, size, seed)
        return
    # Spawned: a fork of a process with threads may wait forever for a lock that another thread held.
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        shares = [samples[first::n_processes] for first in range(n_processes)]
        done = [pool.submit(_write_samples, folder / "images", share, size, seed) for share in shares]
        for share in done:
            share.result()


@dataclass(frozen=True)
class _Sample:
    """The number of a sample, the sample whose pixels it shows, and the number of its cell line."""

    number: int
    source: int
    line: int


def _write_samples(folder: Path, samples: list[_Sample], size: int, seed: int) -> None:
    for sample in samples:
        # Seeded by the source, so that a copy gets the same pixels.
        rng = np.random.default_rng([seed, 1, sample.source])
        planes = _draw_image(CELL_LINES[sample.line][2], size, rng)
        for channel, plane in zip(CHANNELS, planes, strict=True):
            (folder / f"{sample.number + 1:05d}_{channel}.png").write_bytes(imagecodecs.png_encode(plane))


def synthetic_labels(n_samples: int, seed: int) -> str:
    """The text of ``labels.csv``.

    Parameters
    ----------
    n_samples, seed
        As for `write_synthetic_cells`.

    Raises
    ------
    ConfigError
        If there are fewer samples than lines.
    """
    if n_samples < len(CELL_LINES):
        raise ConfigError(f"n_samples: expected at least {len(CELL_LINES)}, one for each cell line, got {n_samples}")
    text = io.StringIO()
    rows = [(sample + 1, CELL_LINES[line][0]) for sample, line in enumerate(_lines(n_samples, seed))]
    csv.writer(text, lineterminator="\n").writerows([("file_id", "cell_line"), *rows])
    return text.getvalue()


def _lines(n_samples: int, seed: int) -> np.ndarray:
    """The cell line of each sample, in random order: one of each line, the rest by the shares of the lines."""
    shares = np.array([share for _, share, _ in CELL_LINES])
    bounds = np.cumsum(shares) / shares.sum()
    n_shared = n_samples - len(shares)
    evenly_spaced = (np.arange(n_shared) + 0.5) / max(n_shared, 1)
    lines = np.concatenate([np.arange(len(shares)), np.searchsorted(bounds, evenly_spaced)])
    return np.random.default_rng([seed, 0]).permutation(lines)


def _sources(lines: np.ndarray, seed: int) -> np.ndarray:
    """The sample whose pixels each sample shows: itself, or for a few samples another one of the same line."""
    rng = np.random.default_rng([seed, 2])
    sources = np.arange(len(lines))
    copies = rng.choice(len(lines), round(COPIED_SHARE * len(lines)), replace=False)
    originals = np.setdiff1d(sources, copies)
    for copy in copies:
        candidates = originals[lines[originals] == lines[copy]]
        if len(candidates):
            sources[copy] = rng.choice(candidates)
    return sources


@dataclass(frozen=True)
class _Cell:
    """One cell in view.

    `depth` has the shape ``(size, size)``: 0 in the centre of the nucleus, 1 on its edge, and increasing outwards.
    """

    traits: Traits
    centre: np.ndarray
    angle: float
    depth: np.ndarray


def _draw_image(typical: Traits, size: int, rng: np.random.Generator) -> np.ndarray:
    """One image: ``(3, size, size)`` uint8."""
    traits = _varied(typical, rng)
    cells = _cells(traits, size, rng)
    # Each pixel belongs to the cell that is nearest in units of its nucleus, so that bodies do not overlap.
    owner = np.argmin([cell.depth for cell in cells], axis=0)
    planes = np.zeros((3, size, size))
    for i, cell in enumerate(cells):
        body = (owner == i) * _fading(cell.depth, cell.traits.spread, 0.12)
        nucleus = _fading(cell.depth, 1.0, 0.04)
        planes[0] = np.maximum(planes[0], nucleus * _chromatin(cell, size, rng))
        planes[1] += body * (1 - 0.85 * nucleus) * _microtubules(cell, size, rng)
        planes[2] += body * (1 - 0.75 * nucleus) * _reticulum(cell, size, rng)
    return np.stack([_photograph(plane, rng) for plane in planes])


def _varied(traits: Traits, rng: np.random.Generator) -> Traits:
    factors = np.exp(rng.normal(0, TRAIT_VARIATION, len(fields(traits))))
    values = [getattr(traits, field.name) * factor for field, factor in zip(fields(traits), factors, strict=True)]
    return Traits(*values)


def _cells(traits: Traits, size: int, rng: np.random.Generator) -> list[_Cell]:
    """The central cell and its neighbours."""
    scale = size / 64
    middle = size / 2 + rng.normal(0, 0.06 * size, 2)
    n_neighbours = min(rng.poisson(traits.neighbours), 6)
    # Sixths of a circle, so that up to six neighbours stay apart.
    directions = rng.uniform(0, 2 * np.pi) + 2 * np.pi * (np.arange(n_neighbours) + rng.uniform(-0.3, 0.3)) / 6
    distance = scale * traits.nucleus * traits.spread * rng.uniform(1.2, 1.8, (n_neighbours, 1))
    around = middle + distance * np.stack([np.sin(directions), np.cos(directions)], axis=1)
    return [_cell(traits, centre, size, rng) for centre in (middle, *around)]


def _cell(traits: Traits, centre: np.ndarray, size: int, rng: np.random.Generator) -> _Cell:
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[:size, :size] - centre[:, np.newaxis, np.newaxis]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    stretch = np.sqrt(max(traits.elongation, 1.0))
    polar = np.arctan2(across, along)
    bumps = sum(rng.normal(0, 0.05) * np.cos(k * polar + rng.uniform(0, 6.3)) for k in (2, 3, 4))
    radius = size / 64 * traits.nucleus * (1 + bumps)
    return _Cell(traits, centre, angle, np.hypot(along / stretch, across * stretch) / radius)


def _fading(depth: np.ndarray, edge: float, softness: float) -> np.ndarray:
    """1 inside `edge`, 0 outside, with a soft step of relative width `softness`."""
    # Clipped, because the exponential of a large number overflows.
    return 1 / (1 + np.exp(np.clip((depth - edge) / (softness * edge), -50, 50)))


def _grain(size: int, length: float, rng: np.random.Generator) -> np.ndarray:
    """Band-pass noise of unit variance whose blobs are about `length` pixels wide in a 64-pixel image."""
    noise = rng.standard_normal((size, size)).astype(np.float32)
    sigma = max(length, 0.4) * size / 64
    band = ndimage.gaussian_filter(noise, sigma) - ndimage.gaussian_filter(noise, 2 * sigma)
    return band / band.std()


def _chromatin(cell: _Cell, size: int, rng: np.random.Generator) -> np.ndarray:
    texture = 0.75 + 0.16 * _grain(size, cell.traits.chromatin, rng)
    y, x = np.mgrid[:size, :size]
    reach = 0.55 * cell.traits.nucleus * size / 64
    for _ in range(rng.poisson(cell.traits.nucleoli)):
        row, column = cell.centre + rng.uniform(-reach, reach, 2)
        width = rng.uniform(0.10, 0.18) * cell.traits.nucleus * size / 64
        texture *= 1 - 0.6 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    return texture.clip(0)


def _microtubules(cell: _Cell, size: int, rng: np.random.Generator) -> np.ndarray:
    """Smoothed random walks outwards from the nucleus, more of them along the long axis of the cell."""
    scale = size / 64
    n_filaments = max(int(cell.traits.filaments), 3)
    n_steps = int(2.2 * cell.traits.spread * cell.traits.nucleus * scale)
    start = cell.centre + rng.normal(0, 0.7 * cell.traits.nucleus * scale, (n_filaments, 2))
    heading = (
        cell.angle
        + rng.integers(0, 2, n_filaments) * np.pi
        + rng.vonmises(0, 2 * max(cell.traits.elongation - 1, 0), n_filaments)
    )
    turns = rng.normal(0, cell.traits.curl / scale, (n_filaments, 1)) / 2
    jitter = rng.normal(0, cell.traits.curl / scale, (n_filaments, n_steps))
    headings = heading[:, np.newaxis] + np.cumsum(turns + jitter, axis=1)
    rows = start[:, :1] + np.cumsum(np.sin(headings), axis=1)
    columns = start[:, 1:] + np.cumsum(np.cos(headings), axis=1)
    hits, _, _ = np.histogram2d(rows.ravel(), columns.ravel(), bins=size, range=[[0, size], [0, size]])
    return ndimage.gaussian_filter(np.minimum(hits, 4), 0.55 * scale) + 0.06


def _reticulum(cell: _Cell, size: int, rng: np.random.Generator) -> np.ndarray:
    """A mesh that is bright along the zero lines of band-pass noise and fades outwards from the nucleus."""
    mesh = np.exp(-2.5 * np.abs(_grain(size, cell.traits.mesh, rng)))
    outside = np.maximum(cell.depth - 1, 0) / max(cell.traits.spread - 1, 0.2)
    return (0.2 + mesh) * np.exp(-cell.traits.perinuclear * outside)


def _photograph(plane: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Expose to about the full range, sometimes above or far below it, and add shot noise; the result is uint8."""
    exposure = min(rng.lognormal(-0.25, 0.4), 1.3)
    photons = 120 * exposure * plane / max(np.percentile(plane, 99.5), 1e-6)
    noisy = rng.poisson(photons + 0.4) * (255 / 120) - 1
    return noisy.clip(0, 255).astype(np.uint8)
