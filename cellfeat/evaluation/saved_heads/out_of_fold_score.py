"""The score of a saved head out of fold, as it was recorded when the head was fitted."""

from collections.abc import Sequence

import numpy as np

from cellfeat.errors import BundleError
from cellfeat.heads.bundle import Bundle
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
