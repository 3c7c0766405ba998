"""A comparison in the terminal: the table of heads, the verdicts, repeats and learning curves."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from cellfeat.config_values import FOLD_COLUMN, LEAVE_ONE_OUT
from cellfeat.evaluation.comparison.repeats import Repeats
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curves.curves import LearningCurves
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scores.differences import rule_lines
from cellfeat.evaluation.task.sample_counts import Counts
from cellfeat.reporting.terminal.style import name_cell, one_line, plain_table

WIDE = 100
"""Columns from which on a difference and its interval share one line of the table."""


def headline(comparison: Comparison) -> str:
    """Describe what was compared: samples, groups, classes and folds, and what was excluded."""
    n_folds = len(comparison.best.scores.overall.per_fold)
    return samples_line(comparison.counts, comparison.design, len(comparison.classes), n_folds)


def samples_line(counts: Counts, design: Design, n_classes: int, n_folds: int) -> str:
    """Describe evaluated samples: their number, groups, classes and folds, and what was excluded.

    Parameters
    ----------
    counts
        The samples.
    design
        How they were evaluated.
    n_classes, n_folds
        Number of classes, and of folds.
    """
    parts = [
        f"{counts.n_samples} samples in {counts.n_groups} groups, {n_classes} classes, "
        f"{_folds_phrase(counts, design, n_folds)}",
        _copies_phrase(counts.n_copies, design.groups),
        _shared_pixels_phrase(counts.n_sharing_pixels, design.groups),
        _near_copies_phrase(counts.near_copies_joined),
        f"{counts.n_unlabelled} without a label excluded" if counts.n_unlabelled else "",
        f"{counts.n_failed} that could not be read excluded" if counts.n_failed else "",
        f"{counts.n_other_parts} in other parts of the split excluded" if counts.n_other_parts else "",
        f"{counts.n_left_out} of classes left out" if counts.n_left_out else "",
        f"{counts.n_in_no_fold} in no fold left out" if counts.n_in_no_fold else "",
    ]
    return "; ".join(filter(None, parts))


def _folds_phrase(counts: Counts, design: Design, n_folds: int) -> str:
    """Say which folds: drawn, one for each group, or given by a column."""
    if isinstance(design.folds, int):
        return f"{design.folds} folds"
    if counts.n_only_fitted:
        return f"heads fitted on {counts.n_only_fitted} others, as {design.folds} says"
    what = design.groups if design.folds == LEAVE_ONE_OUT else design.folds.removeprefix(FOLD_COLUMN)
    return f"{n_folds} folds, one for each {what}"


def _copies_phrase(n_copies: int, groups: str) -> str:
    if not n_copies:
        return "no copies"
    copies = "1 copy" if n_copies == 1 else f"{n_copies} copies"
    if groups == "none":
        return f"{copies} of images NOT kept together: they inflate these scores"
    return f"{copies} of images kept with their originals"


def _shared_pixels_phrase(n_samples: int | None, groups: str) -> str:
    """Say how many crops overlap on their field; nothing where samples are whole images."""
    if n_samples is None:
        return ""
    if not n_samples:
        return "no crops that share pixels"
    if groups == "none":
        return f"{n_samples} crops share pixels with others and are NOT kept together: they may inflate these scores"
    return f"{n_samples} crops share pixels with others and are kept together"


def _near_copies_phrase(joined: bool | None) -> str:
    if joined is None:
        return ""
    if joined:
        return "near copies kept together, as audited"
    return "near copies not searched for (cellfeat audit)"


def render_table(comparison: Comparison, width: int) -> Table:
    """Make the table of heads, best first.

    Parameters
    ----------
    comparison
        The comparison.
    width
        Columns available; in a narrow terminal, class names are cut and intervals of differences take a second line.
    """
    table = _score_table()
    table.add_column("against the best", no_wrap=True)
    for result in comparison.results:
        table.add_row(*_score_cells(result), Text(_against_best(comparison, result, " " if width >= WIDE else "\n")))
    return table


def render_standings(results: Sequence[HeadResult]) -> Table:
    """Make the table of the heads finished so far, best first; verdicts follow when all are finished."""
    table = _score_table()
    for result in sorted(results, key=lambda result: -result.balanced_accuracy):
        table.add_row(*_score_cells(result))
    return table


def _score_table() -> Table:
    table = plain_table()
    table.add_column("head", no_wrap=True)
    table.add_column("balanced accuracy", no_wrap=True)
    table.add_column("worst class")  # the one column that gives way in a narrow terminal
    table.add_column("recall", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    return table


def _score_cells(result: HeadResult) -> tuple[Text, ...]:
    overall, per_class = result.scores.overall, result.scores.per_class
    worst = int(np.argmin(per_class.recall))
    low, high = overall.interval
    return (
        name_cell(result.head),
        Text(f"{overall.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"),
        name_cell(per_class.classes[worst]),
        Text(f"{per_class.recall[worst]:.3f}"),
        Text(f"{result.seconds.total:.1f}"),
    )


def _against_best(comparison: Comparison, result: HeadResult, between: str) -> str:
    if result is comparison.best:
        return "best"
    pair = next(pair for pair in comparison.differences_to_best() if pair.worse == result.head)
    words = "worse by" if pair.is_evidence else "no evidence:"
    return f"{words} {pair.numbers().replace(' [', f'{between}[')}"


def verdict_lines(comparison: Comparison) -> list[str]:
    """Say which heads the best one is better than, for which there is no evidence, by which rule, and what failed."""
    return [one_line(line) for line in comparison.summary_lines()]


def repeats_lines(repeats: Repeats) -> list[str]:
    """Give each head's score over all sets of folds, its difference from the best, and the heads that failed."""
    n_sets, scores = len(repeats.seeds), [score.line() for score in repeats.scores]
    lines = [
        f"{n_sets} sets of {repeats.folds} folds, balanced accuracy ± its standard deviation over the sets:",
        *scores,
    ]
    best = repeats.scores[0].head
    to_best = [pair.verdict() for pair in repeats.differences if best in (pair.better, pair.worse)]
    if to_best:
        lines += ["differences over all folds, corrected resampled t-test:", *to_best]
        lines += rule_lines(len(repeats.differences))
    return [one_line(line) for line in (*lines, *(failure.line() for failure in repeats.failures))]


def curve_lines(found: LearningCurves) -> list[str]:
    """Say of each head whether more images would help it, and which heads failed."""
    verdicts = [curve.verdict() for curve in found.curves]
    return [one_line(line) for line in (*verdicts, *(failure.reason for failure in found.failures))]
