"""Protocols of the results that figures draw: results import the figures, so figures do not import results."""

from collections.abc import Sequence
from typing import Any, Protocol

from cellfeat.evaluation.scoring.head_scores import Scores

ROUNDING = 1e-6


class Scored(Protocol):
    """A head with its scores, as `cellfeat.evaluation.results.ScoredHead`."""

    @property
    def head(self) -> str:
        """Name of the head."""
        ...

    @property
    def scores(self) -> Scores:
        """Its scores."""
        ...


class Curve(Protocol):
    """The learning curve of a head, as `cellfeat.evaluation.learning_curve.LearningCurve`."""

    @property
    def head(self) -> str:
        """Name of the head."""
        ...

    @property
    def fractions(self) -> tuple[float, ...]:
        """Parts of the training samples, ascending."""
        ...

    @property
    def n_train(self) -> tuple[int, ...]:
        """Training samples at each fraction."""
        ...

    @property
    def results(self) -> Sequence[Scored]:
        """The result at each fraction."""
        ...

    def points(self) -> list[dict[str, Any]]:
        """Training samples, balanced accuracy and its interval of each point."""
        ...


def deciding(results: Sequence[Scored]) -> list[int]:
    """Places of the heads that an axis has to show: those better than chance, or all where none is.

    A head at the level of chance would squeeze all others into a corner.
    """
    better = [
        place
        for place, result in enumerate(results)
        if result.scores.overall.interval.low > 1 / len(result.scores.per_class.classes) + ROUNDING
    ]
    return better or list(range(len(results)))
