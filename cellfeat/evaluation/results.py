"""What an evaluation returns: the result of each head and their comparison, typed and frozen.

`record` turns each of them into plain JSON values: the keys of the JSON files.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from cellfeat.evaluation.counts import Counts
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.differences import HeadDifference, to_best_lines
from cellfeat.evaluation.relabelling.effect import RelabellingEffect
from cellfeat.evaluation.scoring.head_scores import FullSize, Scores, Seconds
from cellfeat.evaluation.showing import ShowsHead, ShowsHeads, chance_lines, heads_table
from cellfeat.html_text import html_block
from cellfeat.statistics.conformal import ClassScores
from cellfeat.text import clean_lines, shorten

PROBABILITY_PREFIX = "probability_"


@dataclass(frozen=True)
class Provenance:
    """Which samples a result was computed on. Every result file holds it.

    Attributes
    ----------
    features
        Name of the feature file.
    fingerprint
        Its fingerprint.
    n_samples
        Samples in use.
    samples_digest
        sha256 of their ids, pixel digests and labels, in order. The fingerprint does not cover these.
    groups
        ``"auto"``, ``"copies"``, ``"none"``, the column of groups, or the file name of their table.
    groups_digest
        sha256 of that table, of the audit record in use, or of groups given in Python; None where there are none.
    random_state
        Seed of the folds, the heads and the bootstrap.
    cellfeat
        Version that computed the result.
    relabelled
        How many labels a table of changes has changed, and how; None where there was none.
    """

    features: str
    fingerprint: str
    n_samples: int
    samples_digest: str
    groups: str
    groups_digest: str | None
    random_state: int
    cellfeat: str
    relabelled: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON values; `relabelled` only where labels were changed."""
        record = asdict(self)
        if self.relabelled is None:
            del record["relabelled"]
        return record


