"""One comparison on several sets of folds: the effect of folds and seeds, and a test that includes it.

The bootstrap shows how scores vary with the samples, for heads trained on one set of folds. Repeated folds show how
they vary with the training. Scores of folds depend on each other, since their training parts overlap: the corrected
resampled t-test [1]_ widens the variance accordingly, where a plain t-test would find differences that do not exist.

References
----------
.. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003) 239-281; over
   repeated folds: R. R. Bouckaert and E. Frank, PAKDD 2004.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cellfeat.errors import HeadError
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.scores.differences import HeadDifference, head_differences
from cellfeat.evaluation.scores.head_scores import Overall
from cellfeat.evaluation.task.provenance import Provenance
from cellfeat.statistics.significance import corrected_differences
from cellfeat.text import first_ten


@dataclass(frozen=True)
class RepeatedScore:
    """One head over all repeats.

    Attributes
    ----------
    head
        Name of the head.
    mean
        Mean over the repeats of the balanced accuracy, pooled over each repeat's folds.
    spread
        Standard deviation over the repeats: the effect of folds and seeds alone.
    """

    head: str
    mean: float
    spread: float

    def line(self) -> str:
        """Give it in a line."""
        return f"{self.head}: {self.mean:.3f} ± {self.spread:.3f}"


@dataclass(frozen=True)
class RepeatedFailure:
    """A head that failed on some sets of folds and therefore has no score.

    Attributes
    ----------
    head
        Name of the head.
    seeds
        The ``random_state`` of each set of folds on which it failed.
    reason
        What went wrong on the first of them.
    """

    head: str
    seeds: tuple[int, ...]
    reason: str

    def line(self) -> str:
        """Give it in a line."""
        return f"{self.head} is excluded: it failed on the folds of seed {first_ten(self.seeds)}: {self.reason}"


@dataclass(frozen=True)
class Repeats:
    """Results over several sets of folds.

    Attributes
    ----------
    provenance
        Which samples and groups the first set of folds was computed on; the others differ in the seed alone.
    folds
        Folds of each set.
    seeds
        The ``random_state`` of each set.
    scores
        Of the heads that could be evaluated on every set, best first.
    differences
        Every pair of them, over all folds; the better head is that of the higher mean over the folds.
    failures
        The other heads.
    """

    provenance: Provenance
    folds: int
    seeds: tuple[int, ...]
    scores: tuple[RepeatedScore, ...]
    differences: tuple[HeadDifference, ...]
    failures: tuple[RepeatedFailure, ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "provenance": self.provenance.record(),
            "folds": self.folds,
            "seeds": list(self.seeds),
            "scores": [asdict(score) for score in self.scores],
            "differences": [pair.record() for pair in self.differences],
            "failures": [asdict(failure) for failure in self.failures],
        }


def summarise(comparisons: Sequence[Comparison]) -> Repeats:
    """Combine comparisons of the same heads that were made with different seeds.

    Heads that failed in any of them have no score and are listed with the reason.

    Raises
    ------
    HeadError
        If no head could be evaluated in all of them.
    """
    failures = _failures(comparisons)
    overall = [{one.head: one.scores.overall for one in comparison.results} for comparison in comparisons]
    heads = [head for head in overall[0] if all(head in by_head for by_head in overall)]
    if not heads:
        raise HeadError(
            "no head could be evaluated on every set of folds: " + "; ".join(failure.line() for failure in failures)
        )
    scores = sorted((_score(head, [by_head[head] for by_head in overall]) for head in heads), key=lambda s: -s.mean)
    ranked = [score.head for score in scores]
    per_fold = np.array([np.concatenate([by_head[head].per_fold for by_head in overall]) for head in ranked])
    n_folds = comparisons[0].design.n_folds
    return Repeats(
        provenance=comparisons[0].provenance,
        folds=n_folds,
        seeds=tuple(comparison.design.random_state for comparison in comparisons),
        scores=tuple(scores),
        differences=head_differences(ranked, corrected_differences(per_fold, n_folds)),
        failures=tuple(failures),
    )


def _failures(comparisons: Sequence[Comparison]) -> list[RepeatedFailure]:
    """The heads that failed in any comparison."""
    reasons: dict[str, dict[int, str]] = {}
    for comparison in comparisons:
        for failure in comparison.failures:
            reasons.setdefault(failure.head, {})[comparison.design.random_state] = failure.reason
    return [RepeatedFailure(head, tuple(by_seed), next(iter(by_seed.values()))) for head, by_seed in reasons.items()]


def _score(head: str, overall: Sequence[Overall]) -> RepeatedScore:
    values = [one.balanced_accuracy for one in overall]
    return RepeatedScore(head, float(np.mean(values)), float(np.std(values, ddof=1)))
