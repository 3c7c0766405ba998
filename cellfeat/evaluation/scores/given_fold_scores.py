"""Scores of folds that were given and not drawn, typed."""

from dataclasses import dataclass
from typing import Any

from cellfeat.statistics.interval_types import Interval


@dataclass(frozen=True)
class FoldScore:
    """The score of one given fold, such as a plate.

    Attributes
    ----------
    name
        Its name.
    n_samples
        Samples that are tested in it.
    classes
        Classes that these have: the score is over them alone.
    balanced_accuracy
        Mean recall over these classes.
    interval
        Its confidence interval over the samples of this fold; None where a class has a single one.
    unknown
        Those of the classes that the training part lacks: none of their samples can be predicted rightly.
    """

    name: str
    n_samples: int
    classes: tuple[str, ...]
    balanced_accuracy: float
    interval: Interval | None
    unknown: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        low, high = self.interval or (None, None)
        return {
            "name": self.name,
            "n_samples": self.n_samples,
            "classes": list(self.classes),
            "balanced_accuracy": self.balanced_accuracy,
            "ci_low": low,
            "ci_high": high,
            **({"unknown_classes": list(self.unknown)} if self.unknown else {}),
        }


@dataclass(frozen=True)
class Apart:
    """The score without the tested samples whose group is in the training part, too.

    Attributes
    ----------
    n_shared
        Samples whose group is in both parts of their fold.
    balanced_accuracy
        Balanced accuracy over the other samples; None where these lack a class.
    """

    n_shared: int
    balanced_accuracy: float | None
