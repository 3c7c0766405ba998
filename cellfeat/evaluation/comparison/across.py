"""Scores on plates that are left out, beside the pooled score of a comparison: what a new plate costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cellfeat.config_values import LEAVE_ONE_OUT
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scores.given_fold_scores import FoldScore
from cellfeat.extraction.store import Samples
from cellfeat.samples.column_names.profiles import PLATE_NAMES, plain_name
from cellfeat.samples.column_names.words import column_meant
from cellfeat.text import with_interval
from cellfeat.types import Strings

_NAMES = (*PLATE_NAMES, "batch", "batchid")
"""What columns of plates and batches are called, as `plain_name` gives it."""


@dataclass(frozen=True)
class HeadAcross:
    """One head on plates that are left out.

    Attributes
    ----------
    head
        Name of the head.
    pooled
        Its balanced accuracy in the comparison.
    left_out
        The result where each plate is left out in turn.
    """

    head: str
    pooled: float
    left_out: HeadResult

    @property
    def worst(self) -> FoldScore:
        """The plate with the lowest score."""
        return min(self.left_out.scores.overall.given, key=lambda fold: fold.balanced_accuracy)

    def line(self, column: str) -> str:
        """Give both scores and the worst plate in a line."""
        return recorded_line(self.record(), column)

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        overall = self.left_out.scores.overall
        return {
            "head": self.head,
            "pooled": self.pooled,
            "left_out": self.left_out.balanced_accuracy,
            "ci_low": overall.interval.low,
            "ci_high": overall.interval.high,
            "worst": self.worst.name,
            "worst_balanced_accuracy": self.worst.balanced_accuracy,
            "plates": [fold.record() for fold in overall.given],
        }


@dataclass(frozen=True)
class Across:
    """The heads of a comparison on plates that are left out.

    Attributes
    ----------
    column
        Column of the plates.
    heads
        The heads that could be evaluated in both ways, in the order of the comparison.
    left_out
        The comparison where each plate is left out in turn.
    """

    column: str
    heads: tuple[HeadAcross, ...]
    left_out: Comparison

    def lines(self) -> Iterator[str]:
        """Give a line for each head, and say why a head has none."""
        for one in self.heads:
            yield one.line(self.column)
        for failure in self.left_out.failures:
            yield failure.reason

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "column": self.column,
            "provenance": self.left_out.provenance.record(),
            "design": self.left_out.design.record(),
            "heads": [one.record() for one in self.heads],
        }


def recorded_line(head: Mapping[str, Any], column: str) -> str:
    """Give both scores of a head and its worst plate in a line.

    Parameters
    ----------
    head
        A record of `HeadAcross`.
    column
        Column of the plates.
    """
    score = with_interval(head["left_out"], head["ci_low"], head["ci_high"])
    return (
        f"{head['head']}: {score} with each {column} left out, {head['pooled']:.3f} in the folds above "
        f"({head['left_out'] - head['pooled']:+.3f}); worst {column}: {head['worst']}, "
        f"{head['worst_balanced_accuracy']:.3f}"
    )


def across_design(design: Design, column: str) -> Design:
    """Give the design that leaves out each plate in turn.

    Parameters
    ----------
    design
        That of the comparison.
    column
        Column of the plates.
    """
    return replace(design, folds=LEAVE_ONE_OUT, groups=column)


def across_plates(comparison: Comparison, left_out: Comparison, column: str) -> Across:
    """Put the scores on plates that are left out beside those of a comparison.

    Parameters
    ----------
    comparison
        The comparison.
    left_out
        The same heads, evaluated by `across_design`.
    column
        Column of the plates.
    """
    by_head = {result.head: result for result in left_out.results}
    heads = tuple(
        HeadAcross(result.head, result.balanced_accuracy, by_head[result.head])
        for result in comparison.results
        if result.head in by_head
    )
    return Across(column, heads, left_out)


def plate_hint(samples: Samples, design: Design) -> str:
    """Point at plates that are known and not kept out of training; empty where there are none.

    Parameters
    ----------
    samples
        The samples.
    design
        That of the comparison.
    """
    words = [*design.groups.split("+"), _fold_column(design)]
    kept = {column_meant(word, samples.columns) for word in words}
    for name, values in samples.columns.items():
        n_plates = len(set(values.tolist()) - {""})
        if plain_name(name) not in _NAMES or n_plates < 2 or name in kept:
            continue
        if not (kept & {"auto", "group", "copies"} and _keep_together(samples.groups, values)):
            return (
                f"samples are of {n_plates} values of {name}, in training and test folds alike: --across {name} scores "
                "each of them by heads that have not seen it"
            )
    return ""


def _keep_together(groups: Strings, plates: Strings) -> bool:
    """Whether the samples of a plate are of one group, as where the plates are the groups."""
    pairs = {(plate, group) for plate, group in zip(plates.tolist(), groups.tolist(), strict=True) if plate}
    return len(pairs) == len({plate for plate, _ in pairs}) and all(group for _, group in pairs)


def _fold_column(design: Design) -> str:
    return design.folds.removeprefix("column:") if isinstance(design.folds, str) else ""
