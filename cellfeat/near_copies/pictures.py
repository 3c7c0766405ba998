"""Small grey pictures of samples, and the range of each channel, from one pass over all images."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.config import Settings
from cellfeat.errors import ImageError, MissingFileError, WorkerError
from cellfeat.extraction.sample_images import opened_images
from cellfeat.extraction.store import Features, Properties, Samples, Status, no_properties
from cellfeat.near_copies.overlap import Shape
from cellfeat.near_copies.patches import Patches, keep_one_in, patches
from cellfeat.near_copies.shrink import grey_picture, shrink_factor
from cellfeat.processors import usable_processors
from cellfeat.samples.image_file.properties import FileProperties
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.images import ReadsSamples, pixel_digest
from cellfeat.samples.reading.worker_pool import reading_processes, sample_reader
from cellfeat.statistics.picture_summary import PictureSummary, summarise
from cellfeat.storage.url import Location
from cellfeat.types import Float32s, Integers

ReadsRow = Callable[[int], NDArray | None]
"""Gives the pixels of a row, shape ``(C, H, W)``, or None where they cannot be read."""

SCALE_SAMPLES = 200
BLOCK_ROWS = 1024
READERS = 8


class ChannelRange(NamedTuple):
    """Lowest and highest value of one channel of one sample, and the share of its pixels at the highest."""

    row: int
    channel: str | int
    lowest: float
    highest: float
    share_at_highest: float

    @property
    def is_constant(self) -> bool:
        """Whether every pixel has the same value."""
        return self.lowest == self.highest


@dataclass(frozen=True)
class PictureScale:
    """How pictures and patches are made, the same for all samples that are compared.

    Attributes
    ----------
    channels
        What each channel is divided by in the pictures, shape ``(n_channels,)``.
    factor
        Height and width are divided by this number in the pictures.
    one_in
        One in so many patches is kept.
    """

    channels: Float32s
    factor: int
    one_in: int


@dataclass(frozen=True)
class SamplePictures:
    """Pictures and channel ranges, from one pass over all images.

    Attributes
    ----------
    rows
        Row numbers of the samples that could be read, shape ``(n_read,)``.
    pictures
        A small grey picture of each of them, shape ``(height, width)`` each.
    ranges
        The range of each of their channels.
    scale
        How the pictures and patches were made.
    patches
        Fingerprints of some patches of each of them.
    shapes
        Height and width of each of them in pixels.
    summaries
        Numbers about the pixels of each of them.
    channels
        The channels, in order.
    """

    rows: Integers
    pictures: list[Float32s]
    ranges: list[ChannelRange]
    scale: PictureScale
    patches: list[Patches]
    shapes: list[Shape]
    summaries: list[PictureSummary]
    channels: tuple[str | int, ...]

    def take(self, places: Integers) -> Self:
        """Some of the samples that could be read, by their places among them, shape ``(n,)``."""
        rows = self.rows[places]
        taken = set(rows.tolist())
        return replace(
            self,
            rows=rows,
            pictures=[self.pictures[place] for place in places],
            ranges=[one for one in self.ranges if one.row in taken],
            patches=[self.patches[place] for place in places],
            shapes=[self.shapes[place] for place in places],
            summaries=[self.summaries[place] for place in places],
        )

    def joined(self, others: Self) -> Self:
        """These samples and then others, whose pictures were made to the same scale."""
        return replace(
            self,
            rows=np.concatenate([self.rows, others.rows]),
            pictures=[*self.pictures, *others.pictures],
            ranges=[*self.ranges, *others.ranges],
            patches=[*self.patches, *others.patches],
            shapes=[*self.shapes, *others.shapes],
            summaries=[*self.summaries, *others.summaries],
        )


def read_pictures(features: Features, images: Location, *, scale: PictureScale | None = None) -> SamplePictures:
    """Read the images that features were extracted from.

    Parameters
    ----------
    features
        The features, which hold the digest of each image's pixels.
    images
        Folder of the images.
    scale
        That of other pictures, to compare these with them. None measures it on the images.

    Raises
    ------
    FingerprintError
        If an image has changed since it was embedded.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    with opened_images(features, images) as found:
        return _read_all(np.flatnonzero(features.samples.is_ok), found.read, found.channels, scale)


