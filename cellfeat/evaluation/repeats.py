"""The same comparison on other folds: what folds and seeds change, and a test that takes it into account.

The bootstrap tells how scores vary with the samples, for heads as they were trained on one set of folds. Repeated folds
tell how they vary with the training. Scores of folds are not independent, since their training parts overlap: the
corrected resampled t-test [1]_ widens the variance accordingly; a plain t-test would find differences where there are
none.

References
----------
.. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003) 239-281; over
   repeated folds: R. R. Bouckaert and E. Frank, PAKDD 2004.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from cellfeat.errors import HeadError
from cellfeat.evaluation.results import Comparison
from cellfeat.evaluation.task import Provenance
from cellfeat.statistics.intervals import LEVEL, Difference
from cellfeat.statistics.significance import corrected_difference, holm
from cellfeat.text import first_ten

LEAST_P = 0.001
"""Smaller p values are not told apart: no such test is exact that far out."""


@dataclass(frozen=True)
class RepeatedScore:
    """One head over all repeats.

    Attributes
    ----------
    head
        Its name.
    mean
        Mean over the repeats of the balanced accuracy, pooled over each repeat's folds.
    spread
        Standard deviation over the repeats: what folds and seeds alone change.
    """

    head: str
    mean: float
    spread: float

    def line(self) -> str:
        """Say it in a line."""
        return f"{self.head}: {self.mean:.3f} ± {self.spread:.3f}"


@dataclass(frozen=True)
class RepeatedDifference:
    """By how much `better` exceeds `worse` over the folds of all repeats.

    Attributes
    ----------
    difference
        Of the folds' balanced accuracies, with the interval and p value of the corrected resampled t-test.
    adjusted_p
        p value adjusted by Holm's method over all pairs.
    """

    better: str
    worse: str
    difference: Difference
    adjusted_p: float

    def verdict(self) -> str:
        """Say it in words."""
        gap = self.difference
        p_value = f"p = {self.adjusted_p:.2g}" if self.adjusted_p >= LEAST_P else f"p < {LEAST_P:g}"
        numbers = f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}], {p_value}"
        if self.adjusted_p < 1 - LEVEL:
            return f"{self.better} is better than {self.worse} by {numbers}"
        return f"no evidence that {self.better} and {self.worse} differ: {numbers}"


@dataclass(frozen=True)
class RepeatedFailure:
    """A head that failed on some sets of folds, and has no score over all.

    Attributes
    ----------
    head
        Its name.
    seeds
        The ``random_state`` of each set on which it failed.
    reason
        What went wrong on the first of them.
    """

    head: str
    seeds: tuple[int, ...]
    reason: str

    def line(self) -> str:
        """Say it in a line."""
        return f"{self.head} is left out, it failed on the folds of seed {first_ten(self.seeds)}: {self.reason}"


@dataclass(frozen=True)
class Repeats:
    """What is found over several sets of folds.

    Attributes
    ----------
    provenance
        What the first set of folds is of; the others differ in the seed alone.
    folds
        Folds of each set.
    seeds
        The ``random_state`` of each set.
    scores
        Of the heads that could be evaluated on every set, best first.
    differences
        Every pair of them.
    failures
        The other heads.
    """

    provenance: Provenance
    folds: int
    seeds: tuple[int, ...]
    scores: tuple[RepeatedScore, ...]
    differences: tuple[RepeatedDifference, ...]
    failures: tuple[RepeatedFailure, ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "provenance": asdict(self.provenance),
            "folds": self.folds,
            "seeds": list(self.seeds),
            "scores": [asdict(score) for score in self.scores],
            "differences": [asdict(pair) | {"verdict": pair.verdict()} for pair in self.differences],
            "failures": [asdict(failure) for failure in self.failures],
        }


def summarise(comparisons: Sequence[Comparison]) -> Repeats:
    """Bring comparisons of the same heads together, each made with another ``random_state``.

    Heads that failed in any of them have no score, and are named with the reason.

    Raises
    ------
    HeadError
        If no head could be evaluated in all of them.
    """
    failures = _failures(comparisons)
    metrics = [{result.head: result.metrics for result in comparison.results} for comparison in comparisons]
    heads = [head for head in metrics[0] if all(head in by_head for by_head in metrics)]
    if not heads:
        raise HeadError(
            "no head could be evaluated on every set of folds: " + "; ".join(failure.line() for failure in failures)
        )
    scores = [_score(head, [by_head[head] for by_head in metrics]) for head in heads]
    scores.sort(key=lambda score: -score.mean)
    per_fold = {head: np.concatenate([by_head[head]["per_fold"] for by_head in metrics]) for head in heads}
    pairs = list(combinations([score.head for score in scores], 2))
    n_folds = comparisons[0].design.folds
    differences = [corrected_difference(per_fold[better] - per_fold[worse], n_folds) for better, worse in pairs]
    adjusted = holm([difference.p_value for difference in differences])
    return Repeats(
        provenance=comparisons[0].provenance,
        folds=n_folds,
        seeds=tuple(comparison.design.random_state for comparison in comparisons),
        scores=tuple(scores),
        differences=tuple(
            RepeatedDifference(better, worse, difference, p)
            for (better, worse), difference, p in zip(pairs, differences, adjusted, strict=True)
        ),
        failures=tuple(failures),
    )


def _failures(comparisons: Sequence[Comparison]) -> list[RepeatedFailure]:
    """What failed in any comparison, head by head."""
    reasons: dict[str, dict[int, str]] = {}
    for comparison in comparisons:
        for failure in comparison.failures:
            reasons.setdefault(failure.head, {})[comparison.design.random_state] = failure.reason
    return [RepeatedFailure(head, tuple(by_seed), next(iter(by_seed.values()))) for head, by_seed in reasons.items()]


def _score(head: str, metrics: Sequence[Mapping[str, Any]]) -> RepeatedScore:
    values = [one["balanced_accuracy"] for one in metrics]
    return RepeatedScore(head, float(np.mean(values)), float(np.std(values, ddof=1)))
