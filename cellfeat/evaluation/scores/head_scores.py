"""The scores of one head, typed: over all classes, of each class, of the probabilities, of the prediction sets.

`Scores.record` turns them into plain JSON values; the keys of ``metrics.json`` are defined here and in `HeadResult`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from cellfeat.evaluation.scores.given_fold_scores import Apart, FoldScore
from cellfeat.evaluation.scores.set_scores import SetScores
from cellfeat.statistics.claims import FITTED_HEAD, WAY_OF_MAKING
from cellfeat.statistics.interval_types import LEVEL, Interval
from cellfeat.types import Floats, Integers


@dataclass(frozen=True)
class Overall:
    """Scores over all classes.

    Attributes
    ----------
    balanced_accuracy
        Mean recall over all classes, pooled over the predictions of all folds.
    interval
        Its confidence interval, at `LEVEL`: for the fitted heads, on new samples of this kind.
    macro_f1
        Mean F1 over all classes.
    per_fold
        Balanced accuracy of each fold, over the classes that its test part has; empty for held-out samples.
    given
        The folds by name, where they were given and not drawn.
    apart
        What remains of the score where given folds cut groups; None where they cut none.
    way_of_making
        The interval for the way of making a head, on other training samples of this size; None for held-out samples.
    """

    balanced_accuracy: float
    interval: Interval
    macro_f1: float
    per_fold: tuple[float, ...] = ()
    given: tuple[FoldScore, ...] = ()
    apart: Apart | None = None
    way_of_making: Interval | None = None

    def claims_record(self) -> dict[str, Any]:
        """Plain JSON values: both intervals, with what they are about."""
        claims = {"fitted_head": (self.interval, FITTED_HEAD), "way_of_making": (self.way_of_making, WAY_OF_MAKING)}
        return {
            "claims": [
                {"claim": name, "about": about, "ci_low": interval.low, "ci_high": interval.high}
                for name, (interval, about) in claims.items()
                if interval is not None
            ]
        }

    def given_record(self) -> dict[str, Any]:
        """Plain JSON values of given folds; empty for folds that are drawn."""
        named = {"given_folds": [fold.record() for fold in self.given]} if self.given else {}
        return named if self.apart is None else {**named, "without_shared_groups": asdict(self.apart)}


@dataclass(frozen=True)
class FullSize:
    """Balanced accuracy to expect of a head that is fitted on all samples.

    Attributes
    ----------
    balanced_accuracy
        Extrapolated from heads on half of the samples and the heads of the folds.
    interval
        Its confidence interval, for the way of making a head.
    recall
        The same for each class, shape ``(n_classes,)``; single ones may lie slightly outside of 0 to 1.
    of_halves
        Balanced accuracy of the heads on half of the samples.
    """

    balanced_accuracy: float
    interval: Interval
    recall: Floats
    of_halves: float

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "balanced_accuracy": self.balanced_accuracy,
            "ci_low": self.interval.low,
            "ci_high": self.interval.high,
            "per_class_recall": self.recall.tolist(),
            "balanced_accuracy_of_halves": self.of_halves,
        }


@dataclass(frozen=True)
class PerClass:
    """Scores of each class.

    Attributes
    ----------
    classes
        Class names; the order of everything below.
    recall
        Shape ``(n_classes,)``.
    recall_intervals
        Confidence intervals at `LEVEL`, shape ``(n_classes, 2)``.
    confusion
        Samples by true class (rows) and predicted class (columns), shape ``(n_classes, n_classes + n_absent)``.
    absent
        Classes without a sample, which may be predicted all the same: the last columns of `confusion`.
    """

    classes: tuple[str, ...]
    recall: Floats
    recall_intervals: Floats
    confusion: Integers
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProbabilityScores:
    """How well probabilities match what happens.

    Attributes
    ----------
    log_loss
        Mean negative log probability of the true class, in nats.
    calibration_error
        Expected calibration error, in [0, 1].
    reliability
        For each bin that is not empty: mean highest probability, accuracy, number of samples; shape ``(n_bins, 3)``.
    """

    log_loss: float
    calibration_error: float
    reliability: Floats


@dataclass(frozen=True)
class Abstaining:
    """What ``predict --min-probability`` would keep.

    Attributes
    ----------
    min_probability
        The threshold.
    kept
        Share of the samples whose highest probability reaches it.
    accuracy
        Share of these that are predicted correctly.
    """

    min_probability: float
    kept: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Probabilities before and after temperature scaling.

    Attributes
    ----------
    method
        ``"temperature"`` or ``"none"``.
    temperature
        What the probabilities of new samples are scaled by; 1 leaves them as they are.
    calibrated, uncalibrated
        Scores of the probabilities as they are given to users, and as the head gives them.
    abstaining
        Thresholds that at least one sample reaches.
    """

    method: str
    temperature: float
    calibrated: ProbabilityScores
    uncalibrated: ProbabilityScores
    abstaining: tuple[Abstaining, ...]


