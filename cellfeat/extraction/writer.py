"""Parts are written in a thread while the device computes the next one."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from cellfeat.extraction.store import PartStore, Rows
from cellfeat.extraction.timing import Timeline


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
        self._pending: Future[None] | None = None

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

    def _write(self, rows: Rows) -> None:
        with self._timeline.step("write"):
            self._store.write(rows)
