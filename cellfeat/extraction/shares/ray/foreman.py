"""Hand out the parts of an extraction to the workers of a cluster, until all are made."""

import time
from importlib.metadata import version
from typing import Any

from cellfeat.errors import BitsError, CellfeatError, MissingFileError, WorkerError
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.extraction.shares.plan import check_planned
from cellfeat.extraction.shares.ray.actor import Job, Made, News, Opened, SharedError
from cellfeat.extraction.shares.ray.crew import Crew, Member
from cellfeat.extraction.shares.ray.layout import Layout
from cellfeat.extraction.shares.ray.losses import Loss
from cellfeat.extraction.shares.ray.queue import PartQueue
from cellfeat.extraction.shares.ray.says_once import SaysOnce
from cellfeat.extraction.store import PartStore, RunHeader, parts_folder, unfinished_run

TICK = 0.25
SECONDS_TO_START = 180.0
"""How long the first worker may take to start."""
SECONDS_WITHOUT_WORKER = 60.0
"""How long a run waits for a worker when it has lost all of them."""
SECONDS_UNTIL_TOLD = 15.0
"""How long workers may take to start before the user is told that they are waited for."""
MOST_DEATHS = 5
"""Workers that may end while they make the same part, or before they make any."""
_ALIVE = ("opening", "idle", "making")


