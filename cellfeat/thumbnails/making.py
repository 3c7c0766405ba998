"""Make the thumbnails of a feature file from its images: all of them, or one block."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import CellfeatError, FingerprintError, ImageError, MissingFileError, WorkerError
from cellfeat.extraction.observer import Observer, SilentObserver
from cellfeat.extraction.read_ahead import read_ahead
from cellfeat.extraction.sample_images import SampleImages, opened_images, recorded_settings
from cellfeat.extraction.store import Features, make_view_folder, view_folder
from cellfeat.extraction.timing import Timeline
from cellfeat.processors import usable_processors
from cellfeat.samples.intensity.advice import spread_blocks, spread_rows
from cellfeat.samples.sheets.files import Block, SheetsRecord, named_channels, write_record
from cellfeat.samples.sheets.shards import make_shard
from cellfeat.samples.sheets.tiles import SIDE, make_tile
from cellfeat.samples.sheets.windows import ChannelValues, values_of
from cellfeat.storage.url import Location, as_location
from cellfeat.text import counted
from cellfeat.thumbnails.kept import Thumbnails
from cellfeat.types import Bytes

UNREADABLE = (FingerprintError, ImageError, MissingFileError, WorkerError)
"""What costs one sample its thumbnail, and no other."""

MOST_READERS = 8
SAMPLES_AHEAD = 128
Read = TypeVar("Read")


@dataclass(frozen=True)
class _Thumbnail:
    row: int
    tile: Bytes | None
    reason: str = ""


def make_thumbnails(
    features: Features,
    *,
    images: Location | str | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
) -> Thumbnails:
    """Make the thumbnails of all samples that have none yet, and keep them beside the feature file.

    Blocks that are there are kept; those that are damaged, or have samples that could not be read, are made again. A
    sample whose image is missing or has changed gets a black thumbnail, and `Thumbnails.unread` says why.

    Parameters
    ----------
    features
        The features, extracted from images.
    images
        Folder of the images, or its address; None: the one that they were extracted from.
    workers
        Number of samples that are read at once; None: one for each core, at most 8.
    observer
        Receives messages and progress.

    Raises
    ------
    MissingFileError, ManifestError, ImageError, FingerprintError
        If the images cannot be found, or none of those that were tried can be read as it was.
    DiskFullError, WriteError
        If the thumbnails cannot be written.
    """
    observer = observer or SilentObserver()
    recorded_settings(features)
    begun = Thumbnails.begun(features, view_folder(features))
    missing = None if begun is None else _missing(begun)
    if begun is not None and not missing:
        return begun
    with opened_images(features, None if images is None else as_location(images)) as found:
        maker = BlockMaker.of(found, workers)
        maker.make_all(range(maker.thumbnails.n_blocks) if missing is None else missing, observer)
    return maker.thumbnails


def make_block(features: Features, number: int, *, images: Location | str | None = None) -> bytes:
    """Make one block of thumbnails, and keep it; to make several, use a `BlockMaker`.

    Parameters
    ----------
    features
        The features, extracted from images.
    number
        Number of the block.
    images
        As for `make_thumbnails`, also the errors.

    Returns
    -------
    bytes
        As `Thumbnails.block`.
    """
    with opened_images(features, None if images is None else as_location(images)) as found:
        return BlockMaker.of(found).make(number).shard


@dataclass(frozen=True)
class BlockMaker:
    """Makes blocks of thumbnails from opened images; threads can share one.

    Attributes
    ----------
    images
        The images: see `cellfeat.extraction.sample_images.opened_images`.
    thumbnails
        Where blocks are kept, and how they are made.
    n_readers
        Number of samples that are read at once.
    """

    images: SampleImages
    thumbnails: Thumbnails
    n_readers: int

    @classmethod
    def of(cls, images: SampleImages, workers: int | None = None) -> Self:
        """Continue the thumbnails of the features of images, or begin them: then windows are measured first.

        Parameters
        ----------
        images, workers
            The opened images, and as for `make_thumbnails`, also the errors.
        """
        n_readers = workers or min(MOST_READERS, usable_processors())
        folder = make_view_folder(images.features)
        begun = Thumbnails.begun(images.features, folder)
        return cls(images, _begin(images, folder, n_readers) if begun is None else begun, n_readers)

    def make_all(self, numbers: Sequence[int], observer: Observer) -> None:
        """Make blocks, and keep them.

        Parameters
        ----------
        numbers
            Numbers of the blocks.
        observer
            Receives the progress, and a line where images cannot be read as they were.
        """
        record = self.thumbnails.record
        n_samples = sum(len(record.rows(number)) for number in numbers)
        n_done, unread = 0, dict[int, str]()
        observer.advance(0, n_samples)
        for number, block in self._blocks(numbers):
            self.thumbnails.keep(number, block)
            unread.update(block.unread)
            n_done += len(record.rows(number))
            observer.advance(n_done, n_samples)
        if unread:
            row, reason = next(iter(unread.items()))
            observer.say(f"{counted(len(unread), 'sample')} without a thumbnail, such as row {row}: {reason}")

    def make(self, number: int) -> Block:
        """Make one block, and keep it.

        Raises
        ------
        MissingFileError
            If no image of it can be read as it was; the message is that of the first one.
        """
        ((_, block),) = self._blocks([number])
        rows = self.thumbnails.record.rows(number)
        if block.unread and len(block.unread) == np.count_nonzero(self.images.features.samples.is_ok[rows]):
            raise MissingFileError(next(iter(block.unread.values())))
        self.thumbnails.keep(number, block)
        return block

    def _blocks(self, numbers: Sequence[int]) -> Iterator[tuple[int, Block]]:
        """Make blocks one after the other; images of the next ones are read meanwhile."""
        record = self.thumbnails.record
        rows_of_all = (row for number in numbers for row in record.rows(number))
        read = _read_ahead(self.images, self._thumbnail, rows_of_all, self.n_readers)
        for number in numbers:
            rows = record.rows(number)
            tiles = np.zeros((len(rows), len(record.channels), SIDE, SIDE), np.uint8)
            unread = {}
            for place, one in zip(range(len(rows)), read, strict=False):
                if one.tile is not None:
                    tiles[place] = one.tile
                elif one.reason:
                    unread[one.row] = one.reason
            yield number, Block(make_shard(tiles), unread)

    def _thumbnail(self, row: int) -> _Thumbnail:
        if not self.images.features.samples.is_ok[row]:
            return _Thumbnail(row, None)
        try:
            return _Thumbnail(row, make_tile(self.images.read(row), self.thumbnails.record.windows))
        except UNREADABLE as error:
            return _Thumbnail(row, None, str(error))


def _missing(thumbnails: Thumbnails) -> list[int]:
    """Blocks that are not made, damaged, or have samples that may be readable now."""
    found = ((number, thumbnails.find(number)) for number in range(thumbnails.n_blocks))
    return [number for number, block in found if block is None or block.unread]


def _begin(images: SampleImages, folder: Path, n_readers: int) -> Thumbnails:
    """Measure the windows, and write the record, before any block."""
    samples, values = images.features.samples, _values(images, n_readers)
    # Where no sample has an image there are no values either.
    windows = values.windows() or [(0.0, 1.0)] * len(images.channels)
    record = SheetsRecord(
        samples=samples.digest,
        n_samples=len(samples),
        channels=named_channels(images.channels, windows),
        failed=np.flatnonzero(~samples.is_ok).tolist(),
        n_measured=values.n_samples,
    )
    write_record(folder, record)
    return Thumbnails(folder, record, samples.digests)


def _values(images: SampleImages, n_readers: int) -> ChannelValues:
    """Values of some samples, spread over all."""

    def read(row: int) -> NDArray | CellfeatError:
        try:
            return values_of(images.read(row))
        except UNREADABLE as error:
            return error

    readable = np.flatnonzero(images.features.samples.is_ok)
    rows = spread_blocks([int(readable[place]) for place in spread_rows(len(readable))], images.block)
    found = list(_read_ahead(images, read, rows, n_readers))
    values = ChannelValues()
    for one in found:
        if not isinstance(one, CellfeatError):
            values.add(one)
    if not values.n_samples and found and isinstance(found[0], CellfeatError):
        raise found[0]
    return values


def _read_ahead(
    images: SampleImages, read: Callable[[int], Read], rows: Iterable[int], n_readers: int
) -> Iterator[Read]:
    n_threads = images.reader.n_threads(n_readers)
    return read_ahead(read, rows, n_threads=n_threads, ahead=SAMPLES_AHEAD, timeline=Timeline(), block_of=images.block)
