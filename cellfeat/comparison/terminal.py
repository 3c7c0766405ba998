"""What a comparison prints: tables and lines of text.

Names of classes and heads come from files: control characters are replaced before anything is shown, and no markup in
them is obeyed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cellfeat.comparison.names import clean_text, shorten, shown_names
from cellfeat.comparison.result import Comparison, HeadDifference, HeadResult
from cellfeat.comparison.tuning import describe_choices, describe_settings


def render_table(comparison: Comparison) -> Table:
    """Set out the heads, best first, for the terminal."""
    table = Table(title=Text(_headline(comparison)), title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
    table.pad_edge, table.padding = False, (0, 1, 0, 0)
    table.caption = (
        Text("\n".join(clean_text(" ".join(failure.reason.split())) for failure in comparison.failures)) or None
    )
    for heading in ("head", "balanced accuracy", "worst class"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    # Numbers first: in 80 columns the words wrap beneath them.
    table.add_column("against the best")
    for result in comparison.results:
        table.add_row(*map(Text, _table_row(comparison, result)))
    return table


def _headline(comparison: Comparison) -> str:
    counts, design = comparison.counts, comparison.design
    parts = [
        f"{counts.n_samples} samples in {counts.n_groups} groups, {len(comparison.classes)} classes, "
        f"{design.folds} folds",
        _copies_phrase(counts.n_copies, design.groups),
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


def _table_row(comparison: Comparison, result: HeadResult) -> tuple[str, ...]:
    return (*_score_cells(result), _against_best(comparison, result))


def _score_cells(result: HeadResult) -> tuple[str, ...]:
    metrics = result.metrics
    worst = int(np.argmin(metrics["per_class_recall"]))
    return (
        clean_text(result.head),
        f"{metrics['balanced_accuracy']:.3f} [{metrics['ci_low']:.3f}, {metrics['ci_high']:.3f}]",
        f"{shorten(metrics['classes'][worst])} {metrics['per_class_recall'][worst]:.3f}",
        f"{sum(metrics['seconds'].values()):.1f}",
    )


def _against_best(comparison: Comparison, result: HeadResult) -> str:
    if result is comparison.best:
        return "best"
    pair = _pair(comparison.differences, comparison.best.head, result.head)
    numbers = f"{pair.difference.estimate:.3f} [{pair.difference.low:.3f}, {pair.difference.high:.3f}]"
    return f"{numbers} worse" if pair.is_evidence else f"{numbers} no evidence"


def _pair(differences: Iterable[HeadDifference], better: str, worse: str) -> HeadDifference:
    return next(pair for pair in differences if (pair.better, pair.worse) == (better, worse))


def render_standings(results: Sequence[HeadResult]) -> Table:
    """Set out the heads that are finished so far, best first; the verdicts come when all are."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("head", "balanced accuracy", "worst class", "seconds"):
        table.add_column(heading, no_wrap=True)
    for result in sorted(results, key=lambda result: -result.balanced_accuracy):
        table.add_row(*map(Text, _score_cells(result)))
    return table


def score_lines(result: HeadResult) -> list[str]:
    """Tell one head's scores in lines of text: balanced accuracy, each fold's, and each class's recall and coverage."""
    metrics = result.metrics
    folds = ", ".join(f"{value:.3f}" for value in metrics["per_fold"])
    return [
        clean_text(result.line()),
        f"per fold: {folds}",
        _calibration_line(metrics),
        *_abstaining_lines(metrics),
        f"predict --coverage {metrics['prediction_sets']['coverage']:g}: {sets_phrase(metrics['prediction_sets'])}",
        *_class_lines(metrics),
    ]


def _class_lines(metrics: Mapping[str, Any]) -> list[str]:
    names = shown_names(metrics["classes"])
    width = max(map(len, ("class", *names)))
    recalls = zip(metrics["per_class_recall"], metrics["per_class_recall_ci"], strict=True)
    covered = metrics["prediction_sets"]["per_class_coverage"]
    by_fold = np.array(metrics["prediction_sets"]["per_class_coverage_per_fold"]).T
    lines = [f"  {'class':<{width}}  {'recall':<20}  true class in the set, lowest and highest fold"]
    for name, (recall, (low, high)), share, folds in zip(names, recalls, covered, by_fold, strict=True):
        lines.append(
            f"  {name:<{width}}  {recall:.3f} [{low:.3f}, {high:.3f}]  "
            f"{share:.3f}, {folds.min():.3f} to {folds.max():.3f}"
        )
    return lines


def _abstaining_lines(metrics: Mapping[str, Any]) -> list[str]:
    parts = [
        f"{row['min_probability']:g} keeps {row['kept']:.0%}, {row['accuracy']:.1%} right"
        for row in metrics["abstaining"]
        if row["kept"] < 1
    ]
    return [f"predict --min-probability: {'; '.join(parts)}"] if parts else []


def _calibration_line(metrics: Mapping[str, Any]) -> str:
    error, loss = metrics["calibration_error"], metrics["log_loss"]
    if metrics["calibrate"] == "none":
        return f"probabilities as the head gives them: calibration error {error:.3f}, log loss {loss:.3f}"
    return (
        f"probabilities calibrated by temperature {metrics['temperature']:.2f}: calibration error "
        f"{metrics['calibration_error_uncalibrated']:.3f} -> {error:.3f}, "
        f"log loss {metrics['log_loss_uncalibrated']:.3f} -> {loss:.3f}"
    )


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


def set_lines(comparison: Comparison) -> list[str]:
    """Tell how large each head's prediction sets are on held-out folds, and which class a fold covers least."""
    coverage = comparison.best.metrics["prediction_sets"]["coverage"]
    width = max(len(clean_text(result.head)) for result in comparison.results)
    return [
        f"predict --coverage {coverage:g}, on held-out folds:",
        *(
            f"  {clean_text(result.head):<{width}}  {sets_phrase(result.metrics['prediction_sets'])}; "
            f"{_least_covered(result.metrics)}"
            for result in comparison.results
        ),
    ]


def sets_phrase(summary: Mapping[str, Any]) -> str:
    """Tell the sizes of prediction sets, as `PredictionSets.summary` has them."""
    return (
        f"{summary['mean_size']:.2f} classes a set; {summary['one']:.0%} hold one, {summary['several']:.0%} several, "
        f"{summary['none']:.0%} none"
    )


def _least_covered(metrics: Mapping[str, Any]) -> str:
    by_fold = np.array(metrics["prediction_sets"]["per_class_coverage_per_fold"])
    least = int(by_fold.min(axis=0).argmin())
    return f"least covered in a fold: {shorten(metrics['classes'][least])} {by_fold.min():.3f}"
