"""A piece of work: one head fitted on some samples and tested on others. Pieces do not depend on each other."""

import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from threadpoolctl import threadpool_limits

from cellfeat.errors import CellfeatError, HeadError
from cellfeat.evaluation.folds.fold import Fold, FoldOutcome

HEAD_FAILURES = (CellfeatError, ValueError, ArithmeticError, RuntimeError, MemoryError)
"""Exceptions of a head on data that it cannot fit: scikit-learn's refusals, torch's errors, no convergence, no memory.

Anything else, such as a TypeError, is a bug in the head and is not hidden.
"""

Result = TypeVar("Result")


class Computes(Protocol):
    """Fits one head on samples of one task: a `cellfeat.evaluation.fold_predictions.head_run.HeadRun`."""

    head: str
    entry: Any

    def compute(self, settings: Mapping[str, Any], fold: Fold) -> FoldOutcome:
        """Fit on the training part of a fold and predict its test part.

        Parameters
        ----------
        settings
            Parameters of the head.
        fold
            Any split of the task's samples.
        """
        ...

    def portable(self) -> "Computes":
        """Give what another process needs: no cache, and inputs that are computed only once."""
        ...


def ignore_outcome(_outcome: FoldOutcome) -> None:
    """Drop an outcome."""


@dataclass(frozen=True)
class Piece:
    """One fit and its predictions.

    Attributes
    ----------
    run
        Computes it.
    settings
        Parameters of the head.
    fold
        Samples to fit and to predict.
    chain
        Pieces of one chain are useless after a failure: those that follow the failed one need not be computed.
    on_done
        Receives the outcome, in this process, as soon as it is there.
    """

    run: Computes
    settings: Mapping[str, Any]
    fold: Fold
    chain: int = 0
    on_done: Callable[[FoldOutcome], None] = ignore_outcome


@dataclass(frozen=True)
class Failure:
    """Why a head could not be fitted, as text: an exception of another library may not survive pickling.

    Attributes
    ----------
    kind
        Name of the exception's class.
    text
        Its message.
    is_own
        Whether it is a refusal by cellfeat, which says all.
    is_unsent
        Whether the head could not be sent to another process, and might be fitted in this one.
    """

    kind: str
    text: str
    is_own: bool = False
    is_unsent: bool = False

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Describe an exception."""
        return cls(type(error).__name__, str(error), isinstance(error, HeadError))

    @property
    def reason(self) -> str:
        """Describe the failure to a user; the name of another library's exception may help."""
        return self.text if self.is_own else f"{self.kind}: {self.text}"


class Warned(NamedTuple):
    """A warning of a head in another process, as `warnings.warn_explicit` takes it."""

    message: str
    category: type[Warning]
    filename: str
    lineno: int


@dataclass(frozen=True)
class Attempt:
    """Result of a piece.

    Attributes
    ----------
    outcome
        The outcome, or why there is none.
    warned
        Warnings that another process collected.
    """

    outcome: FoldOutcome | Failure
    warned: Sequence[Warned] = field(default=())


SKIPPED = Failure("Skipped", "an earlier piece of the chain has failed")

Flow: TypeAlias = Generator[Sequence[Piece], Sequence[FoldOutcome | Failure], Result]
"""Yields pieces that can be computed side by side, receives their outcomes in the same order, and returns a result."""


def attempt(run: Computes, settings: Mapping[str, Any], fold: Fold) -> Attempt:
    """Compute a piece; a failure of the head is a result.

    Parameters
    ----------
    run, settings, fold
        As for `Piece`.
    """
    try:
        with fixed_threads():
            return Attempt(run.compute(settings, fold))
    except HEAD_FAILURES as error:
        return Attempt(Failure.of(error))


def attempt_quietly(run: Computes, settings: Mapping[str, Any], fold: Fold) -> Attempt:
    """Compute a piece in another process, and collect warnings for the process that asked.

    Parameters
    ----------
    run, settings, fold
        As for `Piece`.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = attempt(run, settings, fold)
    warned = {Warned(str(one.message), one.category, one.filename, one.lineno): None for one in caught}
    return Attempt(made.outcome, tuple(warned))


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Let matrix products use one thread: their last bits depend on the number of threads.

    LightGBM and forests keep their own threads, which change no bit. With one thread, results are the same on every
    number of processors and beside any number of other pieces.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    try:
        if torch and before > 1:
            torch.set_num_threads(1)
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        if torch and before > 1:
            torch.set_num_threads(before)
