"""Parts are written in a thread while the device computes the next one."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from cellfeat.extraction.store import PartStore, Rows, part_checksum
from cellfeat.extraction.timing import Timeline


@dataclass(frozen=True)
class PartDone:
    """A part that is there.

    Attributes
    ----------
    start, stop
        Its first row, and the row after its last one.
    n_failed
        Number of its samples that could not be read.
    checksum
        Digest of its rows.
    was_there
        Whether it was there before, made by an earlier run or by another process.
    """

    start: int
    stop: int
    n_failed: int
    checksum: str
    was_there: bool

    @classmethod
    def of(cls, rows: Rows, *, was_there: bool) -> Self:
        """Describe the rows of a part.

        Parameters
        ----------
        rows, was_there
            The rows, and as for the class.
        """
        return cls(rows.start, rows.start + len(rows), len(rows.failures), part_checksum(rows), was_there)


class PartWriter:
    """Writes one part at a time, in a separate thread; use it as a context manager.

    Callers wait for the part before they count a batch of the next one: a run that is killed loses the samples of one
    part, not of two.

    Parameters
    ----------
    store
        Where to write.
    timeline
        Records the time of writing.
    """

    def __init__(self, store: PartStore, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._pending: Future[PartDone] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # It waits, after an error too: a part that is being written is kept.
        self._thread.shutdown()

    def start(self, rows: Rows) -> None:
        """Start to write a part."""
        self._pending = self._thread.submit(self._write, rows)

    def wait(self) -> None:
        """Wait until the part is written; an error of writing is raised here."""
        if self._pending is not None:
            self._pending.result()

    def done(self) -> Iterator[PartDone]:
        """Wait until the part is written, and yield it; nothing if none was started."""
        if self._pending is not None:
            yield self._pending.result()

    def _write(self, rows: Rows) -> PartDone:
        with self._timeline.step("write"):
            return PartDone.of(rows, was_there=self._store.write(rows))
