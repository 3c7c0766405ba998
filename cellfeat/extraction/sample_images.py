"""The images that a feature file was extracted from, read again and checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from numpy.typing import NDArray

from cellfeat.config import Settings
from cellfeat.errors import FingerprintError, ImageError, MissingFileError
from cellfeat.extraction.store import Features
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import ReadsSamples, pixel_digest
from cellfeat.samples.reading.worker_pool import Workers, reading_processes, sample_reader
from cellfeat.samples.tables.file import table_exists
from cellfeat.storage.url import Location


@dataclass(frozen=True)
class SampleImages:
    """The images of a feature file's samples, checked against its digests; threads can share one.

    Attributes
    ----------
    features
        The features, which hold the digest of each image's pixels.
    images
        Folder of the images.
    reader
        Reads the samples of the manifest.
    file_row
        Row of the manifest by sample id.
    channels
        The channels, in order.
    """

    features: Features
    images: Location
    reader: ReadsSamples
    file_row: dict[str, int]
    channels: tuple[str | int, ...]

    @classmethod
    def of(cls, features: Features, images: Location | None = None, workers: Workers | None = None) -> Self:
        """Find the images of features.

        Parameters
        ----------
        features
            The features.
        images
            Folder of the images; None: the one that they were extracted from.
        workers
            Processes that read; None: this process reads.

        Raises
        ------
        ManifestError, MissingFileError, ImageError
            If the images cannot be found as the features' settings describe.
        """
        settings = recorded_settings(features)
        root = settings.images.root if images is None else images
        labels = settings.labels
        if not _needs_table(settings):
            # File names find the images without the table of labels, which may have moved.
            labels = labels.model_copy(update={"file": None, "group": None})
        # Samples that were added or removed since are ignored here; `read` reports one that is missing.
        manifest = build_manifest(
            settings.images.model_copy(update={"root": root}), labels.model_copy(update={"unmatched": "ignore"})
        )
        reader = sample_reader(manifest, workers, max_pixels=settings.images.max_pixels)
        places = {sample_id: row for row, sample_id in enumerate(manifest.table["sample_id"])}
        return cls(features, root, reader, places, manifest.channels)

    def block(self, row: int) -> int:
        """The number of the samples that are read at once with that in `row` of the features; -1 without an image."""
        file_row = self.file_row.get(str(self.features.samples.ids[row]))
        return -1 if file_row is None else self.reader.block(file_row)

    def read(self, row: int) -> NDArray:
        """Read the pixels of the sample in `row` of the features: shape ``(C, H, W)``, of the files' own type.

        Raises
        ------
        FingerprintError
            If the image is missing, or has changed since it was embedded.
        MissingFileError, ImageError
            If it cannot be read.
        """
        samples = self.features.samples
        sample_id = str(samples.ids[row])
        if not samples.is_ok[row]:
            reason = samples.failures.get(row, "its image could not be read")
            raise ImageError(f"sample {sample_id!r} has no embedding in {self.features.path}: {reason}")
        if sample_id not in self.file_row:
            raise FingerprintError(f"{self.images}: no image of the sample {sample_id!r} of {self.features.path}")
        pixels = self.reader.read(self.file_row[sample_id])
        if pixel_digest(pixels) != samples.digests[row]:
            raise FingerprintError(
                f"{self.images}: the image of sample {sample_id!r} has changed since {self.features.path} was "
                "extracted from it; give the folder of the original images, or extract again"
            )
        return pixels


def recorded_settings(features: Features) -> Settings:
    """The settings that features were extracted with.

    Raises
    ------
    MissingFileError
        If there are no images behind them.
    """
    if features.is_imported:
        raise MissingFileError(f"{features.path}: was imported from a table: its samples have no images to read")
    settings = features.recorded_settings
    if settings is None:
        raise MissingFileError(f"{features.path}: does not say which images it was extracted from")
    return settings


@contextmanager
def opened_images(features: Features, images: Location | None = None) -> Iterator[SampleImages]:
    """Find the images of features, to be read by processes that end with the block.

    Parameters
    ----------
    features, images
        As for `SampleImages.of`, also its errors.
    """
    with reading_processes(recorded_settings(features).extraction) as workers:
        yield SampleImages.of(features, images, workers)


def _needs_table(settings: Settings) -> bool:
    """Whether the labels table says where samples are: by names of files, or by positions on fields."""
    if settings.images.layout != "fields":
        return settings.labels.files is not None
    named = settings.images.fields.positions
    return named is None and settings.labels.file is not None and table_exists(settings.labels.file)
