"""What runs on the machines of the cluster: a worker that makes the parts it is given."""

import os
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from cellfeat.config import Settings
from cellfeat.errors import CellfeatError, MissingFileError
from cellfeat.extraction.store import RunHeader, parts_folder, unfinished_run
from cellfeat.extraction.writer import PartDone
from cellfeat.samples.manifest.manifest import Manifest

SharedError = CellfeatError | OSError
"""Errors that a worker returns: the user can correct them. Others are bugs, and Ray raises them in the driver."""


@dataclass(frozen=True)
class Job:
    """What every worker needs, sent to each machine once.

    Attributes
    ----------
    settings, manifest
        What to extract.
    folder
        The working folder of the driver, which relative paths are relative to.
    n_threads
        Threads of a worker.
    """

    settings: Settings
    manifest: Manifest
    folder: Path
    n_threads: int


@dataclass(frozen=True)
class News:
    """What has happened on a worker.

    Attributes
    ----------
    lines
        Lines for the user since the last answer.
    n_done
        Samples that are done of the run of parts in work.
    parts
        The parts of this run that are done.
    """

    lines: tuple[str, ...]
    n_done: int
    parts: tuple[PartDone, ...]


@dataclass(frozen=True)
class Opened:
    """Whether a worker is ready: the plan that it follows, or the error that says why not."""

    header: RunHeader | None
    error: SharedError | None
    news: News


@dataclass(frozen=True)
class Made:
    """The end of a run of parts; with an error that names a row, the part of this row."""

    error: SharedError | None
    part: range | None
    news: News


class _Stopped(KeyboardInterrupt):
    """The driver asks for the end: as after Ctrl-C, finished batches are kept."""


class _Mailbox:
    """Observer of an extraction that collects what happens until the driver asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._n_done = 0
        self._parts: list[PartDone] = []
        self._is_stopped = False

    def say(self, line: str) -> None:
        with self._lock:
            if not self._is_stopped:
                self._lines.append(line)

    def advance(self, n_done: int, n_samples: int) -> None:  # noqa: ARG002, as every observer
        with self._lock:
            self._n_done = n_done
            if self._is_stopped:
                raise _Stopped

    def begin(self) -> None:
        with self._lock:
            self._n_done, self._parts = 0, []

    def add(self, part: PartDone) -> None:
        with self._lock:
            self._parts.append(part)

    def news(self) -> News:
        with self._lock:
            lines, self._lines = tuple(self._lines), []
            return News(lines, self._n_done, tuple(self._parts))

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True


class PartsMaker:
    """Makes parts, and tells what happens while it does."""

    def __init__(self) -> None:
        # An error here would end the actor without a message of cellfeat.
        self._mailbox = _Mailbox()
        self._exit = ExitStack()
        self._worker: Any = None

    @ray.method(concurrency_group="news")
    def host(self) -> str:
        """The name of the machine."""
        return socket.gethostname()

    @ray.method(concurrency_group="news")
    def news(self) -> News:
        """What has happened since the last answer."""
        return self._mailbox.news()

    @ray.method(concurrency_group="news")
    def stop(self) -> None:
        """End the run of parts after the batch in work, and keep its finished batches."""
        self._mailbox.stop()

    def warm(self) -> None:
        """Import what takes seconds, while another worker makes the plan."""
        import cellfeat.extraction.shares.worker  # noqa: F401

    def open(self, job: Job, plan: Mapping[str, Any] | None) -> Opened:
        """Load what the extraction needs.

        Parameters
        ----------
        job
            What to extract.
        plan
            The plan that the driver sees beside the output; None: this worker makes it.
        """
        try:
            header = self._opened(job, plan)
        except (CellfeatError, OSError) as error:
            return Opened(None, error, self._mailbox.news())
        return Opened(header, None, self._mailbox.news())

    def _opened(self, job: Job, plan: Mapping[str, Any] | None) -> RunHeader:
        import torch

        # Relative paths mean the same here where the machines share their folders.
        with suppress(OSError):
            os.chdir(job.folder)
        torch.set_num_threads(job.n_threads)
        _check_plan_visible(job, plan)
        _check_images_visible(job.manifest)
        from cellfeat.extraction.shares.worker import ShareWorker

        opened = ShareWorker.opened(job.settings, observer=self._mailbox, manifest=job.manifest)
        self._worker = self._exit.enter_context(opened)
        header: RunHeader = self._worker.header
        return header

    def make(self, parts: Sequence[range]) -> Made:
        """Make a run of parts."""
        self._mailbox.begin()
        try:
            for part in self._worker.make(parts):
                self._mailbox.add(part)
        except (CellfeatError, OSError) as error:
            return Made(error, _part_named(error, parts), self._mailbox.news())
        except _Stopped:
            pass
        return Made(None, None, self._mailbox.news())


_remote: Any = ray.remote  # its types lack concurrency groups
PartsActor = _remote(max_restarts=0, max_task_retries=0, concurrency_groups={"news": 1})(PartsMaker)
"""`PartsMaker` in a process of its own. The driver replaces one that is lost, and not Ray: it tells the user."""


def _check_plan_visible(job: Job, plan: Mapping[str, Any] | None) -> None:
    """Refuse to work where the driver's plan is not seen: the parts would go to a disk of this machine alone."""
    output = job.settings.extraction.output
    here = unfinished_run(output)
    if plan is not None and (here is None or not _is_same(here.plan, plan)):
        raise MissingFileError(
            f"{parts_folder(output)}: this machine does not see the plan that lies there; the output must be in a "
            f"folder that all machines of the cluster see under the same name"
        )


def _check_images_visible(manifest: Manifest) -> None:
    """Refuse to work where the disk of the images is absent: all samples would be quarantined."""
    root, column = manifest.root, manifest.table[manifest.file_columns[0]]
    if not isinstance(root, Path):  # an address
        return
    n_samples = len(manifest)
    if not any((root / column.iloc[row]).exists() for row in {0, n_samples // 2, n_samples - 1}):
        raise MissingFileError(
            f"{root / column.iloc[0]}: this machine does not see the images; they must be in a folder that all "
            f"machines of the cluster see under the same name"
        )


def _part_named(error: SharedError, parts: Sequence[range]) -> range | None:
    named = re.search(r"\brow (\d+)\b", str(error))
    return None if named is None else next((part for part in parts if int(named[1]) in part), None)


def _is_same(here: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether two plans are one: apart from ``bits``, which a later process may widen to close."""
    return {**here, "bits": ""} == {**there, "bits": ""}