@dataclass(frozen=True)
class Seconds:
    """Wall-clock seconds, summed over the folds.

    Attributes
    ----------
    fit, predict, tune
        By kind of work.
    """

    fit: float = 0.0
    predict: float = 0.0
    tune: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all work together."""
        return self.fit + self.predict + self.tune


@dataclass(frozen=True)
class ChosenSettings:
    """The settings that tuning chose in one training part.

    Attributes
    ----------
    settings
        What differs from the given settings; empty where these were kept.
    score, given_score
        Balanced accuracy of the chosen and of the given settings over the inner folds. The chosen score is the highest
        of several and therefore too high: no reported score is made of it.
    n_candidates
        Settings tried, including the given ones.
    failures
        One line for each candidate that could not be fitted.
    seconds
        What the search took.
    """

    settings: Mapping[str, Any]
    score: float
    given_score: float | None
    n_candidates: int
    failures: Sequence[str] = ()
    seconds: float = 0.0

    def record(self) -> dict[str, Any]:
        """Plain JSON values: what a result file keeps."""
        return {
            "settings": dict(self.settings),
            "score": self.score,
            "given_score": self.given_score,
            "failures": list(self.failures),
        }


@dataclass(frozen=True)
class Tuning:
    """What tuning chose.

    Attributes
    ----------
    inner_folds
        Inner folds of each search.
    n_candidates
        Settings tried, including the given ones.
    per_fold
        The choice in each fold.
    final
        The settings found on all samples, which a saved head has; None where no head was fitted on all.
    """

    inner_folds: int
    n_candidates: int
    per_fold: tuple[ChosenSettings, ...]
    final: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "inner_folds": self.inner_folds,
            "n_candidates": self.n_candidates,
            "per_fold": [choice.record() for choice in self.per_fold],
            **({} if self.final is None else {"final": dict(self.final)}),
        }


@dataclass(frozen=True, repr=False)
class Scores:
    """All scores of one head on one set of samples.

    Attributes
    ----------
    overall
        Over all classes.
    per_class
        Of each class.
    calibration
        Of the probabilities.
    sets
        Of prediction sets; None for a saved head that lacks what they need.
    tuning
        What tuning chose; None where the settings are the given ones.
    """

    overall: Overall
    per_class: PerClass
    calibration: Calibration
    sets: SetScores | None = None
    tuning: Tuning | None = None

    def __repr__(self) -> str:
        low, high = self.overall.interval
        present = [one.name for one in fields(self) if getattr(self, one.name) is not None]
        score = f"balanced accuracy {self.overall.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"
        return f"<Scores: {score}; {', '.join(present)}>"

    def record(self) -> dict[str, Any]:
        """Plain JSON values. Recalls, intervals and rows of the confusion matrix are in the order of ``classes``."""
        return _class_record(self) | _probability_record(self.calibration)


def _class_record(scores: Scores) -> dict[str, Any]:
    overall, per_class = scores.overall, scores.per_class
    return {
        "balanced_accuracy": overall.balanced_accuracy,
        "ci_low": overall.interval.low,
        "ci_high": overall.interval.high,
        "ci_level": LEVEL,
        **overall.claims_record(),
        "classes": list(per_class.classes),
        "per_class_recall": per_class.recall.tolist(),
        "per_class_recall_ci": per_class.recall_intervals.tolist(),
        "macro_f1": overall.macro_f1,
        "confusion_matrix": per_class.confusion.tolist(),
        **({"absent_classes": list(per_class.absent)} if per_class.absent else {}),
    }


def _probability_record(calibration: Calibration) -> dict[str, Any]:
    calibrated, uncalibrated = calibration.calibrated, calibration.uncalibrated
    return {
        "calibrate": calibration.method,
        "temperature": calibration.temperature,
        "log_loss": calibrated.log_loss,
        "calibration_error": calibrated.calibration_error,
        "abstaining": [asdict(row) for row in calibration.abstaining],
        "reliability": calibrated.reliability.tolist(),
        "log_loss_uncalibrated": uncalibrated.log_loss,
        "calibration_error_uncalibrated": uncalibrated.calibration_error,
        "reliability_uncalibrated": uncalibrated.reliability.tolist(),
    }
