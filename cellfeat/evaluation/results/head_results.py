"""The result of each head, typed and frozen.

`record` turns it into plain JSON values: the keys of the JSON files.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results.tables_and_figures import ShowsHead
from cellfeat.evaluation.scores.head_scores import FullSize, Scores, Seconds
from cellfeat.evaluation.task.provenance import Provenance
from cellfeat.evaluation.task.sample_counts import Counts
from cellfeat.statistics.conformal import ClassScores

PROBABILITY_PREFIX = "probability_"


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
