"""Who computes pieces: this process, processes of this machine through joblib, or a Ray cluster through joblib."""

import os
import pickle
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from cellfeat.errors import DiskFullError, HeadError, WorkerError
from cellfeat.evaluation.folds.fold import Fold, FoldOutcome
from cellfeat.evaluation.parallel.pieces import Attempt, Computes, Failure, Piece, Warned, attempt, attempt_quietly
from cellfeat.heads.registry import known_here

MAPPED_BYTES = 100_000
"""Larger arrays are written to a file once and mapped by all processes, instead of being sent with every piece."""

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, order=True)
class Task:
    """A piece with its place, by which tasks are ordered.

    Attributes
    ----------
    flow
        Number of the flow.
    place
        Place in the pieces that the flow waits for.
    piece
        The piece.
    """

    flow: int
    place: int
    piece: Piece = field(compare=False)


class Workers(Protocol):
    """Computes pieces."""

    @property
    def n_ahead(self) -> int:
        """How many pieces should be ready, so that no worker waits."""
        ...

    def attempts(self, tasks: Iterator[Task]) -> Any:
        """Compute tasks until there are none, and give each with its outcome as soon as it is there.

        Parameters
        ----------
        tasks
            May be taken from another thread. More may appear while others are computed.
        """
        ...


class InThisProcess:
    """Computes one piece after another in this process."""

    n_ahead = 1

    def attempts(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, FoldOutcome | Failure]]:
        """Compute tasks in order."""
        for task in tasks:
            yield task, attempt(task.piece.run, task.piece.settings, task.piece.fold).outcome


IN_THIS_PROCESS = InThisProcess()


class Shared(Protocol):
    """What computes a head, as other processes receive it."""

    def get(self) -> Computes:
        """Give it, in the process that computes."""
        ...


@dataclass(frozen=True)
class Mapped:
    """What computes a head, pickled with every piece; joblib maps its large arrays from files."""

    run: Computes

    def get(self) -> Computes:
        """Give it."""
        return self.run


@dataclass(frozen=True)
class Sent:
    """A head as other processes receive it.

    Attributes
    ----------
    head
        Its name.
    entry
        Its pickled entry: unpickling it may fail in another process, which must not end that process.
    shared
        What computes it.
    """

    head: str
    entry: bytes
    shared: Shared

    def run(self) -> Computes:
        """Restore what computes the head.

        Raises
        ------
        HeadError
            If its class cannot be imported here.
        """
        run = self.shared.get()
        try:
            run.entry = pickle.loads(self.entry)  # noqa: S301, made by the process that started this one
            known_here(run.entry)
        except (ImportError, AttributeError, pickle.UnpicklingError) as error:
            raise HeadError(
                f"{self.head} cannot be loaded in another process ({error}); move its class into a module that can be "
                "imported there, or evaluate it with jobs=1"
            ) from None
        return run


