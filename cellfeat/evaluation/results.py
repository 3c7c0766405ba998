"""What a comparison finds: each head's scores, each pair's difference, and the verdicts in words."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cellfeat.evaluation.task import Counts, Design, Provenance
from cellfeat.statistics.conformal import ClassScores
from cellfeat.statistics.intervals import LEVEL, Difference

PROBABILITY_PREFIX = "probability_"


@dataclass(frozen=True)
class HeadResult:
    """One head's out-of-fold predictions and their scores.

    Parameters
    ----------
    head
        Name of the head.
    predictions
        One row a sample: ``sample_id``, ``fold`` (from 1), ``head``, ``label``, ``predicted``, and a column
        ``probability_<class>`` for each class.
    metrics
        Plain JSON values. Recalls, their intervals and the rows of the confusion matrix stand in the order of
        ``classes``; ``seconds`` are summed over the folds. ``settings`` are those given, ``tuning`` what was chosen in
        each fold; None for a head that was not tuned; ``provenance`` is what a `Provenance` tells.
    n_cached
        Folds whose outcome an earlier run had left in the cache; their seconds are those of that run.
    class_scores
        Out-of-fold probabilities of the true classes, all tempered alike by the temperature of the metrics.
    """

    head: str
    predictions: pd.DataFrame
    metrics: dict[str, Any]
    n_cached: int = 0
    class_scores: ClassScores | None = None

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over all classes, over the predictions of all folds together."""
        return float(self.metrics["balanced_accuracy"])

    def line(self) -> str:
        """Tell the balanced accuracy and its interval in a line."""
        metrics = self.metrics
        return (
            f"{self.head}: balanced accuracy {metrics['balanced_accuracy']:.3f} "
            f"[{metrics['ci_low']:.3f}, {metrics['ci_high']:.3f}]"
        )


@dataclass(frozen=True)
class HeadFailure:
    """A head that could not be evaluated, and why."""

    head: str
    reason: str


Outcome = HeadResult | HeadFailure


@dataclass(frozen=True)
class HeadDifference:
    """By how much the head `better` exceeds the head `worse`, and whether that is evidence.

    Parameters
    ----------
    difference
        Of the balanced accuracies, paired over samples; not below 0.
    adjusted_p
        p value adjusted by Holm's method over all pairs of the comparison.
    """

    better: str
    worse: str
    difference: Difference
    adjusted_p: float

    @property
    def is_evidence(self) -> bool:
        """Whether the difference stands when all pairs are taken into account, at the 5 % level."""
        return self.adjusted_p < 1 - LEVEL

    @property
    def stands_alone(self) -> bool:
        """Whether it would be evidence if there were no other pair, and is none."""
        return self.difference.p_value < 1 - LEVEL <= self.adjusted_p

    def doubt(self) -> str:
        """Say why an interval that leaves out 0 is no evidence."""
        return f"p = {self.adjusted_p:.2f} over all pairs"

    def verdict(self) -> str:
        """Say it in words."""
        gap = self.difference
        numbers = f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]"
        if self.is_evidence:
            return f"{self.better} is better than {self.worse} by {numbers}"
        doubt = f" ({self.doubt()})" if self.stands_alone else ""
        return f"no evidence that {self.better} and {self.worse} differ: {numbers}{doubt}"


@dataclass(frozen=True)
class Comparison:
    """Heads in order of balanced accuracy, best first, and what can be said about each pair.

    Parameters
    ----------
    results
        Of the heads that could be evaluated.
    failures
        The others.
    differences
        Every pair of results, the better head first.
    is_complete
        Whether every head was given its turn; False after Ctrl-C.
    """

    classes: tuple[str, ...]
    counts: Counts
    design: Design
    provenance: Provenance
    results: tuple[HeadResult, ...]
    failures: tuple[HeadFailure, ...]
    differences: tuple[HeadDifference, ...]
    is_complete: bool = True

    @property
    def best(self) -> HeadResult:
        """The head with the highest balanced accuracy."""
        return self.results[0]

    def verdicts(self) -> list[str]:
        """Say for each pair whether there is evidence that one head is better."""
        return [pair.verdict() for pair in self.differences]

    def differences_to_best(self) -> list[HeadDifference]:
        """The pairs of the best head with each other one."""
        return [pair for pair in self.differences if pair.better == self.best.head]

    def predictions(self) -> pd.DataFrame:
        """Every out-of-fold prediction of every head."""
        return pd.concat([result.predictions for result in self.results], ignore_index=True)
