"""What an evaluation reports while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

from cellfeat.evaluation.remarks import Say, ignore_line

if TYPE_CHECKING:
    from cellfeat.evaluation.results import Outcome


class Progress(Protocol):
    """Receives the fold that each head has reached."""

    def __call__(self, head: str, fold: int, n_done: float, n_total: int) -> None:
        """Record that `head` works on `fold`.

        Parameters
        ----------
        head
            Name of the head.
        fold
            Number of the fold, from 1; 0 is the fit on all samples.
        n_done, n_total
            Folds finished so far, and folds of all heads together. A fit on all samples counts as one fold.
        """
        ...


def ignore_progress(head: str, fold: int, n_done: float, n_total: int) -> None:
    """Drop a progress report."""


def ignore_outcome(_outcome: "Outcome") -> None:
    """Drop an outcome."""


@dataclass(frozen=True, repr=False)
class Hooks:
    """Functions that an evaluation calls while it runs. Every one is optional.

    Attributes
    ----------
    say
        Receives lines for the user: remarks about the groups, the cost of tuning, heads that failed.
    progress
        Receives the fold that each head has reached.
    outcome
        Receives the result, or the failure, of each head as soon as it is finished.
    """

    say: Say = ignore_line
    progress: Progress = ignore_progress
    outcome: Callable[["Outcome"], None] = ignore_outcome

    def __repr__(self) -> str:
        """Give the functions that do something; the signatures of functions that take hooks show this."""
        given = [one.name for one in fields(self) if getattr(self, one.name) is not one.default]
        return f"Hooks({', '.join(f'{name}=...' for name in given)})"


SILENT = Hooks()
