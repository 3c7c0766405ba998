"""The default: this process computes alone, and after some seconds of work other processes take over."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from cellfeat.errors import DiskFullError
from cellfeat.evaluation.folds.fold import FoldOutcome
from cellfeat.evaluation.parallel.pieces import Failure, attempt
from cellfeat.evaluation.parallel.workers import IN_THIS_PROCESS, JoblibWorkers, Task, Workers, processes

SECONDS_ALONE = 6.0
"""Seconds of the processor, summed over threads, before processes are started.

About what starting two of them costs, so a comparison takes at most twice that longer than if its end had been known,
and a small one starts none.
"""

COPIES = 3
"""Times the size of the embeddings that one process may need: the training part of a fold, its test part, and what the
head makes of them.
"""

PROCESS_BYTES = 500_000_000
"""What the libraries of the heads take in each process."""


class GrowingWorkers:
    """Computes in this process first, and by processes once the work has turned out to be long.

    Parameters
    ----------
    started
        Starts the processes; entered at most once.
    """

    def __init__(self, started: AbstractContextManager[JoblibWorkers]) -> None:
        self._started, self._stack = started, ExitStack()
        self._others: JoblibWorkers | None = None
        self._is_alone, self._spent = False, 0.0

    def __enter__(self) -> "GrowingWorkers":
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(*failure)  # type: ignore[arg-type]

    @property
    def n_ahead(self) -> int:
        """How many pieces should be ready."""
        return IN_THIS_PROCESS.n_ahead if self._others is None else self._others.n_ahead

    def attempts(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, FoldOutcome | Failure]]:
        """Compute tasks until there are none.

        Parameters
        ----------
        tasks
            As for `cellfeat.evaluation.parallel.workers.Workers.attempts`.
        """
        while self._others is None:
            task = next(tasks, None)
            if task is None:
                return
            began = time.process_time()
            outcome = _computed_here(task)
            self._spent += time.process_time() - began
            self._grow_where_it_pays()
            yield task, outcome
        for task, outcome in self._others.attempts(tasks):
            is_unsent = isinstance(outcome, Failure) and outcome.is_unsent
            yield task, _computed_here(task) if is_unsent else outcome

    def _grow_where_it_pays(self) -> None:
        if self._is_alone or self._spent < SECONDS_ALONE:
            return
        self._is_alone = True
        if _has_gpu():  # which one process uses well
            return
        try:
            self._others = self._stack.enter_context(self._started)
        except DiskFullError:  # nobody has asked for processes: this one goes on
            return


@contextmanager
def growing(shared_bytes: int) -> Iterator[Workers]:
    """Compute here, and later by as many processes as there are processors and memory for.

    Parameters
    ----------
    shared_bytes
        Size of the arrays that the processes would share.
    """
    n_jobs = affordable_jobs(shared_bytes)
    if n_jobs == 1:
        yield IN_THIS_PROCESS
        return
    with GrowingWorkers(processes(n_jobs, shared_bytes)) as workers:
        yield workers


def affordable_jobs(shared_bytes: int) -> int:
    """Processes for which there are processors, and half of the memory that is available; at least 1.

    Parameters
    ----------
    shared_bytes
        Size of the embeddings.
    """
    from joblib import cpu_count

    free = available_bytes()
    if free is None:
        return 1
    # The shared arrays themselves are in memory once more.
    n_fitting = (free // 2 - shared_bytes) // (COPIES * shared_bytes + PROCESS_BYTES)
    return max(1, min(int(cpu_count()), n_fitting))


def available_bytes() -> int | None:
    """Memory that processes can have without swapping, within the limit of a container; None where it is unknown."""
    free = _free_on_machine()
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    if free is None or limit is None or used is None:
        return free
    return min(free, max(0, limit - used))


def _free_on_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max": no limit
        return None


def _has_gpu() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch and torch.cuda.is_available())


def _computed_here(task: Task) -> FoldOutcome | Failure:
    return attempt(task.piece.run, task.piece.settings, task.piece.fold).outcome
