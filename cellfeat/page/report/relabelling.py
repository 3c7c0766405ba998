"""What changed labels do to the scores, for the overview of a page."""

from collections.abc import Mapping
from typing import Any


def relabelling_of_record(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the ``relabelling`` of a page's overview from the content of ``comparison.json``.

    Returns
    -------
    dict, or None
        ``Relabelling`` of ``web/src/data.ts``; None where no labels were changed.
    """
    found = record.get("relabelling")
    if not found:
        return None
    # Otherwise both scores are of the same samples.
    has_seen = found["judged"]["n_changed_seen"] > 0
    return {
        "sentences": list(found["summary"]),
        "heads": [
            {
                "head": one["head"],
                "all": _old_and_new(one["all_samples"]),
                "unseen": _old_and_new(one["without_changes_after_seeing"]) if has_seen else None,
                "whyNot": one["why_not"],
            }
            for one in found["heads"]
        ],
    }


def _old_and_new(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    gain = found["gain"]
    return {
        "nSamples": found["n_samples"],
        "old": _interval(found["old_labels"]),
        "new": _interval(found["new_labels"]),
        "gain": {"score": gain["estimate"], "low": gain["low"], "high": gain["high"]},
    }


def _interval(found: Mapping[str, float]) -> dict[str, float]:
    return {"score": found["balanced_accuracy"], "low": found["ci_low"], "high": found["ci_high"]}
