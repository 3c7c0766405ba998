"""Differences between heads: every pair, with p values adjusted for the number of pairs, and verdicts in words."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, TypeVar

from cellfeat.statistics.interval_types import LEVEL, Difference
from cellfeat.statistics.significance import holm

SMALLEST_P = 0.001
"""p values below this are reported as ``< 0.001``: no such test is exact that far out."""


@dataclass(frozen=True)
class HeadDifference:
    """By how much one head exceeds another on the same samples, and whether this is evidence.

    Attributes
    ----------
    better, worse
        Names of the two heads.
    difference
        Difference of their balanced accuracies, paired over samples; not below 0.
    adjusted_p
        p value adjusted by Holm's method over all pairs of the comparison.
    """

    better: str
    worse: str
    difference: Difference
    adjusted_p: float

    @property
    def is_evidence(self) -> bool:
        """Whether the difference is significant at the 5 % level after adjusting for all pairs."""
        return self.adjusted_p < 1 - LEVEL

    @property
    def is_evidence_alone(self) -> bool:
        """Whether it would be significant as the only pair, and is not among all of them."""
        return self.difference.p_value < 1 - LEVEL <= self.adjusted_p

    def doubt(self) -> str:
        """Say why an interval that excludes 0 is not evidence."""
        return f"p = {self.adjusted_p:.2f} over all pairs"

    def verdict(self) -> str:
        """Say it in words."""
        if self.is_evidence:
            return f"{self.better} is better than {self.worse} by {self.numbers()}"
        doubt = f" ({self.doubt()})" if self.is_evidence_alone else ""
        return f"no evidence of a difference between {self.better} and {self.worse}: {self.numbers()}{doubt}"

    def numbers(self) -> str:
        """Give the difference with its interval."""
        gap = self.difference
        return f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]"

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"verdict": self.verdict()}


class RepeatedDifference(HeadDifference):
    """By how much one head exceeds another over the folds of all repeats, by the corrected resampled t-test."""

    @property
    def is_evidence_alone(self) -> bool:
        """False: the adjusted p value is part of the numbers."""
        return False

    def numbers(self) -> str:
        """Give the difference with its interval and adjusted p value."""
        p_value = f"p = {self.adjusted_p:.2g}" if self.adjusted_p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
        return f"{super().numbers()}, {p_value}"


AnyDifference = TypeVar("AnyDifference", bound=HeadDifference)


def all_differences(
    kind: type[AnyDifference], heads: Sequence[str], difference: Callable[[str, str], Difference]
) -> tuple[AnyDifference, ...]:
    """Compare every pair of heads and adjust the p values for their number.

    Parameters
    ----------
    kind
        What each pair becomes.
    heads
        Names, best first.
    difference
        Gives the difference of two heads, the better one first.
    """
    pairs = list(combinations(heads, 2))
    differences = [difference(better, worse) for better, worse in pairs]
    adjusted = holm([one.p_value for one in differences])
    return tuple(
        kind(better, worse, one, p) for (better, worse), one, p in zip(pairs, differences, adjusted, strict=True)
    )