@dataclass(frozen=True, repr=False, eq=False)  # tables have no single answer to ==
class ScoredHead(ShowsHead):
    """One head's predictions and their scores.

    Attributes
    ----------
    head
        Name of the head.
    predictions
        One row a sample: ``sample_id``, ``head``, ``label``, ``predicted``, and a column ``probability_<class>`` for
        each class; ``fold`` (from 1) where there are folds, and ``fold_name`` where they have names.
    scores
        Their scores.
    counts
        The samples behind them.
    design
        How they were evaluated.
    provenance
        Which samples and groups they were computed on.
    """

    head: str
    predictions: pd.DataFrame
    scores: Scores
    counts: Counts
    design: Design
    provenance: Provenance

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over all classes, over all predictions together."""
        return self.scores.overall.balanced_accuracy


@dataclass(frozen=True, repr=False, eq=False)
class HeadResult(ScoredHead):
    """One head's out-of-fold predictions and their scores.

    Attributes
    ----------
    settings
        Every parameter of the head, including defaults, as given before any tuning.
    seconds
        What fitting, predicting and tuning took; folds from the cache count with the time of the run that computed
        them.
    n_cached
        Folds whose predictions an earlier run had left in the cache.
    class_scores
        Out-of-fold probabilities of the true classes, all scaled by the temperature of `scores`.
    full_size
        The score to expect of the saved head, fitted on all samples; None where none was fitted, or where the samples
        do not allow it.
    chosen
        The settings that the saved head chose itself, by name: the value, and the values that it compared. Empty where
        none was fitted, or where it chose none.
    chosen_per_fold
        The values that the head of each fold chose itself, by name; empty where it chose none.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: Seconds = field(default_factory=Seconds)
    n_cached: int = 0
    class_scores: ClassScores | None = None
    full_size: FullSize | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    chosen_per_fold: tuple[Mapping[str, Any], ...] = ()

    def record(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON values."""
        scores = self.scores
        return {
            "head": self.head,
            **scores.record(),
            "per_fold": list(scores.overall.per_fold),
            **scores.overall.given_record(),
            **self.counts.record(),
            **self.design.record(),
            "provenance": self.provenance.record(),
            "prediction_sets": None if scores.sets is None else scores.sets.record(),
            **({} if self.full_size is None else {"full_size": self.full_size.record()}),
            "seconds": asdict(self.seconds),
            "settings": dict(self.settings),
            **({"chosen": dict(self.chosen)} if self.chosen else {}),
            **({"chosen_per_fold": list(map(dict, self.chosen_per_fold))} if self.chosen_per_fold else {}),
            "tuning": None if scores.tuning is None else scores.tuning.record(),
        }


@dataclass(frozen=True)
class HeadFailure:
    """A head that could not be evaluated, and why.

    Attributes
    ----------
    head
        Name of the head.
    reason
        What went wrong.
    """

    head: str
    reason: str


Outcome = HeadResult | HeadFailure


@dataclass(frozen=True, repr=False, eq=False)
class Comparison(ShowsHeads[HeadResult]):
    """Heads in order of balanced accuracy, best first, and the difference of each pair.

    Attributes
    ----------
    classes
        Class names.
    counts
        The samples behind all results.
    design
        How the heads were evaluated.
    provenance
        Which samples and groups the results were computed on.
    results
        The heads that could be evaluated.
    failures
        The others.
    differences
        Every pair of results, the better head first.
    is_complete
        Whether every head was evaluated; False after Ctrl-C.
    relabelling
        What a table of changed labels does to the scores; None where there was none.
    """

    classes: tuple[str, ...]
    counts: Counts
    design: Design
    provenance: Provenance
    results: tuple[HeadResult, ...]
    failures: tuple[HeadFailure, ...]
    differences: tuple[HeadDifference, ...]
    is_complete: bool = True
    relabelling: RelabellingEffect | None = None

    @property
    def best(self) -> HeadResult:
        """The head with the highest balanced accuracy."""
        return self.results[0]

    def summary_lines(self) -> list[str]:
        """Say which heads the best one is better than, by which rule, which are not above chance, and which failed."""
        lines = to_best_lines(self.best.head, self.differences_to_best(), len(self.differences))
        return [*lines, *chance_lines(self.results), *(failure.reason for failure in self.failures)]

    def table(self) -> pd.DataFrame:
        """Table of the heads, best first, one a row.

        The columns are ``head, balanced_accuracy, low, high, worst_class, worst_recall, seconds``, the
        ``difference`` by which the best head exceeds this one, ``difference_low``, ``difference_high`` (NaN for the
        best), and ``verdict``: ``best``, ``worse`` or ``no evidence``.
        """
        return heads_table([(result, result.seconds.total) for result in self.results], self.differences_to_best())

    def __repr__(self) -> str:
        partial = "" if self.is_complete else ", incomplete"
        failed = f", {len(self.failures)} failed" if self.failures else ""
        heads = ", ".join(f"{result.head} {result.balanced_accuracy:.3f}" for result in self.results)
        return f"<Comparison of {self._samples()}: {heads}{failed}{partial}>"

    def __str__(self) -> str:
        lines = [self._samples(), self._short_table().to_string(index=False), *self.summary_lines()]
        return clean_lines("\n".join(lines))

    def _repr_html_(self) -> str:
        summary = self.summary_lines() or [self.best.line()]
        table = self._short_table()
        return html_block([*summary, self._samples()], list(table.columns), table.to_numpy(object).tolist())

    def _short_table(self) -> pd.DataFrame:
        """The table as it is shown: rounded, with each interval in the cell of its number."""
        table, numbers_of = self.table(), {pair.worse: pair.numbers() for pair in self.differences_to_best()}
        return pd.DataFrame(
            {
                "head": table["head"],
                "balanced accuracy": [result.score() for result in self.results],
                "worst class": table["worst_class"].map(shorten),
                "recall": table["worst_recall"].round(3),
                "seconds": table["seconds"].round(1),
                "behind the best": [numbers_of.get(result.head, "") for result in self.results],
                "verdict": table["verdict"],
            }
        )

    def _samples(self) -> str:
        samples = f"{self.counts.n_samples:,} samples in {self.counts.n_groups:,} groups"
        return f"{samples}, {len(self.classes)} classes, {_folds(self.design.folds)}"

    def verdicts(self) -> list[str]:
        """Say for each pair whether there is evidence that one head is better."""
        return [pair.verdict() for pair in self.differences]

    def differences_to_best(self) -> list[HeadDifference]:
        """The pairs of the best head with each other head."""
        return [pair for pair in self.differences if pair.better == self.best.head]

    def predictions(self) -> pd.DataFrame:
        """Every out-of-fold prediction of every head."""
        return pd.concat([result.predictions for result in self.results], ignore_index=True)

    def record(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON values; ``relabelling`` only where labels were changed."""
        record = {
            "provenance": self.provenance.record(),
            "classes": list(self.classes),
            "counts": self.counts.record(),
            "design": self.design.record(),
            "heads": [result.record() for result in self.results],
            "failures": [asdict(failure) for failure in self.failures],
            "differences": [pair.record() for pair in self.differences],
        }
        return record if self.relabelling is None else record | {"relabelling": self.relabelling.record()}


def _folds(folds: int | str) -> str:
    return f"{folds} folds" if isinstance(folds, int) or folds.isdigit() else f"folds: {folds}"
