"""Types of confidence intervals and differences, and the difference of independent scores."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """The two ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Difference between the balanced accuracies of two heads on the same samples.

    Attributes
    ----------
    estimate
        Difference of the two balanced accuracies, in [-1, 1].
    low, high
        Ends of its confidence interval.
    p_value
        Two-sided p value of the hypothesis "no difference". It is below 0.05 where the 95 % interval excludes zero.
    """

    estimate: float
    low: float
    high: float
    p_value: float


def independent_difference(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Confidence interval of the difference between two scores on independent samples.

    It is made from the intervals of the two scores by the "method of variance estimates recovery" of G. Y. Zou and
    A. Donner, Statistics in Medicine 27 (2008) 1693-1702: the distances of the two intervals' ends from their scores
    are added as independent errors. It keeps the level and the asymmetry of the two intervals.

    Parameters
    ----------
    first, second
        The two scores; the difference is ``first - second``.
    of_first, of_second
        Their confidence intervals, of the same level.

    Examples
    --------
    >>> low, high = independent_difference(0.75, Interval(0.70, 0.78), 0.70, Interval(0.68, 0.78))
    >>> round(low, 3), round(high, 3)
    (-0.044, 0.086)
    """
    estimate = first - second
    low = estimate - float(np.hypot(first - of_first.low, of_second.high - second))
    high = estimate + float(np.hypot(of_first.high - first, second - of_second.low))
    return Interval(low, high)


LEVEL = 0.95
"""Confidence level of every interval; tests use ``1 - LEVEL`` as their threshold."""