def read_folder_pictures(settings: Settings, say: Callable[[str], None]) -> tuple[Samples, SamplePictures]:
    """Read the images that settings describe, before any features are extracted from them.

    Parameters
    ----------
    settings
        Where the images and labels are.
    say
        Receives remarks about the samples.

    Returns
    -------
    samples
        Their ids, labels and digests; those that cannot be read have failed.
    pictures
        Of the other samples.

    Raises
    ------
    ManifestError, MissingFileError, ConfigError
        If the images cannot be found as described.
    """
    manifest = build_manifest(settings.images, settings.labels)
    for line in manifest.remarks:
        say(line)
    with reading_processes(settings.extraction) as workers:
        reader = sample_reader(manifest, workers, max_pixels=settings.images.max_pixels)
        folder = _FolderImages(reader, {}, {}, {})
        pictures = _read_all(np.arange(len(manifest)), folder.read, manifest.channels)
    return _samples(manifest, folder), pictures


def pictures_of(pixels: Sequence[NDArray | None], channels: tuple[str | int, ...]) -> SamplePictures:
    """Make the pictures of samples that are in memory.

    Parameters
    ----------
    pixels
        Of shape ``(C, H, W)`` each; None where a sample could not be read.
    channels
        The channels, in order.
    """
    return _read_all(np.arange(len(pixels)), pixels.__getitem__, channels)


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
        properties=folder.all_properties(len(manifest)),
        regions=manifest.regions,
    )


def _read_all(
    rows: Integers, read: ReadsRow, channels: tuple[str | int, ...], scale: PictureScale | None = None
) -> SamplePictures:
    scale = _scale(rows, read, len(channels)) if scale is None else scale
    read_rows: list[int] = []
    pictures: list[Float32s] = []
    ranges: list[ChannelRange] = []
    kept: list[Patches] = []
    shapes: list[Shape] = []
    summaries: list[PictureSummary] = []
    for row, pixels in _readable(read, rows):
        read_rows.append(row)
        pictures.append(grey_picture(pixels, scale.channels, scale.factor))
        ranges.extend(_range(row, channel, plane) for channel, plane in zip(channels, pixels, strict=True))
        kept.append(patches(pixels, scale.one_in))
        shapes.append(pixels.shape[1:])
        summaries.append(summarise(pixels))
    return SamplePictures(
        np.array(read_rows, dtype=np.intp), pictures, ranges, scale, kept, shapes, summaries, channels
    )


def _scale(rows: Integers, read: ReadsRow, n_channels: int) -> PictureScale:
    """Typical size of some pictures, and the standard deviation of each channel within them, averaged."""
    sampled = rows[:: max(len(rows) // SCALE_SAMPLES, 1)]
    spreads, sides, n_pixels = [], [], []
    for _, pixels in _readable(read, sampled):
        spreads.append(np.std(pixels, axis=(1, 2)))
        sides.append(max(pixels.shape[1:]))
        n_pixels.append(pixels[0].size)
    if not spreads:
        return PictureScale(np.ones(n_channels, dtype=np.float32), 1, 1)
    mean = np.mean(spreads, axis=0)
    return PictureScale(
        np.where(mean > 0, mean, 1).astype(np.float32),
        shrink_factor(int(np.median(sides))),
        keep_one_in(int(np.median(n_pixels))),
    )


def _readable(read: ReadsRow, rows: Integers) -> Iterator[tuple[int, NDArray]]:
    """Rows and their pixels, in order; those that cannot be read are left out."""
    with ThreadPoolExecutor(min(READERS, usable_processors()), thread_name_prefix="pictures") as pool:
        # `map` starts to read everything that it is given at once: blocks bound the pixels in memory.
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
    """The images of a folder; collects their digests and properties, and why some cannot be read."""

    reader: ReadsSamples
    digests: dict[int, str]
    failures: dict[int, str]
    properties: dict[int, FileProperties]

    def read(self, row: int) -> NDArray | None:
        try:
            sample = self.reader.read_sample(row)
        except (ImageError, MissingFileError, WorkerError) as error:
            self.failures[row] = str(error)
            self.digests.pop(row, None)  # it may have been readable the first time
            return None
        self.failures.pop(row, None)  # a sample may be read twice, and only the last time counts
        self.digests[row] = pixel_digest(sample.pixels)
        self.properties[row] = sample.properties
        return sample.pixels

    def all_properties(self, n_samples: int) -> Properties:
        """The properties of all samples; empty where one could not be read."""
        records = no_properties(n_samples)
        for row, properties in self.properties.items():
            records[row] = tuple(properties)
        return Properties(records)
