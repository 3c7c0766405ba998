"""Read samples in other processes.

A file that crashes the decoder, or a disk that never answers, loses only that sample. Each calling thread borrows one
reading process: an idle one, or a new one; it waits where there are as many as there may be. A process that dies or
does not answer is replaced, and the error names its sample. If the system killed the process (often: out of memory),
the sample is tried once more, alone.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cellfeat.config import ExtractionSettings
from cellfeat.errors import ImageError, WorkerError
from cellfeat.processors import usable_processors
from cellfeat.samples.folders.opening import remote_files
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.fields import FieldJob, FieldsReader, read_here
from cellfeat.samples.reading.images import Outcome, ReadsSamples, SampleImage, SampleReader
from cellfeat.samples.reading.objects import ObjectsReader
from cellfeat.samples.reading.worker_process import Job, KilledError, Worker

SECONDS_TO_READ = 60.0
MOST_ROWS = 32
"""Most samples that a process is asked for at once."""
BYTES_AT_ONCE = 2**20
"""Bytes of the files of these samples: larger ones take so long to decode that asking costs nothing."""


class Workers:
    """A pool of processes that read samples, started when needed. Several threads can use it at once.

    Use it as a context manager: at the end of the block, also after an exception, the processes are killed.

    Parameters
    ----------
    seconds
        How long reading one sample may take.
    """

    def __init__(self, seconds: float = SECONDS_TO_READ) -> None:
        self._seconds = seconds
        self._reading = _SharedOrExclusive()
        # Notified when a process becomes idle, or there may be another one.
        self._lock = threading.Condition()
        self._most = usable_processors()
        self._all: set[Worker] = set()
        self._idle: list[Worker] = []
        self._is_closed = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, n: int) -> None:
        """Start processes until there are `n`. They import their modules in the background."""
        with self._lock:
            self._most = max(self._most, n)
        while len(self._all) < n:
            worker = self._started()
            with self._lock:
                # Behind those that are ready: it still imports its modules.
                self._idle.insert(0, worker)
                self._lock.notify()

    def close(self) -> None:
        """Kill all processes, even while they read."""
        with self._lock:
            self._is_closed = True
            workers = list(self._all)
            self._lock.notify_all()
        # Outside the lock, which the threads that read need to drop their processes.
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
            As for `SampleReader.read_sample`; also if a file crashes the process that reads it, or takes too long.
        WorkerError
            If no process can be started.
        """
        (outcome,) = self.read_all(reader.only(row))
        if isinstance(outcome, SampleImage):
            return outcome
        raise outcome

    def read_all(self, job: Job) -> list[Outcome]:
        """Read all samples of a job in one process: each as it was read, or the error that says why not.

        Raises
        ------
        ImageError
            If a file crashes the process, or takes too long.
        WorkerError
            If no process can be started.
        """
        try:
            with self._reading.shared():
                return self._read(job)
        except KilledError:
            # Memory may have run out because other samples were being read at the same time.
            with self._reading.exclusive():
                return self._read(job)

    def _read(self, job: Job) -> list[Outcome]:
        worker = self._taken()
        try:
            outcomes = worker.read(job, self._seconds)
        except (ImageError, WorkerError):
            # Half a reply may be left in its pipe, so no other sample may use this process.
            self._drop(worker)
            raise
        self._give_back(worker)
        return outcomes

    def _taken(self) -> Worker:
        with self._lock:
            self._lock.wait_for(lambda: self._idle or len(self._all) < self._most or self._is_closed)
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
                raise WorkerError("reading was stopped because the run ended")
            # Started within the lock, so that `close` cannot miss it.
            worker = Worker()
            self._all.add(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)
            self._lock.notify()

    def _drop(self, worker: Worker) -> None:
        worker.kill()
        with self._lock:
            self._all.discard(worker)
            self._lock.notify()


@dataclass(frozen=True)
class WorkersReader:
    """A `SampleReader` that does its work in the processes of a pool.

    Attributes
    ----------
    reader
        How the files of the samples are read.
    workers
        The pool of processes.
    """

    reader: SampleReader
    workers: Workers

    def read(self, row: int) -> np.ndarray:
        """Read the pixels of one sample, shape ``(C, H, W)``; see `Workers.read_sample`."""
        return self.read_sample(row).pixels

    def read_sample(self, row: int) -> SampleImage:
        """Read one sample; see `Workers.read_sample`."""
        return self.workers.read_sample(self.reader, row)

    def read_rows(self, rows: Sequence[int]) -> list[Outcome]:
        """Read samples in one process: each as it was read, or the error that says why not.

        If the process crashes, or does not answer in the time of one sample, each of them is read again alone: so the
        error names its sample, and the others are read.

        Parameters
        ----------
        rows
            Rows of the manifest.
        """
        try:
            return self.workers.read_all(self.reader.only(*rows))
        except ImageError as error:
            return [error] if len(rows) == 1 else [self.read_rows([row])[0] for row in rows]

    @cached_property
    def rows_at_once(self) -> int:
        """How many samples a process is asked for at once: several where files are small, as the first one's are."""
        files = [Path(str(path)) for path in self.reader.only(0).paths]
        if not all(file.is_file() for file in files):  # missing, or a folder as those of OME-Zarr, of any size
            return 1
        n_bytes = sum(file.stat().st_size for file in files)
        return max(1, min(MOST_ROWS, BYTES_AT_ONCE // max(1, n_bytes)))

    def where(self, row: int) -> str:
        """The files of a sample, for messages."""
        return self.reader.where(row)

    def block(self, row: int) -> int:
        """The row itself: each sample has files of its own."""
        return row

    def n_threads(self, n_workers: int) -> int:
        """One for each process."""
        return n_workers


class _SharedOrExclusive:
    """A lock that many threads hold at once (`shared`), or one thread alone (`exclusive`)."""

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
    def exclusive(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            # Set before waiting, so that no new reader starts; with a steady stream of them the wait might never end.
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
        workers.start(1)  # starts up while this process loads torch and the backbone
        yield workers


def sample_reader(manifest: Manifest, workers: Workers | None, *, max_pixels: int) -> ReadsSamples:
    """Make the reader of a manifest's samples.

    Parameters
    ----------
    manifest
        The samples.
    workers
        Pool of processes that read them: a file that crashes the decoder, or takes too long, loses only that sample.
        None: this process reads them, and a decoder that crashes ends it.
    max_pixels
        Largest number of pixels of a file, over all channels.
    """
    if manifest.crops is not None:
        read = read_here if workers is None else _reading_field(workers)
        return FieldsReader(manifest, max_pixels=max_pixels, read=read)
    reader = SampleReader.for_manifest(manifest, max_pixels=max_pixels)
    files = remote_files(manifest.root)
    if files is not None:
        return ObjectsReader(reader, files, SampleReader.read_all if workers is None else workers.read_all)
    return reader if workers is None else WorkersReader(reader, workers)


def _reading_field(workers: Workers) -> Callable[[FieldJob], list[Outcome]]:
    """Read the samples of a field in a process; one that crashes or hangs loses the samples of this field only."""

    def read(job: FieldJob) -> list[Outcome]:
        try:
            return workers.read_all(job)
        except ImageError as error:
            return [error] * len(job.boxes)

    return read
