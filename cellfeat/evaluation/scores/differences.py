"""Differences between heads: every pair, with intervals that hold for all pairs at once, and verdicts in words.

A verdict is about the way of making a head: the better one, fitted on other training samples of this size. What holds
for the fitted heads alone is given beside it; `cellfeat.statistics.claims` tells the two kinds of claim apart.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

from cellfeat.statistics.claims import WAYS_OF_MAKING
from cellfeat.statistics.interval_types import LEVEL, Difference
from cellfeat.statistics.simultaneous import Adjusted
from cellfeat.text import with_interval


@dataclass(frozen=True)
class HeadDifference:
    """By how much one head exceeds another on the same samples, and whether this is evidence.

    Attributes
    ----------
    better, worse
        Names of the two heads.
    difference
        Difference of their balanced accuracies, paired over samples; not below 0. Its interval is for the way of making
        the heads, and holds together with those of all other pairs of the comparison; its p value is that of this pair
        alone.
    adjusted_p
        p value adjusted for all pairs: below 0.05 where the interval excludes 0.
    as_fitted
        The same difference with the interval for the fitted heads alone, on new samples; None where it is not known.
    """

    better: str
    worse: str
    difference: Difference
    adjusted_p: float
    as_fitted: Difference | None = None

    @classmethod
    def of(cls, first: str, second: str, found: Adjusted, as_fitted: Difference | None = None) -> Self:
        """Name the better of two heads.

        Parameters
        ----------
        first, second
            Names of the heads.
        found
            The score of the first less that of the second.
        as_fitted
            The same with the interval for the fitted heads.
        """
        gap, adjusted_p = found
        if gap.estimate >= 0:
            return cls(first, second, gap, adjusted_p, as_fitted)
        return cls(second, first, _turned(gap), adjusted_p, None if as_fitted is None else _turned(as_fitted))

    @property
    def is_evidence(self) -> bool:
        """Whether the interval excludes 0: the one rule of every verdict."""
        return self.difference.low > 0

    def verdict(self) -> str:
        """Say it in words."""
        if self.is_evidence:
            return f"{self.better} is better than {self.worse} by {self.numbers()}"
        return (
            f"no evidence of a difference between {self.better} and {self.worse}: {self.numbers()}{self._as_fitted()}"
        )

    def _as_fitted(self) -> str:
        """Say so where the fitted heads differ, and the ways of making them may not."""
        gap = self.as_fitted
        if gap is None or gap.low <= 0:
            return ""
        numbers = with_interval(gap.estimate, gap.low, gap.high)
        return f"; these fitted heads differ, by {numbers}, which other training samples may reverse"

    def numbers(self) -> str:
        """Give the difference with its interval."""
        gap = self.difference
        return with_interval(gap.estimate, gap.low, gap.high)

    def record(self) -> dict[str, Any]:
        """Plain JSON values; `as_fitted` only where it is known."""
        record = asdict(self) | {"verdict": self.verdict()}
        if self.as_fitted is None:
            del record["as_fitted"]
        return record


def _turned(gap: Difference) -> Difference:
    return Difference(-gap.estimate, -gap.high, -gap.low, gap.p_value)


def head_differences(
    heads: Sequence[str], found: Sequence[Adjusted], as_fitted: Sequence[Adjusted] | None = None
) -> tuple[HeadDifference, ...]:
    """Name the heads of every pair.

    Parameters
    ----------
    heads
        Names.
    found
        The difference of every pair, in the order of `itertools.combinations`.
    as_fitted
        The same with intervals for the fitted heads; None where they are not known.
    """
    narrow = [None] * len(found) if as_fitted is None else [one.difference for one in as_fitted]
    pairs = zip(combinations(heads, 2), found, narrow, strict=True)
    return tuple(HeadDifference.of(first, second, one, fitted) for (first, second), one, fitted in pairs)


def to_best_lines(best: str, pairs: Sequence[HeadDifference], n_pairs: int) -> list[str]:
    """Say which heads the best one is better than, for which there is no evidence, and by which rule.

    Parameters
    ----------
    best
        Name of the best head.
    pairs
        Its difference to each other head.
    n_pairs
        Number of all pairs that were compared.
    """
    beaten = [pair.worse for pair in pairs if pair.is_evidence]
    others = [pair.worse for pair in pairs if not pair.is_evidence]
    lines = [f"{best} is better than {_listed(beaten, 'and')}"] if beaten else []
    lines += [f"no evidence of a difference between {best} and {_listed(others, 'or')}"] if others else []
    return [*lines, *rule_lines(n_pairs)] if pairs else lines


def _listed(names: Sequence[str], word: str) -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def rule_lines(n_pairs: int) -> list[str]:
    """Say by which rule a head is called better or worse, given the number of pairs that were compared."""
    level = f"{100 * LEVEL:.0f} %"
    rule = (
        f"the difference has a {level} interval, and is evidence where that excludes 0"
        if n_pairs == 1
        else f"differences have {level} intervals that hold for all {n_pairs} pairs at once; "
        "one is evidence where its interval excludes 0"
    )
    return [rule, f"a difference is about {WAYS_OF_MAKING}; the interval of a score is about the fitted head"]
