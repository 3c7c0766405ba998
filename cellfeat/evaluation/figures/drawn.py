"""Protocols of the results that figures draw: results import the figures, so figures do not import results."""

from collections.abc import Sequence
from typing import Any, Protocol

from cellfeat.evaluation.scores.head_scores import Scores

ROUNDING = 1e-6


class Scored(Protocol):
    """A head with its scores, as `cellfeat.evaluation.results.head_results.ScoredHead`."""

    @property
    def head(self) -> str:
        """Name of the head."""
        ...

    @property
    def scores(self) -> Scores:
        """Its scores."""
        ...


class Curve(Protocol):
    """The learning curve of a head, as `cellfeat.evaluation.learning_curves.curves.LearningCurve`."""

    @property
    def head(self) -> str:
        """Name of the head."""
        ...

    @property
    def n_train(self) -> tuple[int, ...]:
        """Training samples of each point."""
        ...

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        ...

    def points(self) -> list[dict[str, Any]]:
        """Training samples, balanced accuracy and its interval of each point."""
        ...


def deciding(lows: Sequence[float], n_classes: int) -> list[int]:
    """Places of the heads that an axis has to show: those better than chance, or all where none is.

    A head at the level of chance would squeeze all others into a corner.

    Parameters
    ----------
    lows
        Lower end of the interval of each head's balanced accuracy.
    n_classes
        Number of classes.
    """
    better = [place for place, low in enumerate(lows) if low > 1 / n_classes + ROUNDING]
    return better or list(range(len(lows)))
