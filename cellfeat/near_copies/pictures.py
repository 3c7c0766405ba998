"""What the pixels of samples show: a small picture of each, and channels that hold nothing or too much."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.config import Settings
from cellfeat.errors import FingerprintError, ImageError, MissingFileError, WorkerError
from cellfeat.extraction.store import Features, Samples, Status
from cellfeat.near_copies.overlap import grey_picture
from cellfeat.samples.images import ReadsSamples, SampleReader, pixel_digest
from cellfeat.samples.manifest import Manifest, build_manifest
from cellfeat.samples.workers import Workers, WorkersReader
from cellfeat.types import Float32s, Integers

ReadsRow = Callable[[int], NDArray | None]
"""Gives a row's pixels, shape ``(C, H, W)``, or None where they cannot be read."""

SATURATED_SHARE = 0.05
"""Share of an image's pixels at its highest value above which it counts as saturated, if that is where all saturate.

That is the highest value at which any image of the channel has so many: a camera of 12 bits saturates at 4,095 of a
file's 65,535, whatever a hot pixel of another image reads. A value below the median of the images' highest is none: few
grey levels in the dark are not saturation.
"""

SCALE_SAMPLES = 200
BLOCK_ROWS = 1024
READERS = 8


class ChannelRange(NamedTuple):
    """What one channel of one sample holds."""

    row: int
    channel: str | int
    lowest: float
    highest: float
    share_at_highest: float

    @property
    def is_constant(self) -> bool:
        """Whether it holds nothing."""
        return self.lowest == self.highest

    @property
    def is_piled_up(self) -> bool:
        """Whether more pixels have the highest value than a picture of something would give it."""
        return self.share_at_highest > SATURATED_SHARE


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
    ranges
        What each channel of each of `rows` holds.
    scale
        What each channel was divided by in the pictures.
    """

    rows: Integers
    pictures: list[Float32s]
    ranges: list[ChannelRange]
    scale: Float32s

    def bad_channels(self) -> Iterator[BadChannel]:
        """Channels that are constant or saturated."""
        ceilings = self._ceilings()
        for one in self.ranges:
            if one.is_constant:
                yield BadChannel(one.row, "constant channel", f"{one.channel}: every pixel is {one.highest:g}")
            elif one.is_piled_up and one.highest == ceilings.get(one.channel):
                detail = f"{one.channel}: {one.share_at_highest:.0%} of the pixels are {one.highest:g}"
                yield BadChannel(one.row, "saturated channel", detail)

    def _ceilings(self) -> dict[str | int, float]:
        """The value at which each channel saturates, of those that do."""
        highest: dict[str | int, list[float]] = defaultdict(list)
        piled_up: dict[str | int, list[float]] = defaultdict(list)
        for one in self.ranges:
            if not one.is_constant:
                highest[one.channel].append(one.highest)
                piled_up[one.channel] += [one.highest] if one.is_piled_up else []
        return {
            channel: max(values)
            for channel, values in piled_up.items()
            if values and max(values) >= np.median(highest[channel])
        }


def look_at(features: Features, images: Path, *, scale: Float32s | None = None) -> Look:
    """Read the images that the features were made from.

    Parameters
    ----------
    scale
        What to divide each channel by in the pictures: that of another look, to hold these beside its own. None finds
        it in the images.

    Raises
    ------
    FingerprintError
        If an image is another than the one that was embedded.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    settings = Settings.model_validate(features.provenance["settings"])
    with Workers(settings.extraction.image_timeout) as workers:
        pixels_of = _SampleImages.of(features, images, settings, workers)
        return _look(np.flatnonzero(features.samples.is_ok), pixels_of.read, pixels_of.channels, scale)


