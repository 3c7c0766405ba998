"""Where the time of an extraction goes: seconds by stage, what to do about it, and a trace to look at."""

import json
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cellfeat.provenance import publish

BESIDE = ("decode", "write")
"""Stages that run beside the others, in threads of their own."""
STAGES = ("decode", "waiting", "transfer", "forward", "write")
STARVED = 0.15
"""Share of the time that the forward may wait for images before advice is given."""


@dataclass(frozen=True)
class Event:
    """One stage of one sample, batch or part: when it began and how long it took, in seconds."""

    stage: str
    thread: str
    began: float
    seconds: float


class Timeline:
    """Notes how long each stage takes; threads may note at the same time.

    ``decode`` is reading images, ``waiting`` what the forward lost to images that were not there yet, ``transfer``
    their way to the device and to the backbone's size, ``forward`` the backbone with the way back, ``write`` the parts.

    Parameters
    ----------
    keeps_events
        Whether every single event is kept, for `write_trace`; the sums always are.
    """

    def __init__(self, *, keeps_events: bool = False) -> None:
        self.began = time.perf_counter()
        self.wall = 0.0
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._events: list[Event] | None = [] if keeps_events else None
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the time that the block takes as spent in the stage `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._note(Event(name, threading.current_thread().name, began - self.began, time.perf_counter() - began))

    def _note(self, event: Event) -> None:
        with self._lock:
            self._seconds[event.stage] += event.seconds
            if self._events is not None:
                self._events.append(event)

    def end(self) -> None:
        """Take the time until now for the whole run's."""
        self.wall = time.perf_counter() - self.began

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, and ``wall`` for the whole run; see `BESIDE`."""
        return {**self._seconds, "wall": self.wall}

    def share(self, stage: str) -> float:
        """The share of the run's time that a stage took: 0 to 1, and more for a stage of several threads."""
        return self._seconds[stage] / self.wall if self.wall else 0.0

    def closing_line(self) -> str:
        """Say each stage's share of the time."""
        shares = ", ".join(f"{stage} {self.share(stage):.0%}" for stage in STAGES)
        return f"share of the time: {shares} ({' and '.join(BESIDE)} run beside the others)"

    def table(self, n_samples: int) -> list[str]:
        """Lines of a table: seconds, share of the time and milliseconds a sample, by stage."""
        lines = [f"{'stage':<10}{'seconds':>10}{'share':>8}{'ms/sample':>11}"]
        for stage, seconds in self.seconds().items():
            share = seconds / self.wall if self.wall else 0.0
            lines.append(f"{stage:<10}{seconds:>10.2f}{share:>8.1%}{1000 * seconds / max(1, n_samples):>11.2f}")
        return lines

    def advice(self, *, workers: int) -> str | None:
        """Say what would help, where the forward waits for images; None where it does not.

        Parameters
        ----------
        workers
            Processes that read images.
        """
        if self.share("waiting") < STARVED:
            return None
        n_cores = os.cpu_count() or 1
        busy = self._seconds["transfer"] + self._seconds["forward"]
        enough = math.ceil(self._seconds["decode"] / max(busy, 1e-9))
        starved = f"the backbone waited for images {self.share('waiting'):.0%} of the time"
        if workers < min(enough, n_cores):
            return f"{starved}: reading them is what takes long, and --workers {min(enough, n_cores)} would help"
        return (
            f"{starved}, and {workers} workers on {n_cores} cores cannot read them faster: smaller or uncompressed "
            f"files, or a faster disk, would help"
        )

    def write_trace(self, path: Path) -> None:
        """Write the events as a Chrome trace, which chrome://tracing and ui.perfetto.dev show."""
        events = self._events or []
        threads = {name: number for number, name in enumerate(sorted({event.thread for event in events}))}
        records = [
            {
                "name": event.stage,
                "ph": "X",
                "pid": 0,
                "tid": threads[event.thread],
                "ts": round(1e6 * event.began),
                "dur": round(1e6 * event.seconds),
            }
            for event in events
        ]
        names = [
            {"name": "thread_name", "ph": "M", "pid": 0, "tid": number, "args": {"name": name}}
            for name, number in threads.items()
        ]
        with publish(path) as temporary:
            temporary.write_text(json.dumps({"traceEvents": names + records}), encoding="utf-8")
