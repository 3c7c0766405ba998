"""Decode, embed and write, overlapped: images are read ahead, and parts are written behind.

A GPU is given the next batch before the numbers of the last one are fetched, so it never waits for Python. Threads ask
for images, which processes read (`cellfeat.samples.workers`); they never run further ahead than a fixed number of
samples, so memory does not grow with the number of samples.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from cellfeat.errors import BackboneError, ImageError, MissingFileError
from cellfeat.extraction.store import DIGEST_BYTES, Rows, Status, no_properties
from cellfeat.extraction.timing import Timeline
from cellfeat.samples.images import ReadsSamples, pixel_digest
from cellfeat.samples.intensity import IntensityPolicy
from cellfeat.samples.properties import FileProperties

BATCHES_AHEAD = 3


@dataclass(frozen=True)
class Decoded:
    """A sample as it was read: its pixels, or the reason why there are none.

    Attributes
    ----------
    row
        Row of the manifest.
    pixels
        ``(C, H, W)`` of the files' own type; None where the sample failed.
    limits
        ``(C, 2)`` float32: the values that become 0 and 1.
    digest
        sha256 of the pixels, in hex; ``""`` where the sample failed.
    reason
        Why it failed; ``""`` where it did not.
    properties
        What its files are; None where the sample failed.
    """

    row: int
    pixels: np.ndarray | None
    limits: np.ndarray | None = None
    digest: str = ""
    reason: str = ""
    properties: FileProperties | None = None


@dataclass(frozen=True)
class Decoder:
    """Reads one sample; what is wrong with its files becomes its `reason`.

    Attributes
    ----------
    reader, policy
        How its files are read, which is safest in processes of their own (`WorkersReader`), and how its values are
        scaled.
    timeline
        Where the time goes on record.
    """

    reader: ReadsSamples
    policy: IntensityPolicy
    timeline: Timeline = field(default_factory=Timeline)

    def __call__(self, row: int) -> Decoded:
        """Read the sample of `row`."""
        with self.timeline.stage("decode"):
            try:
                pixels, properties = self.reader.read_sample(row)
                limits = self._limits(row, pixels)
                return Decoded(row, pixels, limits, pixel_digest(pixels), properties=properties)
            except (ImageError, MissingFileError) as error:
                return Decoded(row, None, reason=str(error))

    def _limits(self, row: int, pixels: np.ndarray) -> np.ndarray:
        try:
            return self.policy.limits(pixels)
        except ImageError as error:  # of pixels alone, whose files the policy does not know
            raise ImageError(f"{self.reader.where(row)}: {error}") from None


def in_order(
    task: Callable[[int], Decoded], rows: Iterable[int], *, workers: int, ahead: int, timeline: Timeline
) -> Iterator[Decoded]:
    """Run `task` on rows in threads, and yield the results in order, at most `ahead` of them unclaimed."""
    pending: deque[Future[Decoded]] = deque()
    remaining = iter(rows)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        pending.extend(pool.submit(task, row) for row in islice(remaining, ahead))
        while pending:
            with timeline.stage("waiting"):
                decoded = pending.popleft().result()
            pending.extend(pool.submit(task, row) for row in islice(remaining, 1))
            yield decoded
    finally:
        # Not waited for: a run that ends early does not wait for an image that never comes.
        pool.shutdown(wait=False, cancel_futures=True)


class Embeds(Protocol):
    """Embeds batches; see `cellfeat.extraction.embedder.Embedder`."""

    @property
    def n_in_work(self) -> int:
        """Batches that it may still be working on while the next one is handed over."""
        ...

    def submit(self, samples: Sequence[Decoded]) -> "EmbeddedBatch":
        """Begin to embed at most one batch of samples."""
        ...


class EmbeddedBatch(Protocol):
    """Embeddings that may not be there yet."""

    def result(self) -> np.ndarray:
        """Wait for ``(n_samples, n_views, embedding_dim)`` float32."""
        ...


def finished_parts(
    parts: Sequence[range],
    decoder: Decoder,
    embedder: Embeds,
    *,
    batch_size: int,
    workers: int,
    on_failure: Callable[[Decoded], None],
    on_batch: Callable[[int], None],
    on_break: Callable[[Rows], None],
    begun: Mapping[int, Rows],
) -> Generator[Rows, None, None]:
    """Yield the finished rows of each part, in order.

    Parameters
    ----------
    parts
        Rows of each part. A batch never reaches over the end of a part, so that a part always holds the same bits,
        whichever parts were there before.
    embedder
        Given at most `batch_size` samples that were read at a time, the next ones before the last ones' are fetched.
    on_failure
        Called with each sample that could not be read; it may raise, which ends the run.
    on_batch
        Called with the number of samples after each batch.
    on_break
        Called with the whole batches of the part in hand, where the run ends within it: by an error, or by Ctrl-C.
    begun
        The first rows of parts, as `on_break` was given them, by the row where the part starts.
    """
    rows = (row for part in parts for row in part[_n_begun(part, begun) :])
    ahead = BATCHES_AHEAD * batch_size
    samples = in_order(decoder, rows, workers=workers, ahead=ahead, timeline=decoder.timeline)
    for part in parts:
        collected = _PartRows(part, begun.get(part.start))
        try:
            for batch in _embedded(samples, len(part) - collected.n_done, batch_size, embedder, on_failure):
                on_batch(collected.add(batch, decoder.timeline))
        except BaseException:
            if collected.n_done:
                on_break(collected.rows())
            raise
        yield collected.rows()


def _n_begun(part: range, begun: Mapping[int, Rows]) -> int:
    return len(begun[part.start]) if part.start in begun else 0


def _embedded(
    samples: Iterator[Decoded], n: int, batch_size: int, embedder: Embeds, on_failure: Callable[[Decoded], None]
) -> "Iterator[_Batch]":
    """Hand the next `n` samples over in batches; each comes back when the device has begun with those after it."""
    in_work: deque[_Batch] = deque()
    for start in range(0, n, batch_size):
        batch = list(islice(samples, min(batch_size, n - start)))
        for failed in (sample for sample in batch if sample.pixels is None):
            on_failure(failed)
        # Also an empty batch: a part without one readable sample still needs the shape of its rows.
        in_work.append(_Batch(batch, embedder.submit([sample for sample in batch if sample.pixels is not None])))
        if len(in_work) > embedder.n_in_work:
            yield in_work.popleft()
    yield from in_work


class _Batch(NamedTuple):
    samples: Sequence[Decoded]
    embedded: EmbeddedBatch


class _PartRows:
    """The rows of one part while they are being made.

    Attributes
    ----------
    n_done
        How many rows of whole batches there are.
    """

    def __init__(self, part: range, begun: Rows | None) -> None:
        self.n_done = 0
        self._start = part.start
        self._embeddings: np.ndarray | None = None
        self._n = len(part)
        self._status = np.full(self._n, Status.FAILED, np.uint8)
        self._digests = np.zeros((self._n, DIGEST_BYTES), np.uint8)
        self._properties = no_properties(self._n)
        self._failures: dict[int, str] = {}
        if begun is not None:
            self._take_up(begun)

    def _take_up(self, begun: Rows) -> None:
        here = slice(len(begun))
        self._embeddings = np.full((self._n, *begun.embeddings.shape[1:]), np.nan, np.float32)
        self._embeddings[here], self._status[here], self._digests[here], self._properties[here] = begun.arrays()
        self._failures.update(begun.failures)
        self.n_done = len(begun)

    def add(self, batch: _Batch, timeline: Timeline) -> int:
        """Take a batch, and say how many samples it has."""
        readable = [sample for sample in batch.samples if sample.pixels is not None]
        self._failures.update((sample.row, sample.reason) for sample in batch.samples if sample.pixels is None)
        with timeline.stage("forward"):
            embedded = batch.embedded.result()
        if self._embeddings is None:
            self._embeddings = np.full((self._n, *embedded.shape[1:]), np.nan, np.float32)
        for sample, embedding in zip(readable, embedded, strict=True):
            _check_finite(sample, embedding)
            here = sample.row - self._start
            self._embeddings[here] = embedding
            self._status[here] = Status.OK
            self._digests[here] = np.frombuffer(bytes.fromhex(sample.digest), np.uint8)
            if sample.properties is not None:
                self._properties[here] = tuple(sample.properties)
        self.n_done += len(batch.samples)
        return len(batch.samples)

    def rows(self) -> Rows:
        """The rows that are done; of a batch that was broken off, none."""
        if self._embeddings is None:
            raise ImageError("a part without rows cannot be written")
        done = slice(self.n_done)
        failures = {row: reason for row, reason in self._failures.items() if row < self._start + self.n_done}
        arrays = (self._embeddings, self._status, self._digests, self._properties)
        return Rows.from_arrays(self._start, (array[done] for array in arrays), failures)


def _check_finite(sample: Decoded, embedding: np.ndarray) -> None:
    if not np.isfinite(embedding).all():
        raise BackboneError(
            f"the embedding of the sample in row {sample.row} is not finite; the weights are damaged, or overflow at "
            f"this precision: try --precision fp32"
        )