class Foreman:
    """Makes all parts of an extraction; call `make_parts`.

    Parameters
    ----------
    request
        What to extract.
    job
        What each worker needs.
    layout
        The workers.
    observer
        Receives messages and progress; each message once, however many workers send it.
    """

    def __init__(self, request: ExtractionRequest, job: Job, layout: Layout, observer: SaysOnce) -> None:
        self._request = request
        self._layout = layout
        self._observer = observer
        self._crew = Crew(layout, job, self._on_lost)
        self._header: RunHeader | None = None
        self._queue: PartQueue | None = None
        self._planner: Member | None = None
        self._refusals: list[str] = []
        self._hosts: set[str] = set()
        self._began = time.monotonic()
        self._alive = self._began
        self._is_told = False
        self._n_failed_starts = 0
        self._n_shown = 0

    def make_parts(self) -> None:
        """Make every part that is missing, and check those that are there.

        Raises
        ------
        WorkerError
            If no worker is left, or a part ends one worker after another.
        CellfeatError
            The error of a worker; the message names worker, machine and rows.
        """
        self._adopt_plan()
        try:
            for _ in range(self._layout.n_workers):
                self._crew.start(self._on_host)
            while self._queue is None or not self._queue.is_complete:
                self._crew.wait(TICK)
                self._crew.ask(self._on_news)
                self._hand_out()
                self._check_alive()
                self._show()
        finally:
            self._crew.stop()
            if self._queue is not None:
                self._say_end(self._queue)

    def _adopt_plan(self) -> None:
        """Take the plan that is there, and refuse it at once if it has other settings."""
        output = self._request.output
        planned = unfinished_run(output)
        if planned is not None:
            check_planned(self._request, planned)
            self._begin(planned)

    def _begin(self, header: RunHeader) -> None:
        self._header = header
        store = PartStore(self._request.output, header)
        missing = store.missing_parts()
        absent = {part.start for part in missing}
        self._queue = PartQueue(missing, [part for part in header.part_rows() if part.start not in absent])
        if self._queue.n_parts_done:
            self._observer.say(
                f"continuing an unfinished run: {self._queue.n_parts_done} of {self._queue.n_parts} parts are there, "
                f"and are checked at the end"
            )

    def _on_host(self, member: Member, host: str) -> None:
        member.host, member.state = host, "waiting"
        self._open_waiting()

    def _open_waiting(self) -> None:
        """Let the workers that have started load what they need; without a plan only one, which makes it."""
        for member in self._crew.of_state("waiting"):
            if self._header is None:
                if self._planner is None:
                    self._planner = member
                    self._crew.open(member, None, self._on_opened)
                return
            self._crew.open(member, self._header.plan, self._on_opened)

    def _on_opened(self, member: Member, opened: Opened) -> None:
        self._say_all(opened.news)
        if opened.error is not None:
            self._refuse(member, opened.error)
            return
        member.state = "idle"
        self._n_failed_starts = 0
        self._hosts.add(member.host)
        if self._header is None:
            self._begin(self._visible_plan(member))
        self._open_waiting()

    def _visible_plan(self, member: Member) -> RunHeader:
        """The plan that a worker has made, if this machine sees it, too."""
        header = unfinished_run(self._request.output)
        if header is None:
            raise MissingFileError(
                f"{parts_folder(self._request.output)}: {member} has made the plan there, and this machine does not "
                f"see it; the output must be in a folder that all machines of the cluster and this one see under the "
                f"same name"
            )
        return header

    def _on_news(self, member: Member, news: News) -> None:
        member.asked = time.monotonic()
        self._say_all(news)
        if member.state == "making":
            member.n_done = news.n_done
            self._count(news)

    def _on_made(self, member: Member, made: Made) -> None:
        self._say_all(made.news)
        self._count(made.news)
        if made.error is None:
            member.state, member.parts = "idle", []
        elif isinstance(made.error, BitsError):
            self._give_back(member)
            self._refuse(member, made.error)
        else:
            raise _named(made.error, f"{member}{_rows(made.part)}")

    def _on_lost(self, member: Member, loss: Loss) -> None:
        if loss.lacks_package:
            raise WorkerError(
                f"a machine of the cluster cannot import cellfeat ({loss}): install the version of this machine there, "
                f"in the Python that runs ray start: pip install 'cellfeat[ray]=={version('cellfeat')}'"
            )
        if member is self._planner and self._header is None:
            self._planner = None
        left = self._give_back(member)
        n_alive = len(self._crew.of_state(*_ALIVE))
        self._observer.say(
            f"{member} was lost: {loss}; {_plural(n_alive, 'worker')} left, another one is started"
            f"{', and its parts are made again' if left else ''}"
        )
        if loss.is_own:
            self._count_death(left[0] if left else None, member, loss)
        self._crew.start(self._on_host)
        self._open_waiting()

    def _count_death(self, part: range | None, member: Member, loss: Loss) -> None:
        """Count workers that end while they make the same part, or one after another before they make any."""
        if part is None or self._queue is None:
            self._n_failed_starts += 1
            n_deaths, where = self._n_failed_starts, "before they could make a part"
        else:
            n_deaths, where = self._queue.count_death(part), f"while they made the part{_rows(part)}"
        if n_deaths >= MOST_DEATHS:
            raise WorkerError(
                f"{n_deaths} workers have ended {where}; the last, {member}: {loss}. Finished parts are kept. Often "
                f"memory is short: use fewer workers (--engine-workers), or fewer processes that read (--workers)"
            )

    def _give_back(self, member: Member) -> list[range]:
        parts, member.parts = member.parts, []
        return [] if self._queue is None else self._queue.give_back(parts)

    def _refuse(self, member: Member, error: SharedError) -> None:
        """Use a worker no more. It keeps its place, so that no other one is started there."""
        member.state = "refused"
        if member is self._planner:
            self._planner = None
        reason = str(error)
        told = "for the same reason" if reason in self._refusals else reason
        self._observer.say(f"{member} is not used: {told}")
        self._refusals.append(reason)
        if len(self._crew.of_state("refused")) == len(self._crew.members):
            raise _named(error, f"no worker can be used; the last, {member}")
        self._open_waiting()

    def _hand_out(self) -> None:
        if self._queue is None:
            return
        n_workers = len(self._crew.of_state("idle", "making"))
        for member in self._crew.of_state("idle"):
            parts = self._queue.take(n_workers)
            if not parts:
                return
            self._crew.make(member, parts, self._on_made)

    def _check_alive(self) -> None:
        """Give up when no worker has been there for a while; before, say what the run waits for."""
        now = time.monotonic()
        if self._crew.of_state(*_ALIVE):
            self._alive = now
        has_begun = bool(self._hosts)
        limit = SECONDS_WITHOUT_WORKER if has_begun else SECONDS_TO_START
        if now - self._alive > limit:
            raise WorkerError(
                f"no worker {'is left' if has_begun else 'has started'} since {limit:.0f} s: the cluster has no free "
                f"machine for a worker ({_needs(self._layout)}). Finished parts are kept: see ray status, and start "
                f"the same command again"
            )
        n_starting = len(self._crew.of_state("starting"))
        if n_starting and not self._is_told and now - self._began > SECONDS_UNTIL_TOLD:
            self._is_told = True
            self._observer.say(
                f"{n_starting} of {self._layout.n_workers} workers wait for a free machine ({_needs(self._layout)})"
            )

    def _show(self) -> None:
        if self._queue is None:
            return
        n_alive = len(self._crew.of_state(*_ALIVE))
        if n_alive != self._n_shown:
            self._n_shown = n_alive
            self._observer.show_workers(n_alive)
        n_now = sum(map(self._n_in_work, self._crew.of_state("making")))
        self._observer.advance(self._queue.n_samples_done + n_now, self._queue.n_samples)

    def _n_in_work(self, member: Member) -> int:
        """Samples that a worker has done in parts that are not done."""
        counted = [self._queue is not None and self._queue.counts(part) for part in member.parts]
        n_counted = sum(len(part) for part, is_counted in zip(member.parts, counted, strict=True) if is_counted)
        n_left = sum(map(len, member.parts)) - n_counted
        return min(max(member.n_done - n_counted, 0), n_left)

    def _count(self, news: News) -> None:
        if self._queue is not None:
            self._queue.done(news.parts)

    def _say_all(self, news: News) -> None:
        for line in news.lines:
            self._observer.say(line)

    def _say_end(self, queue: PartQueue) -> None:
        if not queue.is_complete:
            self._observer.say(f"{queue.n_parts_done} of {queue.n_parts} parts are done, and kept")
            return
        seconds, machines = time.monotonic() - self._began, _plural(len(self._hosts), "machine")
        self._observer.say(
            f"{queue.n_samples:,} samples in {_plural(queue.n_parts, 'part')} on {machines}: {seconds:.1f} s, "
            f"{queue.n_samples / seconds:.1f} samples/s"
        )


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _rows(part: range | None) -> str:
    return "" if part is None else f", rows {part.start} to {part.stop - 1}"


def _needs(layout: Layout) -> str:
    gpus = f" and {layout.n_gpus:g} GPU" if layout.n_gpus else ""
    return f"each needs {layout.n_cpus} CPUs{gpus}"


def _named(error: SharedError, where: str) -> CellfeatError:
    """Name the place of an error; its type stays."""
    kind: Any = type(error) if isinstance(error, CellfeatError) else WorkerError
    named: CellfeatError = kind(f"{where}: {error}")
    return named
