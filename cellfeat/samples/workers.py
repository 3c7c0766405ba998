"""Samples are read in processes of their own: a file that crashes its codec, or never comes, costs itself alone.

Threads ask and processes read: a thread that wants a sample takes a process that is idle, or starts one. A process that
dies or keeps silent is replaced, and the sample that it held is named. A process that was killed from outside, as the
kernel does where memory runs out, is not the sample's fault: the sample is read once more, with nothing beside it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from cellfeat.errors import ImageError, WorkerError
from cellfeat.samples.images import SampleReader
from cellfeat.samples.worker import KilledError, Worker

SECONDS_TO_READ = 60.0


class Workers:
    """Processes that read samples, started as they are wanted; many threads may ask at a time.

    Use it as a context manager: when the block ends, by whatever exception, the processes are killed.

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

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that run."""
        with self._lock:
            return sorted(worker.process_id for worker in self._all)

    def start(self, n: int) -> None:
        """See to it that `n` processes run or are starting: they need a moment, which other work can fill."""
        while len(self._all) < n:
            self._give_back(self._started())

    def close(self) -> None:
        """Kill the processes, whatever they are at."""
        with self._lock:
            self._is_closed = True
            workers = list(self._all)
        for worker in workers:
            worker.kill()

    def read(self, reader: SampleReader, row: int) -> np.ndarray:
        """Read one sample, as `SampleReader.read` does.

        Raises
        ------
        MissingFileError, ImageError
            As there; also if a file kills the process that reads it, or is not read in time.
        WorkerError
            If no process can be started.
        """
        sample = reader.only(row)
        try:
            with self._turns.shared():
                return self._read(sample)
        except KilledError:
            # Memory may have run out for all that was read beside it.
            with self._turns.alone():
                return self._read(sample)

    def _read(self, sample: SampleReader) -> np.ndarray:
        worker = self._taken()
        try:
            reply = worker.read(sample, self._seconds)
        except (ImageError, WorkerError):
            self._drop(worker)
            raise
        self._give_back(worker)
        if reply.error is not None:
            raise reply.error
        return reply.pixels

    def _taken(self) -> Worker:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            return self._started()
        if worker.has_ended:  # killed while it was idle, by whomever
            self._drop(worker)
            return self._taken()
        return worker

    def _started(self) -> Worker:
        with self._lock:
            if self._is_closed:
                raise WorkerError("the processes that read images were ended; nothing can be read any more")
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
    """Reads samples in processes of their own; otherwise as the `SampleReader` that it is given.

    Attributes
    ----------
    reader
        How the samples' files are read.
    workers
        Where.
    """

    reader: SampleReader
    workers: Workers

    def read(self, row: int) -> np.ndarray:
        """Read one sample; see `Workers.read`."""
        return self.workers.read(self.reader, row)

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