def look_at_folder(settings: Settings) -> tuple[Samples, Look]:
    """Look at the images that settings describe, before any features of them are made.

    Returns
    -------
    samples
        Their ids, labels and digests; those that cannot be read have failed.
    look
        What was seen of the others.

    Raises
    ------
    ManifestError, MissingFileError, ConfigError
        If the images cannot be found as described.
    """
    manifest = build_manifest(settings.images, settings.labels)
    with Workers(settings.extraction.image_timeout) as workers:
        reader = WorkersReader(SampleReader.for_manifest(manifest, max_pixels=settings.images.max_pixels), workers)
        folder = _FolderImages(reader, {}, {})
        look = _look(np.arange(len(manifest)), folder.read, manifest.channels)
    return _samples(manifest, folder), look


def _samples(manifest: Manifest, folder: "_FolderImages") -> Samples:
    def text(name: str) -> NDArray[np.str_]:
        return manifest.table[name].to_numpy(dtype=str)

    rows = range(len(manifest))
    return Samples(
        ids=text("sample_id"),
        labels=text("label"),
        groups=text("group"),
        status=np.array([Status.OK if row in folder.digests else Status.FAILED for row in rows], dtype=np.uint8),
        digests=np.array([folder.digests.get(row, "") for row in rows], dtype=str),
        columns={name: text(name) for name in manifest.columns},
        failures=folder.failures,
    )


def _look(rows: Integers, read: ReadsRow, channels: tuple[str | int, ...], scale: Float32s | None = None) -> Look:
    scale = _scale(rows, read, len(channels)) if scale is None else scale
    seen: list[int] = []
    pictures: list[Float32s] = []
    ranges: list[ChannelRange] = []
    for row, pixels in _readable(read, rows):
        seen.append(row)
        pictures.append(grey_picture(pixels, scale))
        ranges.extend(_range(row, channel, plane) for channel, plane in zip(channels, pixels, strict=True))
    return Look(np.array(seen, dtype=np.intp), pictures, ranges, scale)


def _scale(rows: Integers, read: ReadsRow, n_channels: int) -> Float32s:
    """What each channel varies by within a picture, on average over some of them."""
    sampled = rows[:: max(len(rows) // SCALE_SAMPLES, 1)]
    spreads = [np.std(pixels, axis=(1, 2)) for _, pixels in _readable(read, sampled)]
    scale = np.mean(spreads, axis=0) if spreads else np.ones(n_channels)
    return np.where(scale > 0, scale, 1).astype(np.float32)


def _readable(read: ReadsRow, rows: Integers) -> Iterator[tuple[int, NDArray]]:
    """Rows and their pixels, in order, without those that cannot be read."""
    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1), thread_name_prefix="look") as pool:
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS].tolist()
            for row, pixels in zip(block, pool.map(read, block), strict=True):
                if pixels is not None:
                    yield row, pixels


def _range(row: int, channel: str | int, plane: NDArray) -> ChannelRange:
    highest = plane.max()
    share = np.count_nonzero(plane == highest) / plane.size
    return ChannelRange(row, channel, float(plane.min()), float(highest), share)


@dataclass(frozen=True)
class _FolderImages:
    """The images of a folder, of which nothing is known yet: their digests, and why some cannot be read."""

    reader: ReadsSamples
    digests: dict[int, str]
    failures: dict[int, str]

    def read(self, row: int) -> NDArray | None:
        try:
            pixels = self.reader.read(row)
        except (ImageError, MissingFileError, WorkerError) as error:
            self.failures[row] = str(error)
            return None
        self.failures.pop(row, None)  # each is read once or twice: what came the second time did not fail
        self.digests[row] = pixel_digest(pixels)
        return pixels


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

    def read(self, row: int) -> NDArray:
        sample_id = str(self.features.samples.ids[row])
        if sample_id not in self.file_row:
            raise FingerprintError(f"{self.images}: no image of the sample {sample_id!r} of {self.features.path}")
        pixels = self.reader.read(self.file_row[sample_id])
        if pixel_digest(pixels) != self.features.samples.digests[row]:
            raise FingerprintError(
                f"{self.images}: the image of sample {sample_id!r} is not the one that {self.features.path} was made "
                "from; give the folder it was made from, or extract again"
            )
        return pixels
