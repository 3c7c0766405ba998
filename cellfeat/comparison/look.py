"""What the pixels of a feature file's samples show: near copies, and channels that hold nothing or too much."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.config import Settings
from cellfeat.errors import FingerprintError
from cellfeat.extraction.store import Features, Status
from cellfeat.samples.images import ReadsSamples, SampleReader, pixel_digest
from cellfeat.samples.manifest import build_manifest
from cellfeat.samples.overlap import Overlap, grey_picture, overlaps
from cellfeat.samples.workers import Workers, WorkersReader

Integers = NDArray[np.integer]
Pair = tuple[int, int]

NEIGHBOURS = 30
"""Nearest neighbours of each sample that are candidates for a near copy.

Two crops of one field often look no more alike to the backbone than two cells of one kind: of the pairs of real cells
found among 10 neighbours, only 4 in 10 were the very nearest.
"""

SATURATED_SHARE = 0.05
"""Share of a channel's pixels at the type's maximum above which it counts as saturated."""

SCALE_SAMPLES = 200
BLOCK_ROWS = 1024
READERS = 8


class BadChannel(NamedTuple):
    """A channel of one sample that holds nothing, or too much."""

    row: int
    finding: str
    detail: str


@dataclass(frozen=True)
class Look:
    """What was seen of the samples' pixels.

    Attributes
    ----------
    rows
        The samples that could be read.
    pictures
        A small grey picture of each of `rows`.
    bad_channels
        Constant and saturated channels.
    """

    rows: Integers
    pictures: list[NDArray[np.float32]]
    bad_channels: list[BadChannel]


def look_at(features: Features, images: Path) -> Look:
    """Read the images that the features were made from.

    Raises
    ------
    FingerprintError
        If an image is another than the one that was embedded.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    settings = Settings.model_validate(features.provenance["settings"])
    rows = np.flatnonzero(features.status == Status.OK)
    sampled = rows[:: max(len(rows) // SCALE_SAMPLES, 1)]
    look = Look(rows, [], [])
    with Workers(settings.extraction.image_timeout) as workers:
        pixels_of = _SampleImages.of(features, images, settings, workers)
        scale = np.mean([np.std(pixels, axis=(1, 2)) for pixels in pixels_of.read(sampled)], axis=0)
        scale = np.where(scale > 0, scale, 1)
        for row, pixels in zip(rows.tolist(), pixels_of.read(rows), strict=True):
            look.pictures.append(grey_picture(pixels, scale))
            look.bad_channels.extend(_bad_channels(row, pixels, pixels_of.channels))
    return look


def near_copies(features: Features, look: Look, copies: list[Pair]) -> dict[Pair, Overlap]:
    """Find samples that show a part of the same place, among the nearest neighbours of each sample.

    Parameters
    ----------
    copies
        Pairs (first, later) of equal pixels: of these only the first is compared.

    Returns
    -------
    dict
        Their overlap by pair of rows, the smaller row first.
    """
    is_later = np.isin(look.rows, [later for _, later in copies])
    places = np.flatnonzero(~is_later)
    embeddings = features.embeddings[look.rows[places]].mean(axis=1)
    pairs = places[nearest_pairs(embeddings, NEIGHBOURS)]
    found = overlaps(look.pictures, pairs)
    rows = look.rows.tolist()
    return {(rows[first], rows[second]): overlap for (first, second), overlap in sorted(found.items())}


def nearest_pairs(embeddings: NDArray[np.float32], n_neighbours: int) -> Integers:
    """Pair each sample with its nearest neighbours by cosine, over standardised columns.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        Each pair once, the smaller number first.
    """
    n_neighbours = min(n_neighbours, len(embeddings) - 1)
    if n_neighbours < 1:
        return np.empty((0, 2), dtype=np.intp)
    centred = embeddings - embeddings.mean(axis=0)
    centred /= np.maximum(centred.std(axis=0), 1e-6)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    blocks = []
    for start in range(0, len(centred), BLOCK_ROWS):
        cosine = centred[start : start + BLOCK_ROWS] @ centred.T
        here = np.arange(start, start + len(cosine))
        cosine[np.arange(len(cosine)), here] = -np.inf
        nearest = np.argpartition(-cosine, n_neighbours - 1, axis=1)[:, :n_neighbours]
        blocks.append(np.column_stack([np.repeat(here, n_neighbours), nearest.ravel()]))
    return np.unique(np.sort(np.concatenate(blocks), axis=1), axis=0)


@dataclass(frozen=True)
class _SampleImages:
    """The images of a feature file's samples, checked against the digests that it holds."""

    features: Features
    images: Path
    reader: ReadsSamples
    file_row: dict[str, int]
    channels: tuple[str | int, ...]

    @classmethod
    def of(cls, features: Features, images: Path, settings: Settings, workers: Workers) -> "_SampleImages":
        labels = settings.labels
        if not labels.files:
            # Names of files alone find the images: the table of labels may be elsewhere by now.
            labels = labels.model_copy(update={"file": None, "group": None})
        manifest = build_manifest(
            settings.images.model_copy(update={"root": images}), labels.model_copy(update={"unmatched": "ignore"})
        )
        reader = WorkersReader(SampleReader.for_manifest(manifest, max_pixels=settings.images.max_pixels), workers)
        places = {sample_id: row for row, sample_id in enumerate(manifest.table["sample_id"])}
        return cls(features, images, reader, places, manifest.channels)

    def read(self, rows: Integers) -> Iterator[NDArray]:
        """Pixels of the rows, in their order."""
        with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1), thread_name_prefix="look") as pool:
            for start in range(0, len(rows), BLOCK_ROWS):
                yield from pool.map(self._read_one, rows[start : start + BLOCK_ROWS].tolist())

    def _read_one(self, row: int) -> NDArray:
        sample_id = str(self.features.sample_id[row])
        if sample_id not in self.file_row:
            raise FingerprintError(f"{self.images}: no image of the sample {sample_id!r} of {self.features.path}")
        pixels = self.reader.read(self.file_row[sample_id])
        if pixel_digest(pixels) != self.features.pixel_digest[row]:
            raise FingerprintError(
                f"{self.images}: the image of sample {sample_id!r} is not the one that {self.features.path} was made "
                "from; give the folder it was made from, or extract again"
            )
        return pixels


def _bad_channels(row: int, pixels: NDArray, channels: tuple[str | int, ...]) -> Iterator[BadChannel]:
    # Where a float's "full" lies, nothing says.
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else np.inf
    for channel, plane in zip(channels, pixels, strict=True):
        share = np.count_nonzero(plane == full) / plane.size
        if plane.min() == plane.max():
            yield BadChannel(row, "constant channel", f"{channel}: every pixel is {plane.flat[0]}")
        elif share > SATURATED_SHARE:
            yield BadChannel(row, "saturated channel", f"{channel}: {share:.0%} of the pixels are {full}")
