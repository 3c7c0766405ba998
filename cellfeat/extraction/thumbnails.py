"""Thumbnails made in the pass of an extraction, which reads every image anyway.

They are written to ``cells.view/unfinished/``, since the folder's final name needs the pixels of all samples. Failing
to write them never ends an extraction.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cellfeat.errors import DiskFullError, WriteError
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.store import read_pixel_digests, samples_digest
from cellfeat.extraction.store.view_folder import make_folder_of_samples, views_beside
from cellfeat.provenance import make_folder
from cellfeat.samples.sheets.files import RECORD, Block, SheetsRecord, named_channels, write_block, write_record
from cellfeat.samples.sheets.shards import MOST_AT_ONCE, make_shard
from cellfeat.samples.sheets.tiles import SIDE, make_tile
from cellfeat.storage.url import Location
from cellfeat.types import Bytes, Strings

UNFINISHED = "unfinished"
SPARE_BYTES = 10_000_000
"""Room that thumbnails leave beside that of the features."""
Say = Callable[[str], None]


def pass_thumbnails(context: RunContext) -> "PassThumbnails | None":
    """Begin to collect the thumbnails of a run that extracts all samples; None where they are not made here."""
    settings, n_samples = context.request.settings.extraction, len(context.manifest)
    windows, output = context.values.windows(), context.request.output
    views = views_beside(output)
    if not settings.thumbnails or views is None or not windows or n_samples > MOST_AT_ONCE:
        return None
    record = SheetsRecord(
        samples="", n_samples=n_samples, channels=named_channels(context.manifest.channels, windows), failed=[],
        n_measured=context.values.n_samples,
    )  # fmt: skip
    return PassThumbnails(views / UNFINISHED, record, context.request.observer.say)


@dataclass
class _OpenBlock:
    """Thumbnails of a block of which samples are still to come."""

    tiles: Bytes
    digests: dict[int, str] = field(default_factory=dict)


class PassThumbnails:
    """Collects thumbnails as samples are read, in any order, and writes each block when it is complete.

    Threads that read images call it, and make the thumbnails there, beside the forward.

    Parameters
    ----------
    folder
        Where blocks are written.
    record
        How thumbnails are made.
    say
        Receives a line where they cannot be written.
    """

    def __init__(self, folder: Path, record: SheetsRecord, say: Say) -> None:
        self._folder, self._record, self._say = folder, record, say
        self._lock = threading.Lock()
        self._open: dict[int, _OpenBlock] = {}
        self._written: set[int] = set()
        self._is_given_up = False
        self._bytes_of_features: Callable[[], int] = lambda: 0
        # What an interrupted run left: its rows are read again to compare them.
        shutil.rmtree(folder, ignore_errors=True)

    def add(self, sample: Decoded) -> None:
        """Receive a sample that was read, or failed; it may come twice."""
        if self._is_given_up:
            return
        number = sample.row // self._record.per_block
        tile = None if sample.pixels is None else make_tile(sample.pixels, self._record.windows)
        complete = self._placed(number, sample, tile)
        if complete is not None:
            self._write(number, complete)

    def _placed(self, number: int, sample: Decoded, tile: Bytes | None) -> _OpenBlock | None:
        """Put a thumbnail into its block; gives the block if it is complete now."""
        rows = self._record.rows(number)
        with self._lock:
            if number in self._written:
                return None
            block = self._open.get(number)
            if block is None:
                shape = (len(rows), len(self._record.channels), SIDE, SIDE)
                block = self._open[number] = _OpenBlock(np.zeros(shape, np.uint8))
            block.tiles[sample.row - rows.start] = 0 if tile is None else tile
            block.digests[sample.row] = sample.digest
            if len(block.digests) < len(rows):
                return None
            self._written.add(number)
            return self._open.pop(number)

    def leave_room_for(self, n_bytes: Callable[[], int]) -> None:
        """Receive what says how much room the features still need: they come first."""
        self._bytes_of_features = n_bytes

    def _write(self, number: int, block: _OpenBlock) -> None:
        key = self._record.key([block.digests[row] for row in self._record.rows(number)])
        with self._or_give_up():
            make_folder(self._folder)
            disk = shutil.disk_usage(self._folder)
            if disk.total and disk.free < self._bytes_of_features() + SPARE_BYTES:  # some network disks report 0
                raise DiskFullError(f"{self._folder.parent}: the disk has room for the features alone")
            write_block(self._folder, number, key, Block(make_shard(block.tiles)))

    def finish(self, output: Location, ids: Strings) -> None:
        """Move the blocks to the folder of the samples, now that the feature file is written.

        Parameters
        ----------
        output
            The feature file.
        ids
            Ids of all samples, shape ``(n_samples,)``.
        """
        if self._is_given_up:
            return
        digests = read_pixel_digests(output)
        digest = samples_digest(ids, digests)
        with self._or_give_up():
            folder = make_folder_of_samples(output, digest)
            (folder / RECORD).unlink(missing_ok=True)  # until all blocks are those of the new record
            for path in self._folder.iterdir():
                path.replace(folder / path.name)
            write_record(folder, replace(self._record, samples=digest, failed=np.flatnonzero(digests == "").tolist()))
            self._folder.rmdir()

    @contextmanager
    def _or_give_up(self) -> Iterator[None]:
        """Say why thumbnails cannot be written, once, and make no more of them."""
        try:
            yield
        except (OSError, WriteError) as error:
            with self._lock:
                is_first, self._is_given_up = not self._is_given_up, True
                self._open.clear()
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):  # where thumbnails of other samples are in it
                self._folder.parent.rmdir()
            if is_first:
                self._say(f"no thumbnails are made: {error}. The features are not affected")
