"""The workers of an extraction, as the driver knows them: started, asked, given parts, and replaced when they die."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ray

from cellfeat.extraction.shares.ray.actor import Job, Made, News, Opened, PartsActor
from cellfeat.extraction.shares.ray.layout import Layout
from cellfeat.extraction.shares.ray.losses import Loss, loss_of

SECONDS_BETWEEN_NEWS = 0.4
SECONDS_TO_STOP = 10.0
Answer = Callable[["Member", Any], None]


@dataclass(eq=False)
class Member:
    """One worker.

    Attributes
    ----------
    number
        Its number, from 1; a replacement has a number of its own.
    handle
        Its actor.
    host
        The name of its machine; ``""`` until it has started.
    state
        ``starting``, ``opening``, ``idle``, ``making`` or ``refused``.
    parts
        The run of parts that it makes.
    n_done
        Samples of this run that are done.
    asked
        When it was asked for news; inf while the answer is open.
    """

    number: int
    handle: Any
    host: str = ""
    state: str = "starting"
    parts: list[range] = field(default_factory=list)
    n_done: int = 0
    asked: float = 0.0

    def __str__(self) -> str:
        return f"worker {self.number} on {self.host}" if self.host else f"worker {self.number}"


class Crew:
    """The workers.

    Parameters
    ----------
    layout
        How many workers there are, and what each gets.
    job
        What each needs.
    on_lost
        Called with a worker that has died, and why.
    """

    def __init__(self, layout: Layout, job: Job, on_lost: Callable[[Member, Loss], None]) -> None:
        self.members: list[Member] = []
        self._layout = layout
        self._job = ray.put(job)
        self._on_lost = on_lost
        self._open: dict[Any, tuple[Member, Answer]] = {}
        self._n_started = 0

    def of_state(self, *states: str) -> list[Member]:
        """List the workers in one of these states."""
        return [member for member in self.members if member.state in states]

    def start(self, on_host: Answer) -> None:
        """Start one worker more, as soon as the cluster has room for it."""
        self._n_started += 1
        handle = PartsActor.options(
            num_cpus=self._layout.n_cpus,
            num_gpus=self._layout.n_gpus,
            scheduling_strategy="SPREAD",
            # Read when the process starts: threads that spin while they wait slow down each other.
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(self._layout.n_threads), "OMP_WAIT_POLICY": "PASSIVE"}},
        ).remote()
        member = Member(self._n_started, handle)
        self.members.append(member)
        self._expect(member, handle.host.remote(), on_host)
        handle.warm.remote()

    def open(self, member: Member, plan: Mapping[str, Any] | None, on_opened: Callable[[Member, Opened], None]) -> None:
        """Let a worker load what it needs."""
        member.state = "opening"
        self._expect(member, member.handle.open.remote(self._job, plan), on_opened)

    def make(self, member: Member, parts: list[range], on_made: Callable[[Member, Made], None]) -> None:
        """Let a worker make a run of parts."""
        member.state, member.parts, member.n_done = "making", parts, 0
        self._expect(member, member.handle.make.remote(parts), on_made)

    def ask(self, on_news: Callable[[Member, News], None]) -> None:
        """Ask those that work for news, unless they were asked a moment ago."""
        now = time.monotonic()
        for member in self.of_state("opening", "making"):
            if now - member.asked > SECONDS_BETWEEN_NEWS:
                member.asked = float("inf")
                self._expect(member, member.handle.news.remote(), on_news)

    def wait(self, seconds: float) -> None:
        """Wait for answers, and handle those that are there."""
        if not self._open:
            time.sleep(seconds)
            return
        ready, _ = ray.wait(list(self._open), num_returns=1, timeout=seconds)
        # All that are there, and not one each time: hundreds of workers answer at once.
        more, _ = ray.wait(list(self._open), num_returns=len(self._open), timeout=0) if ready else ([], [])
        for answer in dict.fromkeys([*ready, *more]):
            self._handle(answer)

    def drop(self, member: Member) -> None:
        """Forget a worker, and end its process where it still runs."""
        if member in self.members:
            self.members.remove(member)
        self._open = {answer: open_ for answer, open_ in self._open.items() if open_[0] is not member}
        ray.kill(member.handle)

    def stop(self) -> None:
        """End all workers; those that make parts first keep their finished batches."""
        making = {answer for answer, (member, _) in self._open.items() if member.state == "making" and member.parts}
        for member in self.of_state("making"):
            member.handle.stop.remote()
        if making:
            ray.wait(list(making), num_returns=len(making), timeout=SECONDS_TO_STOP)
        for member in list(self.members):
            self.drop(member)

    def _expect(self, member: Member, answer: Any, handler: Answer) -> None:
        self._open[answer] = (member, handler)

    def _handle(self, answer: Any) -> None:
        if answer not in self._open:  # of a worker that was dropped a moment ago
            return
        member, handler = self._open.pop(answer)
        try:
            value = ray.get(answer)
        except ray.exceptions.RayTaskError:
            raise  # a bug: its traceback is that of the worker
        except ray.exceptions.RayError as error:
            self.drop(member)
            self._on_lost(member, loss_of(error))
            return
        handler(member, value)
