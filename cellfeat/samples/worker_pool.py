"""Read samples in other processes, so that a file that crashes its codec or never arrives costs only its own sample.

Threads ask and processes read: a thread that wants a sample takes an idle process, or starts one. A process that dies
or does not answer is replaced, and the error names its sample. Where a process was killed from outside, as the kernel
does when memory runs out, the sample is read once more with no other read running.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from cellfeat.config import ExtractionSettings
from cellfeat.errors import ImageError, WorkerError
from cellfeat.samples.images import ReadsSamples, SampleImage, SampleReader
from cellfeat.samples.manifest import Manifest
from cellfeat.samples.worker_process import KilledError, Worker

SECONDS_TO_READ = 60.0


class Workers:
    """Processes that read samples, started when needed; many threads may use it at a time.

    Use it as a context manager: when the block ends, by any exception too, the processes are killed.

    Parameters
    ----------
    seconds
        How long reading one sample may take.
    """

    def __init__(self, seconds: float = SECONDS_TO_READ) -> None:
        self._seconds = seconds
        self._turns = _Turns()
        self._lock = threading.Lock()
        self._all: set[Worker] = set()
        self._idle: list[Worker] = []
        self._is_closed = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, n: int) -> None:
        """Start processes until there are `n`; they get ready in the background."""
        while len(self._all) < n:
            self._give_back(self._started())

    def close(self) -> None:
        """Kill the processes, whatever they are doing."""
        with self._lock:
            self._is_closed = True
            workers = list(self._all)
        for worker in workers:
            worker.kill()

    def read(self, reader: SampleReader, row: int) -> np.ndarray:
        """Read the pixels of one sample, shape ``(C, H, W)``; see `read_sample`.

        Parameters
        ----------
        reader, row
            As for `read_sample`.
        """
        return self.read_sample(reader, row).pixels

    def read_sample(self, reader: SampleReader, row: int) -> SampleImage:
        """Read one sample, as `SampleReader.read_sample` does.

        Parameters
        ----------
        reader
            How the files are read.
        row
            Row of the manifest.

        Raises
        ------
        MissingFileError, ImageError
            As for `SampleReader.read_sample`; also if a file kills the process that reads it, or takes too long.
        WorkerError
            If no process can be started.
        """
        sample = reader.only(row)
        try:
            with self._turns.shared():
                return self._read(sample)
        except KilledError:
            # Memory may have run out because of other samples that were read at the same time.
            with self._turns.alone():
                return self._read(sample)

    def _read(self, sample: SampleReader) -> SampleImage:
        worker = self._taken()
        try:
            reply = worker.read(sample, self._seconds)
        except (ImageError, WorkerError):
            self._drop(worker)
            raise
        self._give_back(worker)
        if reply.sample is None:
            raise reply.error or ImageError(f"{sample.where(0)}: could not be read")
        return reply.sample

    def _taken(self) -> Worker:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            return self._started()
        if worker.has_ended:  # killed while it was idle
            self._drop(worker)
            return self._taken()
        return worker

    def _started(self) -> Worker:
        with self._lock:
            if self._is_closed:
                raise WorkerError("the processes that read images were ended; no more samples can be read")
            worker = Worker()
            self._all.add(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _drop(self, worker: Worker) -> None:
        worker.kill()
        with self._lock:
            self._all.discard(worker)


@dataclass(frozen=True)
class WorkersReader:
    """Reads samples in other processes, and otherwise as its `SampleReader` does.

    Attributes
    ----------
    reader
        How the samples' files are read.
    workers
        The processes that read them.
    """

    reader: SampleReader
    workers: Workers

    def read(self, row: int) -> np.ndarray:
        """Read the pixels of one sample, shape ``(C, H, W)``; see `Workers.read_sample`."""
        return self.read_sample(row).pixels

    def read_sample(self, row: int) -> SampleImage:
        """Read one sample; see `Workers.read_sample`."""
        return self.workers.read_sample(self.reader, row)

    def where(self, row: int) -> str:
        """The files of a sample, for messages."""
        return self.reader.where(row)


class _Turns:
    """Many read at a time, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_reading = 0
        self._is_alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._n_reading += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_reading -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._is_alone = True
            self._changed.wait_for(lambda: not self._n_reading)
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


@contextmanager
def reading_processes(settings: ExtractionSettings) -> Iterator[Workers | None]:
    """Start processes that read images, and end them after the block; None if ``extraction.workers`` is 0."""
    if settings.workers == 0:
        yield None
        return
    with Workers(settings.image_timeout) as workers:
        workers.start(1)  # it gets ready while torch and the backbone are loaded
        yield workers


def sample_reader(manifest: Manifest, workers: Workers | None, *, max_pixels: int) -> ReadsSamples:
    """Make the reader of a manifest's samples.

    Parameters
    ----------
    manifest
        The samples.
    workers
        Processes that read them. A file that crashes its codec, or takes too long, then costs only its sample. None:
        this process reads them, and a codec that crashes ends it.
    max_pixels
        Largest number of pixels of a file, channels counted.
    """
    reader = SampleReader.for_manifest(manifest, max_pixels=max_pixels)
    return reader if workers is None else WorkersReader(reader, workers)
