"""Read samples ahead of their use, in threads that wait for the reading processes."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TypeVar

import numpy as np

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.extraction.timing import Timeline
from cellfeat.samples.daemon_pool import DaemonPool
from cellfeat.samples.image_file.properties import FileProperties
from cellfeat.samples.intensity.channel_statistics import channel_statistics
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.reading.images import Outcome, ReadsSamples, SampleImage, pixel_digest
from cellfeat.samples.reading.worker_pool import WorkersReader
from cellfeat.types import Float32s


@dataclass(frozen=True)
class Decoded:
    """A sample that was read: its pixels, or the reason why there are none.

    Attributes
    ----------
    row
        Row of the manifest.
    pixels
        Shape ``(C, H, W)``, in the files' own type; None if the sample failed.
    limits
        Values that become 0 and 1, shape ``(C, 2)`` float32.
    digest
        sha256 of the pixels, in hex; ``""`` if the sample failed.
    reason
        Why it failed; ``""`` if it did not.
    properties
        Type, bits, size and format of its files; None if the sample failed.
    intensities
        Mean, deviation and highest value of each channel, shape ``(C, 3)``; None if the sample failed.
    """

    row: int
    pixels: np.ndarray | None
    limits: np.ndarray | None = None
    digest: str = ""
    reason: str = ""
    properties: FileProperties | None = None
    intensities: Float32s | None = None


@dataclass(frozen=True)
class Decoder:
    """Reads one sample; an error in its files becomes the `reason` of the result.

    Attributes
    ----------
    reader
        Reads the files of a sample.
    policy
        How pixel values are scaled.
    timeline
        Records the time of each sample.
    on_sample
        Receives each sample in the thread that read it; None: nothing does.
    """

    reader: ReadsSamples
    policy: IntensityPolicy
    timeline: Timeline = field(default_factory=Timeline)
    on_sample: Callable[[Decoded], None] | None = None

    def __call__(self, row: int) -> Decoded:
        """Read the sample in `row` of the manifest."""
        with self.timeline.step("decode"):
            return self._decoded(row, partial(self.reader.read_sample, row))

    def read_rows(self, rows: Sequence[int]) -> list[Decoded]:
        """Read samples of one `block`: at once, if a process reads them."""
        if not isinstance(self.reader, WorkersReader):
            return [self(row) for row in rows]
        with self.timeline.step("decode"):
            outcomes = self.reader.read_rows(rows)
            return [self._decoded(row, partial(_given, one)) for row, one in zip(rows, outcomes, strict=True)]

    def block(self, row: int, *, most: int) -> int:
        """The number of the samples that are read at once with that in `row`; they follow each other.

        Parameters
        ----------
        row
            Row of the manifest.
        most
            Most samples with files of their own that are read at once.
        """
        if isinstance(self.reader, WorkersReader):
            return row // max(1, min(most, self.reader.rows_at_once))
        return self.reader.block(row)

    def _decoded(self, row: int, read: Callable[[], SampleImage]) -> Decoded:
        decoded = self._measured(row, read)
        if self.on_sample is not None:
            self.on_sample(decoded)
        return decoded

    def _measured(self, row: int, read: Callable[[], SampleImage]) -> Decoded:
        try:
            sample = read()
            limits = self._limits(row, sample)
            return Decoded(
                row,
                sample.pixels,
                limits,
                pixel_digest(sample.pixels),
                properties=sample.properties,
                intensities=channel_statistics(sample.pixels, limits),
            )
        except (ImageError, MissingFileError) as error:
            return Decoded(row, None, reason=str(error))

    def _limits(self, row: int, sample: SampleImage) -> np.ndarray:
        try:
            return self.policy.limits(sample.pixels, sample.bits)
        except ImageError as error:  # the policy sees pixels only, and cannot name the files
            raise ImageError(f"{self.reader.where(row)}: {error}") from None


def _given(outcome: Outcome) -> SampleImage:
    if isinstance(outcome, SampleImage):
        return outcome
    raise outcome


Read = TypeVar("Read")


def _own_block(row: int) -> int:
    return row


def read_ahead(
    decode: Callable[[int], Read],
    rows: Iterable[int],
    *,
    n_threads: int,
    ahead: int,
    timeline: Timeline,
    block_of: Callable[[int], int] = _own_block,
    decode_rows: Callable[[Sequence[int]], list[Read]] | None = None,
) -> Generator[Read, None, None]:
    """Decode rows in threads, and yield the results in order; closing the generator stops the reading.

    Parameters
    ----------
    decode
        Reads the sample of a row.
    rows
        Rows to read.
    n_threads
        Number of blocks that are read at once.
    ahead
        Number of samples that are read before they are asked for, so that memory does not grow with `rows`; the last
        block may exceed it.
    timeline
        Records how long the caller waits.
    block_of
        Gives the number of a row's block. Samples of one block, such as the cells of one field, are read by one thread.
    decode_rows
        Reads the samples of a block. None: `decode`, one after the other.
    """
    decode_block = decode_rows or partial(_decode_block, decode)
    blocks = (list(block) for _, block in groupby(rows, block_of))
    pool = DaemonPool(n_threads, "decode")
    pending: deque[Future[list[Read]]] = deque()
    n_ahead = 0
    try:
        while True:
            while n_ahead < ahead and (block := next(blocks, None)) is not None:
                pending.append(pool.submit(decode_block, block))
                n_ahead += len(block)
            if not pending:
                return
            with timeline.step("waiting"):
                decoded = pending.popleft().result()
            n_ahead -= len(decoded)
            yield from decoded
    finally:
        # Without waiting: a run that ends early must not wait for an image that never arrives.
        pool.close()


def _decode_block(decode: Callable[[int], Read], rows: Sequence[int]) -> list[Read]:
    return [decode(row) for row in rows]
