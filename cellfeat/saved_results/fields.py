"""The fields of result files that are read back, with their types; files may hold more."""

from dataclasses import dataclass, field

from cellfeat.evaluation.scores.head_scores import Abstaining
from cellfeat.statistics.interval_types import Difference


@dataclass(frozen=True)
class ClaimFields:
    """The interval of a score for one kind of claim."""

    claim: str
    about: str
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class HeadFields:
    """The record of a head's scores, as far as it is read."""

    head: str
    classes: list[str]
    balanced_accuracy: float
    ci_low: float
    ci_high: float
    macro_f1: float
    per_class_recall: list[float]
    per_class_recall_ci: list[tuple[float, float]]
    confusion_matrix: list[list[int]]
    calibrate: str
    temperature: float
    log_loss: float
    calibration_error: float
    reliability: list[tuple[float, float, float]]
    log_loss_uncalibrated: float
    calibration_error_uncalibrated: float
    reliability_uncalibrated: list[tuple[float, float, float]]
    abstaining: list[Abstaining]
    absent_classes: list[str] = field(default_factory=list)
    claims: list[ClaimFields] = field(default_factory=list)
    per_fold: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PairFields:
    """The record of a difference."""

    better: str
    worse: str
    difference: Difference
    adjusted_p: float
    as_fitted: Difference | None = None


@dataclass(frozen=True)
class PointFields:
    """The record of a point of a learning curve."""

    fraction: float
    n_train: int
    balanced_accuracy: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class CurveFields:
    """The record of a learning curve."""

    head: str
    points: list[PointFields]
    verdict: str = ""
