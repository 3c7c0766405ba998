"""Confidence intervals, and differences with one."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """The two ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """By how much one head's balanced accuracy exceeds another's on the same samples.

    Parameters
    ----------
    estimate
        Difference of the two balanced accuracies, in [-1, 1].
    low, high
        Ends of its confidence interval.
    p_value
        Two-sided, of "no difference"; it agrees with the interval.
    """

    estimate: float
    low: float
    high: float
    p_value: float


def independent_difference(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Interval of the difference of two scores on samples that have nothing in common, from the scores' own intervals.

    Each end lies as far from ``first - second`` as the two intervals' ends on that side do together, as errors of
    independent samples (the "method of variance estimates recovery" of G. Y. Zou and A. Donner, Statistics in Medicine
    27 (2008) 1693-1702). It has their level, and is as lopsided as they are.

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
"""Of every interval, and of every test."""
