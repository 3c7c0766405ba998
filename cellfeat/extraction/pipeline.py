"""Read images, embed them, and collect the rows of each part; on a GPU the three steps run at the same time.

Images are read ahead in threads, on every device. A GPU receives the next batch before the result of the previous batch
is fetched, so it does not wait for Python.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from cellfeat.errors import BackboneError, ImageError
from cellfeat.extraction.read_ahead import Decoded, Decoder, read_ahead
from cellfeat.extraction.store import DIGEST_BYTES, FLOAT32, Rows, Status, no_intensities, no_properties, rounded
from cellfeat.extraction.timing import Timeline
from cellfeat.extraction.unfinished_parts import MissingParts
from cellfeat.types import Float32s

BATCHES_AHEAD = 3


class EmbeddedBatch(Protocol):
    """Embeddings that may not be computed yet."""

    def result(self) -> Float32s:
        """Wait for the embeddings, shape ``(n_samples, n_views, embedding_dim)``."""
        ...


class Embeds(Protocol):
    """Embeds batches; see `cellfeat.extraction.forward.embedder.Embedder`."""

    @property
    def n_in_work(self) -> int:
        """Number of batches that may be unfinished while the next one is submitted."""
        ...

    def submit(self, samples: Sequence[Decoded]) -> EmbeddedBatch:
        """Start to embed at most one batch of samples."""
        ...


class PipelineListener(Protocol):
    """Receives failures, finished batches and interruptions while parts are extracted."""

    def on_failure(self, sample: Decoded) -> None:
        """Receive a sample that could not be read; an exception ends the run."""
        ...

    def on_batch(self, n_samples: int) -> None:
        """Receive the number of samples of a finished batch."""
        ...

    def on_interrupt(self, rows: Rows) -> None:
        """Receive the finished batches of a part, if the run ends within it by an error or by Ctrl-C."""
        ...


def extract_parts(
    missing: MissingParts,
    decoder: Decoder,
    embedder: Embeds,
    listener: PipelineListener,
    *,
    batch_size: int,
    n_threads: int,
    stored: str = FLOAT32,
) -> Generator[Rows, None, None]:
    """Yield the rows of each missing part, in order.

    Parameters
    ----------
    missing
        The parts. A batch never spans two parts, so the numbers of a part do not depend on which parts existed before.
    decoder
        Reads samples.
    embedder
        Receives at most `batch_size` samples at a time, the next batch before the result of the previous one is
        fetched.
    listener
        Receives failed samples, finished batches and an interruption.
    batch_size
        Number of samples that are read before they are submitted; those that failed are left out.
    n_threads
        Number of samples that are read at once.
    stored
        The type in which embeddings are stored.
    """
    # One stream over all parts: images of the next part are read while the last batches of a part are embedded.
    rows = (row for part in missing.parts for row in missing.rest_of(part))
    ahead = max(BATCHES_AHEAD * batch_size, n_threads)
    samples = read_ahead(
        decoder,
        rows,
        n_threads=n_threads,
        ahead=ahead,
        timeline=decoder.timeline,
        # Two processes read a batch, so that it does not wait for one.
        block_of=partial(decoder.block, most=batch_size // 2),
        decode_rows=decoder.read_rows,
    )
    # Closed at once: an error keeps the frames that it passed, and with them the threads that read.
    with closing(samples):
        for part in missing.parts:
            collected = _PartRows(part, decoder.policy.n_channels, stored, missing.begun.get(part.start))
            batches = _embedded(samples, len(missing.rest_of(part)), batch_size, embedder, listener)
            _collect(collected, batches, listener, decoder.timeline)
            yield collected.rows()


class _Batch(NamedTuple):
    samples: Sequence[Decoded]
    embedded: EmbeddedBatch


def _embedded(
    samples: Iterator[Decoded], n: int, batch_size: int, embedder: Embeds, listener: PipelineListener
) -> Iterator[_Batch]:
    """Submit the next `n` samples in batches, and yield each batch after the following ones were submitted."""
    in_work: deque[_Batch] = deque()
    for start in range(0, n, batch_size):
        batch = list(islice(samples, min(batch_size, n - start)))
        for failed in (sample for sample in batch if sample.pixels is None):
            listener.on_failure(failed)
        # Submit empty batches too: the result gives the shape of an embedding, even if no sample can be read.
        in_work.append(_Batch(batch, embedder.submit([sample for sample in batch if sample.pixels is not None])))
        if len(in_work) > embedder.n_in_work:
            yield in_work.popleft()
    yield from in_work


def _collect(collected: "_PartRows", batches: Iterator[_Batch], listener: PipelineListener, timeline: Timeline) -> None:
    """Add batches to a part; an error or an interruption hands those that are finished to the listener."""
    try:
        for batch in batches:
            listener.on_batch(collected.add(batch, timeline))
    # Ctrl-C and SIGTERM are not subclasses of Exception.
    except BaseException:
        if collected.n_done:
            listener.on_interrupt(collected.rows())
        raise


class _PartRows:
    """The rows of one part while they are extracted.

    Attributes
    ----------
    n_done
        Number of rows in finished batches.
    """

    def __init__(self, part: range, n_channels: int, stored: str, begun: Rows | None) -> None:
        self.n_done = 0
        self._start = part.start
        self._stored = stored
        self._embeddings: np.ndarray | None = None
        self._n = len(part)
        # A row counts as failed until its embedding is there.
        self._status = np.full(self._n, Status.FAILED, np.uint8)
        self._digests = np.zeros((self._n, DIGEST_BYTES), np.uint8)
        self._properties = no_properties(self._n)
        self._intensities = no_intensities(self._n, n_channels)
        self._failures: dict[int, str] = {}
        if begun is not None:
            self._continue(begun)

    def _continue(self, begun: Rows) -> None:
        here = slice(len(begun))
        self._allocate(begun.embeddings.shape[1:])[here] = begun.embeddings
        self._status[here], self._digests[here] = begun.status, begun.pixel_digest
        self._properties[here], self._intensities[here] = begun.properties, begun.intensities
        self._failures.update(begun.failures)
        self.n_done = len(begun)

    def _allocate(self, shape: tuple[int, ...]) -> np.ndarray:
        # The shape of an embedding is known with the first batch. NaN stays where a sample fails.
        if self._embeddings is None:
            self._embeddings = np.full((self._n, *shape), np.nan, self._stored)
        return self._embeddings

    def add(self, batch: _Batch, timeline: Timeline) -> int:
        """Add a batch, and return its number of samples."""
        self._failures.update((sample.row, sample.reason) for sample in batch.samples if sample.pixels is None)
        # On a GPU `submit` returns early, and this wait is where the time of the forward is spent.
        with timeline.step("forward"):
            embedded = batch.embedded.result()
        embeddings = self._allocate(embedded.shape[1:])
        readable = [sample for sample in batch.samples if sample.pixels is not None]
        for sample, embedding in zip(readable, embedded, strict=True):
            _check_finite(sample, embedding)
            here = sample.row - self._start
            (embeddings[here],) = rounded(embedding[np.newaxis], self._stored, sample.row)
            self._status[here] = Status.OK
            self._digests[here] = np.frombuffer(bytes.fromhex(sample.digest), np.uint8)
            if sample.properties is not None:
                self._properties[here] = tuple(sample.properties)
            if sample.intensities is not None:
                self._intensities[here] = [tuple(channel) for channel in sample.intensities]
        self.n_done += len(batch.samples)
        return len(batch.samples)

    def rows(self) -> Rows:
        """The rows of finished batches."""
        if self._embeddings is None:
            raise ImageError("a part without rows cannot be written")
        done = slice(self.n_done)
        # A batch whose embeddings were refused has added its failures already.
        failures = {row: reason for row, reason in self._failures.items() if row < self._start + self.n_done}
        arrays = (self._embeddings, self._status, self._digests, self._properties, self._intensities)
        return Rows.from_arrays(self._start, (array[done] for array in arrays), failures)


def _check_finite(sample: Decoded, embedding: np.ndarray) -> None:
    if not np.isfinite(embedding).all():
        raise BackboneError(
            f"the embedding of the sample in row {sample.row} is not finite: the weights are damaged, or the values "
            f"overflow in this precision; try --precision fp32"
        )
