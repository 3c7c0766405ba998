"""The score of a saved head out of fold, and the score to expect of it, as they were recorded when it was fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cellfeat.errors import BundleError
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.statistics.claims import FITTED_HEAD, WAY_OF_MAKING
from cellfeat.statistics.interval_types import Interval
from cellfeat.text import first_ten


def out_of_fold_score(bundle: Bundle, absent: Sequence[str] = ()) -> tuple[float, Interval]:
    """Give the balanced accuracy when a head was fitted, with its interval.

    Parameters
    ----------
    bundle
        The saved head.
    absent
        Classes that do not count.

    Raises
    ------
    BundleError
        If its scores are not as cellfeat writes them.
    """
    if absent:
        return _score_without(bundle, absent)
    low, score, high = (bundle.scores.get(name, np.nan) for name in ("ci_low", "balanced_accuracy", "ci_high"))
    # Not `isinstance`, by which True is an integer.
    are_numbers = all(type(value) in (int, float) for value in (low, score, high))
    if not (are_numbers and 0 <= low <= score <= high <= 1):
        raise BundleError(
            f"the saved head {bundle.head_name!r} lacks the out-of-fold score, with its interval, that this score is "
            "compared with; fit it again"
        )
    return float(score), Interval(float(low), float(high))


@dataclass(frozen=True)
class Expected:
    """The score to expect of a saved head on samples like those that it was fitted on.

    Attributes
    ----------
    score
        The balanced accuracy.
    interval
        Its interval.
    n_fitted
        ``"all"`` where it is extrapolated to the samples that the saved head was fitted on, ``"folds"`` where it is
        that of the heads of the folds.
    covers
        Which claim the interval is about; one of those in `cellfeat.statistics.claims`.
    """

    score: float
    interval: Interval
    n_fitted: Literal["all", "folds"]
    covers: str


def expected_score(bundle: Bundle, absent: Sequence[str] = ()) -> Expected:
    """Give the score to expect of a saved head.

    Heads that an earlier version saved, and those of a single split, have their out-of-fold score.

    Parameters
    ----------
    bundle
        The saved head.
    absent
        Classes that do not count.

    Raises
    ------
    BundleError
        If its scores are not as cellfeat writes them.
    """
    score, interval = out_of_fold_score(bundle, absent)
    wide = _widened(bundle, score, interval)
    record = bundle.scores.get("full_size")
    if record is None:
        # Of a single split, the saved head is the one that was evaluated: no other training samples come in.
        is_same = len(bundle.scores.get("per_fold", ())) == 1
        if is_same or wide is None:
            return Expected(score, interval, "all" if is_same else "folds", FITTED_HEAD)
        return Expected(score, wide, "folds", WAY_OF_MAKING)
    try:
        low, middle, high = (float(record[name]) for name in ("ci_low", "balanced_accuracy", "ci_high"))
        recall = np.asarray(record["per_class_recall"], dtype=float)
        kept = [name not in absent for name in bundle.scores["classes"]]
        moved = float(recall[kept].mean()) if absent else middle
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _damaged(bundle, error) from None
    if not (0 <= low <= middle <= high <= 1 and -1 <= moved <= 2):
        raise _damaged(bundle, "numbers out of range")
    if not absent:
        return Expected(middle, Interval(low, high), "all", WAY_OF_MAKING)
    # Over fewer classes the interval out of fold is wider: by as much as the extrapolation widens that of all classes.
    whole, own = out_of_fold_score(bundle)[1], interval
    factor = (high - low) / (whole.high - whole.low) if whole.high > whole.low else 1.0
    moved = min(max(moved, 0.0), 1.0)
    ends = moved - factor * (score - own.low), moved + factor * (own.high - score)
    return Expected(moved, Interval(max(ends[0], 0.0), min(ends[1], 1.0)), "all", WAY_OF_MAKING)


def _widened(bundle: Bundle, score: float, interval: Interval) -> Interval | None:
    """Interval out of fold for the way of making the head; None where an earlier version did not record it."""
    try:
        claims = {one["claim"]: one for one in bundle.scores["claims"]}
        wide, whole = claims["way_of_making"], claims["fitted_head"]
        factor = (wide["ci_high"] - wide["ci_low"]) / (whole["ci_high"] - whole["ci_low"])
    except (KeyError, TypeError, ZeroDivisionError):
        return None
    low, high = score - factor * (score - interval.low), score + factor * (interval.high - score)
    return Interval(max(low, 0.0), min(high, 1.0))


def _damaged(bundle: Bundle, what: object) -> BundleError:
    return BundleError(f"the saved head {bundle.head_name!r} has an unusable entry full_size ({what}); fit it again")


def _score_without(bundle: Bundle, absent: Sequence[str]) -> tuple[float, Interval]:
    try:
        classes = list(bundle.scores["classes"])
        rows = [classes.index(name) for name in bundle.classes if name not in absent]
        recall = np.asarray(bundle.scores["per_class_recall"], dtype=float)[rows]
        ends = np.asarray(bundle.scores["per_class_recall_ci"], dtype=float)[rows]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BundleError(
            f"the saved head {bundle.head_name!r} lacks the out-of-fold recall of its classes ({error}), and the "
            f"held-out samples have none of {first_ten(absent)}; fit it again"
        ) from None
    # Errors of the classes add as squares, as if they were independent; the mean divides their sum by their number.
    below, above = (np.linalg.norm(reach) / len(rows) for reach in (recall - ends[:, 0], ends[:, 1] - recall))
    score = float(recall.mean())
    return score, Interval(max(score - float(below), 0.0), min(score + float(above), 1.0))
