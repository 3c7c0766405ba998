"""What comparisons and audits print: the table that is read first, and the few lines that change what one does next.

All figures stand in ``comparison.json``, ``metrics.json`` and ``audit.csv``. Names of classes and samples come from
files: control characters are replaced before anything is shown, and no markup in them is obeyed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cellfeat.audit.audit import Audit, Finding
from cellfeat.evaluation.held_out import HeldOut
from cellfeat.evaluation.learning_curve import LearningCurves
from cellfeat.evaluation.repeats import Repeats
from cellfeat.evaluation.results import Comparison, HeadDifference, HeadResult
from cellfeat.evaluation.tuning import describe_choices, describe_settings
from cellfeat.text import clean_text, shorten

WIDE = 100
"""Columns from which on a difference and its interval stand in one line of the table."""

MOST_CLASSES = 15
"""Classes of which `fit` prints the recall, the lowest first."""

USUAL_THRESHOLD = 0.8
"""What `predict --min-probability` is told for; the others stand in ``metrics.json``."""

TOLD_ONE_BY_ONE = ("unreadable", "label conflict", "confounded", "rare class", "suspicious label")
"""Kinds of findings that a person decides on; of the others the number says enough."""

MOST_OF_A_KIND = 5


def headline(comparison: Comparison) -> str:
    """Tell what was compared on: samples, groups, classes and folds, and what was left out."""
    counts, design = comparison.counts, comparison.design
    parts = [
        f"{counts.n_samples} samples in {counts.n_groups} groups, {len(comparison.classes)} classes, "
        f"{design.folds} folds",
        _copies_phrase(counts.n_copies, design.groups),
        _near_copies_phrase(counts.near_copies_joined),
        f"{counts.n_unlabelled} without a label left out" if counts.n_unlabelled else "",
        f"{counts.n_failed} that could not be read left out" if counts.n_failed else "",
    ]
    return "; ".join(filter(None, parts))


def _copies_phrase(n_copies: int, groups: str) -> str:
    if not n_copies:
        return "no copies"
    copies = "1 copy" if n_copies == 1 else f"{n_copies} copies"
    if groups == "none":
        return f"{copies} of images NOT kept together: they inflate these scores"
    return f"{copies} of images kept with their originals"


def _near_copies_phrase(joined: bool | None) -> str:
    if joined is None:
        return ""
    if joined:
        return "near copies kept together, as audited"
    return "near copies not looked for (cellfeat audit)"


def render_table(comparison: Comparison, width: int) -> Table:
    """Set out the heads, best first.

    Parameters
    ----------
    width
        Columns that there are; in few, names of classes are cut, and intervals of differences stand in a second line.
    """
    table = _score_table()
    table.add_column("against the best", no_wrap=True)
    for result in comparison.results:
        table.add_row(*_score_cells(result), Text(_against_best(comparison, result, " " if width >= WIDE else "\n")))
    return table


def render_standings(results: Sequence[HeadResult]) -> Table:
    """Set out the heads that are finished so far, best first; the verdicts come when all are."""
    table = _score_table()
    for result in sorted(results, key=lambda result: -result.balanced_accuracy):
        table.add_row(*_score_cells(result))
    return table


def _score_table() -> Table:
    table = _plain_table()
    table.add_column("head", no_wrap=True)
    table.add_column("balanced accuracy", no_wrap=True)
    table.add_column("worst class")  # the one column that gives way in a narrow terminal
    table.add_column("recall", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    return table


def _plain_table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)


def _score_cells(result: HeadResult) -> tuple[Text, ...]:
    metrics = result.metrics
    worst = int(np.argmin(metrics["per_class_recall"]))
    return (
        _name(result.head),
        Text(f"{metrics['balanced_accuracy']:.3f} [{metrics['ci_low']:.3f}, {metrics['ci_high']:.3f}]"),
        _name(metrics["classes"][worst]),
        Text(f"{metrics['per_class_recall'][worst]:.3f}"),
        Text(f"{sum(metrics['seconds'].values()):.1f}"),
    )


def _name(name: str) -> Text:
    return Text(shorten(name), no_wrap=True, overflow="ellipsis")


def _against_best(comparison: Comparison, result: HeadResult, between: str) -> str:
    if result is comparison.best:
        return "best"
    pair = next(pair for pair in comparison.differences_to_best() if pair.worse == result.head)
    gap = pair.difference
    words = "worse by" if pair.is_evidence else "no evidence:"
    return f"{words} {gap.estimate:.3f}{between}[{gap.low:.3f}, {gap.high:.3f}]"


def verdict_lines(comparison: Comparison) -> list[str]:
    """Say which heads the best one is better than, for which there is no evidence, and which heads failed."""
    best, pairs = comparison.best.head, comparison.differences_to_best()
    beaten = [pair.worse for pair in pairs if pair.is_evidence]
    others = [_with_doubt(pair) for pair in pairs if not pair.is_evidence]
    lines = [f"{best} is better than {_listed(beaten, 'and')}"] if beaten else []
    lines += [f"no evidence that {best} differs from {_listed(others, 'or')}"] if others else []
    return [_one_line(line) for line in (*lines, *(failure.reason for failure in comparison.failures))]


def _with_doubt(pair: HeadDifference) -> str:
    return f"{pair.worse} ({pair.doubt()})" if pair.stands_alone else pair.worse


def _listed(names: Sequence[str], word: str) -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def _one_line(text: str) -> str:
    return clean_text(" ".join(text.split()))


def tuning_lines(results: Sequence[HeadResult]) -> list[str]:
    """Tell which settings were chosen for each head that was tuned."""
    return [clean_text(line) for result in results if result.metrics["tuning"] for line in _tuning_lines(result)]


def _tuning_lines(result: HeadResult) -> Iterator[str]:
    tuning = result.metrics["tuning"]
    yield f"{result.head}: {describe_choices([choice['settings'] for choice in tuning['per_fold']])}"
    if "final" in tuning:
        yield f"{result.head}, all samples: {describe_settings(tuning['final'])}"
    failures = [failure for choice in tuning["per_fold"] for failure in choice["failures"]]
    if failures:
        yield f"{result.head}: {len(failures)} settings could not be fitted, the first {failures[0]}"


def repeats_lines(repeats: Repeats) -> list[str]:
    """Tell each head's score over all sets of folds, what it differs from the best by, and which heads failed."""
    n_sets, scores = len(repeats.seeds), [score.line() for score in repeats.scores]
    lines = [
        f"{n_sets} sets of {repeats.folds} folds, balanced accuracy ± its standard deviation over the sets:",
        *scores,
    ]
    best = repeats.scores[0].head
    to_best = [pair.verdict() for pair in repeats.differences if pair.better == best]
    lines += ["differences over all folds, corrected resampled t-test:", *to_best] if to_best else []
    return [_one_line(line) for line in (*lines, *(failure.line() for failure in repeats.failures))]


