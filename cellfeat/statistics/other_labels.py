"""Paired differences between scores by two labellings of the same samples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cellfeat.errors import SplitError
from cellfeat.statistics.group_draws import matmul_blocks
from cellfeat.statistics.interval_types import LEVEL, Difference
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import encode
from cellfeat.statistics.spread import Spread

_FEWEST_DRAWS = 0.5
"""Share of the draws that must have all classes of both labellings."""


class OtherLabels(GroupBootstrap):
    """The draws of a bootstrap, for other labels of the same samples.

    Groups are drawn as for the first labels. A draw may lack one of the other classes, and is left out then.

    Parameters
    ----------
    first
        The bootstrap over the first labels.
    y
        The other labels, shape ``(n_samples,)``.
    classes
        Names of all their classes; each must occur in two or more groups.

    Raises
    ------
    SplitError
        If a class occurs in fewer than two groups, or most draws lack a class.
    ValueError
        If `y` contains a label that is not in `classes`.
    """

    def __init__(self, first: GroupBootstrap, y: ArrayLike, classes: Sequence[str]) -> None:
        # Groups, strata and draws are those of the first labels; what depends on labels is counted again.
        vars(self).update(vars(first))
        self.first = first
        self._y, self._classes = np.asarray(y, dtype=str), tuple(classes)
        self._truth = encode(self._y, classes)
        totals = self._per_group(np.ones(len(self._y)), self._group_of_sample)
        self._n_class_groups = np.count_nonzero(totals, axis=0)
        self._check_spread()
        self._shares = totals / totals.sum(axis=0)
        self._totals = self._weighted_per_group(np.ones(len(self._y)))
        self._drawn_totals = matmul_blocks(self._counts, self._totals)
        self._is_whole = (self._drawn_totals > 0).all(axis=1)
        if self._is_whole.mean() < _FEWEST_DRAWS:
            raise SplitError("most bootstrap draws lack a class of the other labels: too few groups contain each class")

    def gain(self, first_predicted: ArrayLike, predicted: ArrayLike, *, level: float = LEVEL) -> Difference:
        """Paired difference: the score by the first labels minus that by the other labels.

        Parameters
        ----------
        first_predicted
            Labels predicted by a head that was fitted on the first labels, shape ``(n_samples,)``.
        predicted
            Labels predicted by a head that was fitted on the other labels, shape ``(n_samples,)``.
        level
            Confidence level.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            hits = self.first._hits(first_predicted), self._hits(predicted)
            first, other = self.first._drawn(hits[0]), self._drawn(hits[1])
        # The labels may have different numbers of classes, so influences are compared as means over them.
        influence = [one.influence.mean(axis=1, keepdims=True) for one in (first, other)]
        freedom = self._freedom_of_mean(influence[0] - influence[1])
        estimate = first.estimate - other.estimate
        spread = Spread.of_draws((first.draws - other.draws)[self._is_whole], estimate, freedom)
        if not spread.varies:
            # As for two heads: every group gains the same.
            spread = Spread.with_p_value(estimate, 2 * 0.5 ** len(self._group_weights), freedom)
        return spread.difference(level)
