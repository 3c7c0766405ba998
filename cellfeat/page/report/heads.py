"""The heads of a page: scores, confusion, classes and reliability, as result files record them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cellfeat.evaluation.scores.differences import HeadDifference
from cellfeat.types import Integers


def page_classes(heads: Sequence[Mapping[str, Any]], known: Sequence[str] = ()) -> list[str]:
    """List the classes that samples have or that heads predict.

    Parameters
    ----------
    heads
        Records of heads.
    known
        Classes that are listed first.
    """
    names = dict.fromkeys(map(str, known))
    for head in heads:
        names |= dict.fromkeys(map(str, (*head["classes"], *head.get("absent_classes", ()))))
    return list(names)


def head_entry(
    record: Mapping[str, Any], classes: Sequence[str], pair: HeadDifference | None, probabilities: str | None
) -> dict[str, Any]:
    """Make the entry of a head in the page's JSON.

    Parameters
    ----------
    record
        Record of the head.
    classes
        Classes of the page.
    pair
        The difference from the best head; None for the best, and for a head alone.
    probabilities
        Name of the shards of its probabilities; None without.
    """
    return {
        **score_entry(record, pair),
        "settings": dict(record.get("settings", {})),
        "confusion": _confusion(record, classes).tolist(),
        "predictedClasses": list(classes),
        "perClass": _per_class(record),
        "reliability": _reliability(record),
        "probabilities": probabilities,
    }


def score_entry(record: Mapping[str, Any], pair: HeadDifference | None) -> dict[str, Any]:
    """Give the score of a head, and its verdict against the best.

    Parameters
    ----------
    record, pair
        As for `head_entry`.
    """
    seconds = record.get("seconds")
    return {
        "name": str(record["head"]),
        "score": record["balanced_accuracy"],
        "low": record["ci_low"],
        "high": record["ci_high"],
        "seconds": sum(seconds.values()) if seconds else None,
        "verdict": "best" if pair is None else "worse" if pair.is_evidence else "no evidence",
        "behind": "" if pair is None else f"behind by {pair.numbers()}",
    }


def _confusion(record: Mapping[str, Any], classes: Sequence[str]) -> Integers:
    """Counts by true class (rows) and predicted class (columns), both in the order of `classes`."""
    place = {name: number for number, name in enumerate(classes)}
    true = [place[str(name)] for name in record["classes"]]
    predicted = [*true, *(place[str(name)] for name in record.get("absent_classes", ()))]
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    counts[np.ix_(true, predicted)] = record["confusion_matrix"]
    return counts


def _per_class(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    counts = np.asarray(record["confusion_matrix"])
    predicted = counts.sum(axis=0)
    rows = zip(record["classes"], record["per_class_recall"], record["per_class_recall_ci"], strict=True)
    return [
        {
            "name": str(name),
            "n": int(counts[number].sum()),
            "recall": recall,
            "low": low,
            "high": high,
            "precision": float(counts[number, number] / predicted[number]) if predicted[number] else None,
        }
        for number, (name, recall, (low, high)) in enumerate(rows)
    ]


def _reliability(record: Mapping[str, Any]) -> dict[str, Any] | None:
    if "reliability_uncalibrated" not in record:
        return None
    is_calibrated = record["calibrate"] != "none"
    return {
        "before": _bins(record["reliability_uncalibrated"]),
        "after": _bins(record["reliability"]) if is_calibrated else [],
        "errorBefore": record["calibration_error_uncalibrated"],
        "errorAfter": record["calibration_error"] if is_calibrated else None,
    }


def _bins(rows: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    return [{"confidence": confidence, "correct": correct, "n": int(n)} for confidence, correct, n in rows]
