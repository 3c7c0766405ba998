"""An estimate with the spread of its sampling distribution: intervals at any level, and the p value that fits them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import stats

from cellfeat.statistics.interval_types import Difference, Interval
from cellfeat.types import Floats

ROUNDING = 1e-6
"""A spread up to this is rounding of float32 draws."""

TAIL = 0.025
NORMAL_QUANTILE = float(stats.norm.ppf(1 - TAIL))


@dataclass(frozen=True)
class Spread:
    """An estimate and its spread.

    Attributes
    ----------
    estimate
        The estimate.
    below, above
        Spread of the sampling distribution on either side, as standard deviations of a normal distribution.
    freedom
        Degrees of freedom with which the spread is known.
    """

    estimate: float
    below: float
    above: float
    freedom: float

    @classmethod
    def of_draws(cls, draws: Floats, estimate: float, freedom: float) -> Self:
        """Take the spread of bootstrap draws.

        Parameters
        ----------
        draws
            The score in each draw, shape ``(n_draws,)``.
        estimate, freedom
            As the attributes.
        """
        # Always at 2.5 %, whatever level is asked for: `ends` scales these distances by Student's t.
        low, high = np.quantile(draws, [TAIL, 1 - TAIL])
        deviation = float(draws.std(ddof=1))
        below, above = (max(float(reach) / NORMAL_QUANTILE, deviation) for reach in (estimate - low, high - estimate))
        return cls(estimate, below, above, freedom)

    @classmethod
    def with_p_value(cls, estimate: float, p_value: float, freedom: float) -> Self:
        """Choose the spread at which the estimate's difference from zero has the given p value.

        Parameters
        ----------
        estimate, freedom
            As the attributes.
        p_value
            Two-sided, in (0, 1].
        """
        deviation = abs(estimate) / float(stats.t.isf(p_value / 2, freedom))
        return cls(estimate, deviation, deviation, freedom)

    def widened(self, factor: float) -> Self:
        """Multiply the spread on both sides."""
        return replace(self, below=self.below * factor, above=self.above * factor)

    @property
    def varies(self) -> bool:
        """Whether the spread is larger than the rounding of float32 draws."""
        # An estimate of 0 needs no spread: its p value is 1.
        return self.estimate == 0 or min(self.below, self.above) > ROUNDING

    @property
    def p_value(self) -> float:
        """Two-sided p value of a true value of zero: one minus the level at which the interval just reaches zero."""
        if self.estimate == 0:
            return 1.0
        scale = self.below if self.estimate > 0 else self.above
        # No spread, or one so small that the p value is below the smallest float.
        if scale == 0:
            return 0.0
        return float(2 * stats.t.sf(abs(self.estimate) / scale, self.freedom))

    def ends(self, level: float) -> Interval:
        """Interval of the given level."""
        quantile = float(stats.t.ppf((1 + level) / 2, self.freedom))
        return Interval(self.estimate - quantile * self.below, self.estimate + quantile * self.above)

    def difference(self, level: float) -> Difference:
        """The estimate as a difference of two scores in [0, 1], with its interval of the given level."""
        low, high = self.ends(level)
        return Difference(self.estimate, max(low, -1.0), min(high, 1.0), self.p_value)
