"""Flows of dependent steps, of which all pieces that are ready are computed side by side.

A flow is one fold of a head: its search for settings, round by round, and then its predictions. Flows are numbered in
the order of heads and folds, and the pieces of earlier flows go first. So one worker computes everything in the order
of a loop, and many workers start the next folds and heads where earlier ones leave them idle.
"""

import heapq
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from threading import Lock
from typing import Any, Generic, TypeVar

from cellfeat.errors import HeadError
from cellfeat.evaluation.folds.fold import FoldOutcome
from cellfeat.evaluation.parallel.pieces import SKIPPED, Failure, Flow, Piece
from cellfeat.evaluation.parallel.workers import IN_THIS_PROCESS, Task, Workers

Result = TypeVar("Result")


class _Running(Generic[Result]):
    """A flow and the outcomes that it waits for.

    Parameters
    ----------
    number
        Its place in the order of all flows.
    group
        Number of its head.
    flow
        The flow.
    """

    def __init__(self, number: int, group: int, flow: Flow[Result]) -> None:
        self.number, self.group, self.flow = number, group, flow
        self.pieces: Sequence[Piece] = ()
        self.outcomes: dict[int, FoldOutcome | Failure] = {}
        self.result: Result | None = None
        self.error: HeadError | None = None
        self.is_finished = False

    def advance(self, outcomes: Sequence[FoldOutcome | Failure] | None) -> None:
        """Hand the outcomes to the flow, and take its next pieces, its result or its error."""
        try:
            self.pieces, self.outcomes = (next(self.flow) if outcomes is None else self.flow.send(outcomes)), {}
        except StopIteration as ended:
            self.result, self.is_finished, self.pieces = ended.value, True, ()
        except HeadError as error:  # raised where the result is asked for, so that other heads go on
            self.error, self.is_finished, self.pieces = error, True, ()

    def sorted_outcomes(self) -> list[FoldOutcome | Failure]:
        return [self.outcomes[place] for place in range(len(self.pieces))]


class _Ready:
    """Pieces that can be computed now, those of earlier flows first. joblib takes them from a thread of its own."""

    def __init__(self) -> None:
        self._lock, self._tasks = Lock(), list[Task]()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return self

    def __next__(self) -> Task:
        with self._lock:
            if not self._tasks:
                raise StopIteration
            return heapq.heappop(self._tasks)

    def add(self, task: Task) -> None:
        with self._lock:
            heapq.heappush(self._tasks, task)

    def withdraw(self, flow: int, places: Sequence[int] | None = None) -> list[int]:
        """Remove pieces of a flow that nobody has taken yet, and give their places; None for all of them."""
        with self._lock:
            found = [task for task in self._tasks if task.flow == flow and (places is None or task.place in places)]
            self._tasks = [task for task in self._tasks if task not in found]
            heapq.heapify(self._tasks)
        return [task.place for task in found]


class Schedule(Generic[Result]):
    """Computes groups of flows, the folds of several heads.

    Parameters
    ----------
    groups
        The flows of each head, in order.
    workers
        Compute the pieces.
    """

    def __init__(self, groups: Sequence[Sequence[Flow[Result]]], workers: Workers) -> None:
        flows = [(group, flow) for group, of_group in enumerate(groups) for flow in of_group]
        self._flows = [_Running(number, group, flow) for number, (group, flow) in enumerate(flows)]
        self._waiting = deque(self._flows)
        self._workers, self._ready = workers, _Ready()
        self._steps = self._loop()

    def results(self, group: int) -> list[Result]:
        """Compute until the flows of a group are finished, and give their results; other groups may advance too.

        Parameters
        ----------
        group
            Its number.

        Raises
        ------
        HeadError
            The error of the first flow that failed.
        """
        mine = [flow for flow in self._flows if flow.group == group]
        while True:
            first_open = next((flow for flow in mine if not flow.is_finished or flow.error is not None), None)
            if first_open is None:
                return [flow.result for flow in mine]  # type: ignore[misc]
            if first_open.error is not None:
                raise first_open.error
            next(self._steps)

    def close(self) -> None:
        """Stop computing."""
        self._steps.close()
        for flow in self._flows:
            flow.flow.close()

    def _loop(self) -> Generator[None, None, None]:
        """Compute everything, pausing after each step so that results can be used at once."""
        while self._waiting or len(self._ready):
            yield from self._fill()
            with closing(self._workers.attempts(self._ready)) as attempts:
                for task, outcome in attempts:
                    self._take(task, outcome)
                    yield
                    yield from self._fill()

    def _fill(self) -> Iterator[None]:
        """Start flows until all workers have something to do."""
        while self._waiting and len(self._ready) < self._workers.n_ahead:
            flow = self._waiting.popleft()
            if not flow.is_finished:
                self._advance(flow, None)
            yield

    def _take(self, task: Task, outcome: FoldOutcome | Failure) -> None:
        flow = self._flows[task.flow]
        if flow.is_finished:  # a fold before it has failed
            return
        piece = flow.pieces[task.place]
        flow.outcomes[task.place] = outcome
        if isinstance(outcome, Failure):
            later = [at for at, one in enumerate(flow.pieces) if at > task.place and one.chain == piece.chain]
            flow.outcomes |= dict.fromkeys(self._ready.withdraw(flow.number, later), SKIPPED)
        else:
            piece.on_done(outcome)
        if len(flow.outcomes) == len(flow.pieces):
            self._advance(flow, flow.sorted_outcomes())

    def _advance(self, flow: _Running[Any], outcomes: Sequence[FoldOutcome | Failure] | None) -> None:
        flow.advance(outcomes)
        while not flow.is_finished and not flow.pieces:
            flow.advance([])
        for place, piece in enumerate(flow.pieces):
            self._ready.add(Task(flow.number, place, piece))
        if flow.error is not None:
            self._drop_after(flow)

    def _drop_after(self, failed: _Running[Any]) -> None:
        """Do not compute the later folds of a head that has failed."""
        for flow in self._flows[failed.number + 1 :]:
            if flow.group == failed.group and not flow.is_finished:
                flow.is_finished = True
                self._ready.withdraw(flow.number)


def completed(flow: Flow[Result]) -> Result:
    """Compute one flow in this process, and give its result."""
    return Schedule([[flow]], IN_THIS_PROCESS).results(0)[0]
