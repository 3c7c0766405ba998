"""One of many processes that make the parts of an extraction."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from cellfeat.config import Settings
from cellfeat.errors import CellfeatError, WriteError
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import exact_float32
from cellfeat.extraction.forward.kept_memory import freed_memory_kept
from cellfeat.extraction.header_choice import check_choices
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.recipe import check_expected_recipe
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.extraction.run import Run
from cellfeat.extraction.shares.consolidation import is_finished
from cellfeat.extraction.shares.plan import check_planned
from cellfeat.extraction.shares.planning import is_finished_meanwhile
from cellfeat.extraction.shares.records import recorded_share
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.store import RunHeader, parts_folder, unfinished_run
from cellfeat.extraction.writer import PartDone
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location


@dataclass(frozen=True)
class ShareResult:
    """The result of a share.

    Attributes
    ----------
    share
        The share.
    folder
        Where the parts lie.
    parts
        Its parts.
    seconds
        Duration.
    """

    share: Share
    folder: Location
    parts: tuple[PartDone, ...]
    seconds: float

    @property
    def n_samples(self) -> int:
        """Number of samples in its parts."""
        return sum(part.stop - part.start for part in self.parts)

    @property
    def n_failed(self) -> int:
        """Number of samples that could not be read."""
        return sum(part.n_failed for part in self.parts)

    def __str__(self) -> str:
        n_there = sum(part.was_there for part in self.parts)
        rate = self.n_samples / self.seconds if self.seconds else 0.0
        return (
            f"share {self.share}: {len(self.parts)} parts, {n_there} of them were there, {self.n_samples:,} samples, "
            f"{self.n_failed} failed, {self.seconds:.1f} s, {rate:.1f} samples/s"
        )


class ShareWorker:
    """Makes parts of a planned extraction; the network is loaded once, and its bits are proven before the first part.

    Make one with `opened`, as a context manager.

    Parameters
    ----------
    run
        The run of this process.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    @classmethod
    @contextmanager
    def opened(
        cls, settings: Settings, *, observer: Observer | None = None, manifest: Manifest | None = None
    ) -> Iterator[Self]:
        """Load what an extraction needs. If there is no plan, this process makes it.

        Parameters
        ----------
        settings, observer, manifest
            As for `cellfeat.extraction.extract.extract`.

        Raises
        ------
        FingerprintError
            If the plan has other settings or samples, or is of another version.
        WriteError
            If another process has finished the feature file meanwhile.
        """
        with prepared_request(settings, observer, manifest) as request, cls.for_request(request) as worker:
            yield worker

    @classmethod
    @contextmanager
    def for_request(cls, request: ExtractionRequest) -> Iterator[Self]:
        """Load what a request needs; see `opened`."""
        # Before the network is loaded, which takes a while.
        planned = unfinished_run(request.output)
        if planned is not None:
            check_planned(request, planned)
        with exact_float32(), freed_memory_kept():
            context = RunContext.from_request(request)
            if request.workers is not None:
                request.workers.start(context.n_workers)
            check_expected_recipe(context)
            check_choices(context)
            run = Run(context, shares_parts=True)
            run.plan()
            if is_finished_meanwhile(request, run):
                raise WriteError(f"{request.output}: was finished by another process meanwhile")
            yield cls(run)

    @property
    def header(self) -> RunHeader:
        """The plan."""
        return self._run.header()

    @property
    def host(self) -> str:
        """The name of this machine."""
        return self._run.host

    def make(self, parts: Sequence[range]) -> Iterator[PartDone]:
        """Make parts, and yield each when it is written; those that are there already are checked, and come first.

        Parameters
        ----------
        parts
            The rows of each part, out of ``header.part_rows()``.

        Raises
        ------
        ImageError
            If a sample cannot be read and ``extraction.on_error`` is ``stop``, or another machine has read other
            pixels.
        BitsError
            If this machine computes other numbers than the one that made the plan, or the same part.
        DeviceError
            If the device has not enough memory for a batch of the plan.
        """
        yield from self._run.parts_done(parts)


def extract_share(
    settings: Settings, share: Share, *, observer: Observer | None = None, manifest: Manifest | None = None
) -> ShareResult | None:
    """Make one share of an extraction; `consolidate` joins all shares into the feature file.

    Shares may be made by any number of processes on any machines that see the same images and the same output, in any
    order, at once, and twice. The first process makes the plan, unless there is one.

    Parameters
    ----------
    settings, observer, manifest
        As for `cellfeat.extraction.extract.extract`.
    share
        Which parts to make.

    Returns
    -------
    ShareResult or None
        What was made; None if the feature file is finished already.

    Raises
    ------
    FingerprintError
        If the plan has other settings or samples, or is of another version; or the output holds other features.
    ImageError, BitsError, DeviceError
        As for `ShareWorker.make`; the message names share, machine and, where it is known, part.
    """
    began = time.perf_counter()
    with prepared_request(settings, observer, manifest) as request:
        if is_finished(request):
            return None
        try:
            return _made(request, share, began)
        except WriteError:
            if not is_finished(request):
                raise
            return None


def _made(request: ExtractionRequest, share: Share, began: float) -> ShareResult:
    with ShareWorker.for_request(request) as worker:
        folder = parts_folder(request.output)
        with _named(share, worker.host), recorded_share(open_storage(folder), share, worker.host):
            done = tuple(worker.make(share.parts(worker.header)))
        return ShareResult(share, folder, done, time.perf_counter() - began)


@contextmanager
def _named(share: Share, host: str) -> Iterator[None]:
    """Name share and machine in every error of the block."""
    try:
        yield
    except CellfeatError as error:
        raise type(error)(f"share {share} on {host}: {error}") from error