def curve_lines(found: LearningCurves) -> list[str]:
    """Say of each head whether more images would help it, and which heads failed."""
    verdicts = [curve.verdict() for curve in found.curves]
    return [_one_line(line) for line in (*verdicts, *(failure.reason for failure in found.failures))]


def score_line(result: HeadResult) -> str:
    """Tell one head's balanced accuracy, and between what the folds lie."""
    folds = result.metrics["per_fold"]
    return clean_text(f"{result.line()}; folds {min(folds):.3f} to {max(folds):.3f}")


def render_classes(result: HeadResult) -> Table:
    """Set out the recall of each class, the lowest first, and which class it is most often taken for."""
    metrics = result.metrics
    table = _plain_table()
    table.add_column("class")
    table.add_column("recall", no_wrap=True)
    table.add_column("most often taken for")
    recall = metrics["per_class_recall"]
    ascending = np.argsort(recall, kind="stable").tolist()
    for number in ascending[:MOST_CLASSES]:
        low, high = metrics["per_class_recall_ci"][number]
        told = Text(f"{recall[number]:.3f} [{low:.3f}, {high:.3f}]")
        table.add_row(_name(metrics["classes"][number]), told, _mistaken_for(metrics, number))
    left = ascending[MOST_CLASSES:]
    if left:
        table.add_row(f"{len(left)} more", f"{recall[left[0]]:.3f} and above", "")
    return table


def _mistaken_for(metrics: Mapping[str, Any], number: int) -> Text:
    counts = np.array(metrics["confusion_matrix"][number])
    n_samples = counts.sum()
    counts[number] = 0
    if not counts.any():
        return Text("")
    name = shorten(metrics["classes"][int(counts.argmax())])
    return Text(f"{name} {counts.max() / n_samples:.0%}")


def predict_lines(result: HeadResult) -> list[str]:
    """Tell what `predict` would give with the options that have it say less, or more, than one class."""
    sets = result.metrics["prediction_sets"]
    return [
        *_abstaining_lines(result.metrics["abstaining"]),
        f"predict --coverage {sets['coverage']:g}: {sets_phrase(sets)}",
    ]


