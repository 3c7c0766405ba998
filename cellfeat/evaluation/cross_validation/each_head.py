"""Heads one after another: a head that fails does not stop the others, and Ctrl-C keeps what is finished."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cellfeat.errors import HeadError
from cellfeat.evaluation.results.head_results import HeadFailure

Result = TypeVar("Result")


@dataclass(frozen=True)
class Finished(Generic[Result]):
    """Results of evaluating several heads.

    Attributes
    ----------
    results
        Of the heads that could be evaluated, in order.
    failures
        The other heads.
    is_complete
        Whether every head was evaluated; False after Ctrl-C.
    """

    results: tuple[Result, ...]
    failures: tuple[HeadFailure, ...]
    is_complete: bool


def each_head(
    heads: Sequence[str],
    evaluate: Callable[[str], Result],
    on_outcome: Callable[[Result | HeadFailure], None],
) -> Finished[Result]:
    """Evaluate heads one after another.

    Parameters
    ----------
    heads
        Names, in order.
    evaluate
        Evaluates one head; a `HeadError` is recorded as its failure.
    on_outcome
        Receives each result or failure as soon as it is finished.

    Returns
    -------
    Finished
        After Ctrl-C, the heads that were finished; the others are failures.

    Raises
    ------
    HeadError
        If every head failed.
    KeyboardInterrupt
        If no head was finished before Ctrl-C.
    """
    results: list[Result] = []
    failures: list[HeadFailure] = []
    try:
        for head in heads:
            try:
                results.append(evaluate(head))
            except HeadError as error:
                failures.append(HeadFailure(head, str(error)))
                on_outcome(failures[-1])
            else:
                on_outcome(results[-1])
    except KeyboardInterrupt:
        if not results:
            raise
        # Heads are evaluated in order, so the rest of the list was not finished.
        unfinished = heads[len(results) + len(failures) :]
        failures += [HeadFailure(head, f"{head} was interrupted before it was finished") for head in unfinished]
        return Finished(tuple(results), tuple(failures), is_complete=False)
    if not results:
        raise HeadError("no head could be evaluated: " + "; ".join(failure.reason for failure in failures))
    return Finished(tuple(results), tuple(failures), is_complete=True)
