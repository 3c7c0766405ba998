"""Intervals of scores, and paired differences, over the groups of a stage."""

from contextlib import suppress

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.design import Design
from cellfeat.recommending.contest import Stage
from cellfeat.recommending.part import Part
from cellfeat.statistics.interval_types import Difference, Interval
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.types import Integers


class Intervals:
    """Intervals over the groups of a stage; None where none can be computed.

    Parameters
    ----------
    part, stage
        All samples, and those of the stage.
    design
        Number of draws, and the seed.
    """

    def __init__(self, part: Part, stage: Stage, design: Design) -> None:
        self._classes = np.array(part.classes)
        self._bootstrap: GroupBootstrap | None = None
        with suppress(SplitError):
            self._bootstrap = GroupBootstrap(
                self._classes[stage.labels.codes],
                part.groups[stage.rows],
                part.classes,
                n_draws=design.draws,
                random_state=design.random_state,
            )

    def interval(self, predicted: Integers) -> Interval | None:
        """Interval of the balanced accuracy of predictions, shape ``(n,)``."""
        return None if self._bootstrap is None else self._bootstrap.interval(self._classes[predicted])

    def difference(self, first: Integers, second: Integers) -> Difference | None:
        """Paired difference of two predictions.

        Parameters
        ----------
        first, second
            Class numbers, shape ``(n,)`` each.
        """
        if self._bootstrap is None or np.array_equal(first, second):
            return None
        return self._bootstrap.difference(self._classes[first], self._classes[second])