def _abstaining_lines(abstaining: Sequence[Mapping[str, float]]) -> list[str]:
    rows = [row for row in abstaining if row["kept"] < 1]
    if not rows:
        return []
    row = next((row for row in rows if row["min_probability"] >= USUAL_THRESHOLD), rows[-1])
    threshold = row["min_probability"]
    return [f"predict --min-probability {threshold:g}: keeps {row['kept']:.0%}, {row['accuracy']:.1%} of them right"]


def sets_phrase(summary: Mapping[str, Any]) -> str:
    """Tell the sizes of prediction sets, as `PredictionSets.summary` has them."""
    return (
        f"{summary['mean_size']:.2f} classes a set; {summary['one']:.0%} hold one, {summary['several']:.0%} several, "
        f"{summary['none']:.0%} none"
    )


def held_out_lines(found: HeldOut) -> list[str]:
    """Tell the score on held-out samples, what was left out of it, and whether the folds had promised as much."""
    metrics = found.result.metrics
    lines = [
        f"{found.result.line()} on {metrics['n_samples']:,} held-out samples in {metrics['n_groups']:,} groups",
        *_left_out_lines(found),
        found.verdict(),
    ]
    return [_one_line(line) for line in lines]


def _left_out_lines(found: HeldOut) -> Iterator[str]:
    metrics = found.result.metrics
    if found.n_seen is None:
        yield "whether it was fitted on any of them, this saved head does not tell: fit it again to know"
    elif found.n_seen or found.n_near_copies:
        near = f" and {found.n_near_copies:,} near copies of them" if found.n_near_copies is not None else ""
        yield (
            f"left out: {found.n_seen:,} with the very pixels of samples that it was fitted on{near}; with all of "
            f"these it would be {found.with_all:.3f}"
        )
    if found.n_near_copies is None:
        yield "near copies of samples that it was fitted on were not looked for (--fitted-on FEATURES)"
    if metrics["n_unlabelled"]:
        yield f"left out: {metrics['n_unlabelled']:,} without a label"
    if metrics["n_failed"]:
        yield f"left out: {metrics['n_failed']:,} that could not be read"


def held_out_details(found: HeldOut) -> list[str]:
    """Tell whether the probabilities and the prediction sets keep on these samples what they promise."""
    metrics = found.result.metrics
    uncalibrated = metrics["calibration_error_uncalibrated"]
    before = "" if metrics["calibrate"] == "none" else f"; as the head gives them {uncalibrated:.3f}"
    lines = [f"calibration error of the probabilities {metrics['calibration_error']:.3f}{before}"]
    sets = metrics.get("prediction_sets")
    if sets is not None:
        covered = sets["per_class_coverage"]
        lowest = shorten(metrics["classes"][int(np.argmin(covered))])
        lines.append(
            f"predict --coverage {sets['coverage']:g}: the true class was in the set {np.mean(covered):.1%} of the "
            f"time (mean over classes), {min(covered):.1%} for {lowest}, the lowest; {sets_phrase(sets)}"
        )
    return lines


def render_counts(found: Audit) -> Table:
    """Set out how many findings of each kind there are."""
    table = _plain_table()
    table.add_column("finding", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    for finding, count in found.counts().items():
        table.add_row(finding, str(count))
    return table


def render_leaks(found: Audit) -> Table:
    """Set out what heads score by what the folds keep together, and what random folds would have claimed."""
    table = _plain_table()
    table.add_column("head", no_wrap=True)
    for heading in ("nothing", "copies", "near copies too", "random folds would have claimed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for leak in found.leaks:
        claim = f"{leak.claimed:+.3f} ± {leak.deviation:.3f}"
        table.add_row(_name(leak.head), *(f"{score:.3f}" for score in leak.means), claim)
    return table


def leak_lines(found: Audit) -> list[str]:
    """Say of which heads the price of the leak is too small to be told from the scatter of the folds."""
    heads = [leak.head for leak in found.leaks if leak.is_scatter]
    return [f"{' and '.join(heads)}: no more than the choice of folds alone brings about"] if heads else []


def finding_lines(found: Audit) -> list[str]:
    """Tell one by one the first findings of the kinds that a person decides on."""
    lines = []
    for kind in TOLD_ONE_BY_ONE:
        of_kind = [finding for finding in found.findings if finding.finding == kind]
        lines += [_finding_line(finding) for finding in of_kind[:MOST_OF_A_KIND]]
        lines += [f"{kind}: {len(of_kind) - MOST_OF_A_KIND} more"] if len(of_kind) > MOST_OF_A_KIND else []
    return lines


def _finding_line(finding: Finding) -> str:
    pair = " and ".join(filter(None, (finding.sample_id, finding.partner)))
    return _one_line(": ".join(filter(None, (finding.finding, pair, finding.detail))))
