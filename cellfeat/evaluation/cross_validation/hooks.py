"""What an evaluation reports while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from cellfeat.evaluation.cross_validation.progress import Progress, ignore_progress
from cellfeat.evaluation.remarks import Say, ignore_line

if TYPE_CHECKING:
    from cellfeat.evaluation.results.head_results import Outcome


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
