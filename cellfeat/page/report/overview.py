"""The overview of a page: what was done, verdicts in words, the price of the leak, learning curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from cellfeat.auditing.leak import Leak
from cellfeat.evaluation.scores.differences import to_best_lines
from cellfeat.page.report.heads import score_entry
from cellfeat.page.report.recorded import (
    comparison_headline,
    head_headline,
    read_as_written,
    score_text,
    verdict_sentences,
)
from cellfeat.page.results_files import ResultsFiles
from cellfeat.saved_results.audit import AuditFiles
from cellfeat.saved_results.files import AGAINST_FILE
from cellfeat.saved_results.reading import ReadCurve, ReadResults
from cellfeat.text import clean_text, counted

_ARMS = {
    "nothing": "random folds",
    "copies": "copies together",
    "near copies too": "near copies together",
}
"""What folds keep together, as the name of a kind of folds; others are named as they are."""


def headline(found: ResultsFiles, n_samples: int) -> str:
    """Say in a sentence what the page shows.

    Parameters
    ----------
    found
        The results.
    n_samples
        Number of samples of the page.
    """
    if found.kind == "comparison":
        return comparison_headline(found.record)
    if found.kind == "head":
        return f"{clean_text(str(found.record['head']))}: {score_text(found.record)}; {head_headline(found.record)}"
    if found.kind == "held-out":
        scored = counted(int(found.record["n_samples"]), "held-out sample")
        return f"{clean_text(str(found.record['head']))}: balanced accuracy {score_text(found.record)} on {scored}"
    if found.kind == "audit" and found.audit is not None:
        return f"{counted(n_samples, 'sample')}: {counted(len(found.audit.findings), 'finding')} of the audit"
    if found.against is not None:
        return f"{counted(n_samples, 'sample')}, heads compared on several feature files; cellfeat compare adds cells"
    return f"{counted(n_samples, 'sample')}, no results yet: cellfeat compare makes them"


def verdicts(found: ResultsFiles) -> list[str]:
    """Give the verdicts in words: of heads, repeats, plates left out, learning curves, and held-out scores."""
    if found.kind == "comparison":
        curves = [clean_text(curve.verdict) for curve in found.curves]
        return [*verdict_sentences(found), *map(clean_text, (*found.repeats, *found.across)), *curves]
    if found.kind == "held-out":
        return [clean_text(str(found.record["out_of_fold"]["verdict"]))]
    return []


def leak_entry(audit: AuditFiles | None) -> dict[str, Any] | None:
    """Give the price of the leak: what folds that keep less together would have claimed; None where it is not known."""
    if audit is None or not audit.leaks:
        return None
    return {
        "sentences": [_leak_sentence(leak) for leak in audit.leaks],
        "rows": [row for leak in audit.leaks for row in _leak_rows(leak)],
    }


def _leak_sentence(leak: Leak) -> str:
    sets = counted(len(leak.scores), "set")
    remark = f": {leak.remark}" if leak.remark else ""
    claimed = f"{leak.head}: random folds would have claimed {leak.claimed:+.3f} ± {leak.deviation:.3f}"
    scope = f"; {leak.scope}" if leak.scope else ""
    return clean_text(f"{claimed} over {sets} of folds{remark}{scope}")


def _leak_rows(leak: Leak) -> list[dict[str, Any]]:
    """The mean score of each kind of folds, with the interval of the mean over the sets of folds."""
    scores = np.array(leak.scores)
    n_sets = len(scores)
    half = np.zeros(scores.shape[1])
    if n_sets > 1:
        half = stats.t.ppf(0.975, n_sets - 1) * scores.std(axis=0, ddof=1) / np.sqrt(n_sets)
    return [
        {"name": _ARMS.get(name, name), "head": leak.head, "score": mean, "low": mean - width, "high": mean + width}
        for name, mean, width in zip(leak.arms, leak.means, half.tolist(), strict=True)
    ]


def against_entry(against: ReadResults | None) -> dict[str, Any] | None:
    """Give the scores of the same heads on several feature files, with the paired differences; None without.

    Its own samples and folds are said: it may be older than the comparison beside it, or leave samples out.

    Parameters
    ----------
    against
        What `compare --against` wrote.
    """
    if against is None:
        return None
    pairs = {pair.worse: pair for pair in against.differences_to_best()}
    lines = to_best_lines(against.best.head, list(pairs.values()), len(against.differences))
    with read_as_written(str(against.folder / AGAINST_FILE)):
        return {
            "sentences": [comparison_headline(against.record), *map(clean_text, lines)],
            "rows": [score_entry(one.record, pairs.get(one.head)) for one in against.results],
        }


def curve_entries(curves: Sequence[ReadCurve]) -> list[dict[str, Any]]:
    """Give the learning curves in the form of the page."""
    return [
        {
            "head": curve.head,
            "points": [
                {
                    "nTrain": point["n_train"],
                    "score": point["balanced_accuracy"],
                    "low": point["ci_low"],
                    "high": point["ci_high"],
                }
                for point in curve.rows
            ],
        }
        for curve in curves
    ]