class JoblibWorkers:
    """Processes that joblib starts, or that it finds on a cluster.

    Parameters
    ----------
    parallel
        A `joblib.Parallel` that gives results as soon as they are there.
    n_workers
        Number of processes.
    share
        Prepares what computes a head for other processes.
    """

    def __init__(self, parallel: Any, n_workers: int, share: Any = Mapped) -> None:
        self._parallel, self._n_workers, self._share = parallel, n_workers, share
        self._prepared: dict[int, tuple[Computes, Sent | Failure]] = {}
        self._warned: dict[Any, Any] = {}

    @property
    def n_ahead(self) -> int:
        """Enough for each worker to find its next piece waiting."""
        return 3 * self._n_workers

    def attempts(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, FoldOutcome | Failure]]:
        """Compute tasks side by side.

        Parameters
        ----------
        tasks
            Taken from a thread of joblib.

        Raises
        ------
        WorkerError
            If a process ends before its piece is done.
        """
        from joblib import delayed
        from joblib.externals.loky.process_executor import BrokenProcessPool

        taken: dict[tuple[int, int], Task] = {}
        is_closed = threading.Event()

        def calls() -> Iterator[Any]:
            for task in tasks:
                if is_closed.is_set():
                    return
                taken[task.flow, task.place] = task
                piece = task.piece
                yield delayed(_answer)(task.flow, task.place, self._sent(piece.run), piece.settings, piece.fold)

        try:
            # Closing the answers may warn, too.
            with warnings.catch_warnings(), closing(self._parallel(calls())) as answers:
                # Of joblib, about pieces that Ctrl-C makes useless.
                warnings.filterwarnings("ignore", ".*tasks.*(cancelled|not used)")
                # It replaces a process that has grown, as one does that has fitted on large features. Nothing is lost.
                warnings.filterwarnings("ignore", "A worker stopped while some jobs")
                try:
                    for flow, place, made in answers:
                        self._warn(made.warned)
                        yield taken.pop((flow, place)), made.outcome
                except GeneratorExit:
                    # joblib may give the last answer before it has counted it. Closed at that moment, it would kill
                    # the workers, which then cannot say that they have let go of the files that they share.
                    is_closed.set()
                    if not taken:
                        deque(answers, maxlen=0)
                    raise
        except BrokenProcessPool:
            raise WorkerError(
                "a worker process has ended before its fold was done, perhaps because the machine has too little "
                "memory: use fewer --jobs; finished folds are kept, so start the same command again to continue"
            ) from None

    def _sent(self, run: Computes) -> "Sent | Failure":
        """Prepare what computes a head, once for all of its pieces."""
        if id(run) not in self._prepared:
            self._prepared[id(run)] = (run, self._prepare(run))
        return self._prepared[id(run)][1]

    def _prepare(self, run: Computes) -> "Sent | Failure":
        from joblib.externals.loky.backend.reduction import dumps

        portable = run.portable()
        try:
            entry = bytes(dumps(portable.entry))
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
            return Failure(
                "PicklingError",
                f"{run.head} cannot be sent to another process ({error}); evaluate it with jobs=1, or leave out of it "
                "what cannot be pickled, such as open files, locks and generators",
                is_own=True,
                is_unsent=True,
            )
        portable.entry = None
        return Sent(run.head, entry, self._share(portable))

    def _warn(self, warned: Any) -> None:
        """Issue warnings of other processes here; each is shown once, whichever process had it."""
        for one in map(Warned._make, warned):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, registry=self._warned)


def _answer(
    flow: int, place: int, sent: Sent | Failure, settings: Mapping[str, Any], fold: Fold
) -> tuple[int, int, Attempt]:
    """Compute a piece in another process."""
    if isinstance(sent, Failure):
        return flow, place, Attempt(sent)
    try:
        run = sent.run()
    except HeadError as error:
        return flow, place, Attempt(replace(Failure.of(error), is_unsent=True))
    return flow, place, attempt_quietly(run, settings, fold)


@contextmanager
def processes(n_jobs: int, shared_bytes: int) -> Iterator[JoblibWorkers]:
    """Start processes of this machine, which end with this one.

    Parameters
    ----------
    n_jobs
        How many.
    shared_bytes
        Size of the arrays that they share.

    Raises
    ------
    DiskFullError
        If no folder has room for the shared arrays.
    """
    from joblib import Parallel, parallel_config

    with (
        parallel_config(backend="loky", inner_max_num_threads=1, initializer=begin_worker, initargs=(os.getpid(),)),
        Parallel(
            n_jobs,
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="2*n_jobs",
            max_nbytes=MAPPED_BYTES,
            temp_folder=_temporary_folder(shared_bytes),
        ) as parallel,
    ):
        yield JoblibWorkers(parallel, n_jobs)


def begin_worker(parent: int) -> None:
    """Prepare a worker process: the parent answers Ctrl-C, and a worker ends when its parent is gone.

    Parameters
    ----------
    parent
        Process id of the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _temporary_folder(n_bytes: int) -> str | None:
    """Choose a folder with room for shared arrays: in memory where they take less than half of it."""
    given = os.environ.get("JOBLIB_TEMP_FOLDER")
    if given is None and SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 2 * n_bytes:
        return str(SHARED_MEMORY)
    folder = given or tempfile.gettempdir()
    free = shutil.disk_usage(folder).free if Path(folder).is_dir() else n_bytes
    if free < n_bytes:
        raise DiskFullError(
            f"{folder}: {n_bytes / 1e9:.1f} GB are needed to share the features with worker processes, and "
            f"{free / 1e9:.1f} GB are free; set JOBLIB_TEMP_FOLDER to another folder, or use --jobs 1"
        )
    return folder
