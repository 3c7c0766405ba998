"""Where the time of an extraction goes: seconds by step, advice, and a trace to look at."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cellfeat.processors import usable_processors
from cellfeat.provenance import publish
from cellfeat.text import counted

CONCURRENT = ("decode", "write")
"""Steps that run beside the others, in their own threads."""
STEPS = ("decode", "waiting", "transfer", "forward", "write")
STARVED = 0.15
"""Share of the time that the forward may wait for images before advice is given."""


@dataclass(frozen=True)
class Event:
    """One step of one sample, batch or part: when it began and how long it took, in seconds."""

    step: str
    thread: str
    began: float
    seconds: float


class Timeline:
    """Records how long each step takes; it may be used by several threads at once.

    The steps are ``decode`` (reading images), ``waiting`` (the forward waits for images), ``transfer`` (copying samples
    to the device and resizing them), ``forward`` (the backbone and copying the result back) and ``write`` (writing
    parts).

    Parameters
    ----------
    keeps_events
        Whether to keep every event for `write_trace`; the sums are always kept.
    """

    def __init__(self, *, keeps_events: bool = False) -> None:
        self.began = time.perf_counter()
        self.wall = 0.0
        self._seconds = dict.fromkeys(STEPS, 0.0)
        self._events: list[Event] | None = [] if keeps_events else None
        self._lock = threading.Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the time that the block takes as part of the step `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.record(Event(name, threading.current_thread().name, began - self.began, time.perf_counter() - began))

    def record(self, event: Event) -> None:
        """Add an event."""
        with self._lock:
            self._seconds[event.step] += event.seconds
            if self._events is not None:
                self._events.append(event)

    def end(self) -> None:
        """Set the time of the whole run to the time until now."""
        self.wall = time.perf_counter() - self.began

    def seconds(self) -> dict[str, float]:
        """Seconds by step, and ``wall`` for the whole run; the steps overlap (see `CONCURRENT`)."""
        return {**self._seconds, "wall": self.wall}

    def share(self, step: str) -> float:
        """Share of the run's time that a step took: 0 to 1, or more for a step of several threads."""
        return self._seconds[step] / self.wall if self.wall else 0.0

    def closing_line(self) -> str:
        """Describe the share of each step in one line."""
        in_turn = [step for step in STEPS if step not in CONCURRENT]
        rest = max(0.0, 1 - sum(map(self.share, in_turn)))
        shares = [f"{step} {self.share(step):.0%}" for step in in_turn]
        beside = [f"{step} {self.share(step):.0%}" for step in CONCURRENT]
        return f"share of the time: {', '.join(shares)}, start and end {rest:.0%}; beside these {', '.join(beside)}"

    def table(self, n_samples: int) -> list[str]:
        """Lines of a table: seconds, share of the time and milliseconds per sample, by step."""
        lines = [f"{'step':<10}{'seconds':>10}{'share':>8}{'ms/sample':>11}"]
        for step, seconds in self.seconds().items():
            share = seconds / self.wall if self.wall else 0.0
            lines.append(f"{step:<10}{seconds:>10.2f}{share:>8.1%}{1000 * seconds / max(1, n_samples):>11.2f}")
        return lines

    def advice(self, *, workers: int) -> str | None:
        """Say what would help if the forward waits for images; None if it does not.

        Parameters
        ----------
        workers
            Number of processes that read images.
        """
        if self.share("waiting") < STARVED:
            return None
        n_cores = usable_processors()
        busy = self._seconds["transfer"] + self._seconds["forward"]
        # Decoding is summed over all threads: so many workers keep up with the device.
        enough = math.ceil(self._seconds["decode"] / max(busy, 1e-9))
        starved = f"the backbone waited for images {self.share('waiting'):.0%} of the time"
        if workers < min(enough, n_cores):
            return f"{starved}: reading them takes longer than the forward, and --workers {min(enough, n_cores)} helps"
        return (
            f"{starved}, and {counted(workers, 'worker')} on {counted(n_cores, 'core')} cannot read them faster: "
            "smaller or uncompressed files, or a faster disk, would help"
        )

    def write_trace(self, path: Path) -> None:
        """Write the events as a Chrome trace, for chrome://tracing or ui.perfetto.dev."""
        events = self._events or []
        threads = {name: number for number, name in enumerate(sorted({event.thread for event in events}))}
        names = [
            {"name": "thread_name", "ph": "M", "pid": 0, "tid": number, "args": {"name": name}}
            for name, number in threads.items()
        ]
        records = [_trace_record(event, threads[event.thread]) for event in events]
        with publish(path) as temporary:
            temporary.write_text(json.dumps({"traceEvents": names + records}), encoding="utf-8")


def _trace_record(event: Event, thread: int) -> dict[str, str | int]:
    # The Trace Event Format: ``M`` names a thread, ``X`` is a complete event, times are in microseconds.
    return {
        "name": event.step,
        "ph": "X",
        "pid": 0,
        "tid": thread,
        "ts": round(1e6 * event.began),
        "dur": round(1e6 * event.seconds),
    }
