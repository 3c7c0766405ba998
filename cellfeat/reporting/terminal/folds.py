"""Given folds in the terminal: the score of each, and what groups that they cut do to the scores."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scores.given_fold_scores import FoldScore
from cellfeat.reporting.terminal.style import name_cell, one_line, plain_table
from cellfeat.text import first_ten

MOST_HEADS = 3
"""Heads in the table of folds: the best ones. The others are in ``comparison.json``."""


def render_folds(results: Sequence[HeadResult]) -> Table:
    """Make the table of given folds, one row a fold: samples, classes, and the score of each head.

    Parameters
    ----------
    results
        The heads, best first.
    """
    shown = results[:MOST_HEADS]
    table = plain_table()
    table.add_column("fold")
    table.add_column("samples", justify="right", no_wrap=True)
    table.add_column("classes", justify="right", no_wrap=True)
    for result in shown:
        table.add_column(name_cell(result.head), no_wrap=True)
    n_classes = len(results[0].scores.per_class.classes)
    for folds in zip(*(result.scores.overall.given for result in shown), strict=True):
        first = folds[0]
        cells = [Text(f"{first.n_samples}"), Text(_classes(first, n_classes)), *map(_score, folds)]
        table.add_row(name_cell(first.name), *cells)
    pooled = [Text(_with_ends(one.scores.overall.balanced_accuracy, one.scores.overall.interval)) for one in shown]
    table.add_row(Text("all, pooled"), Text(f"{results[0].counts.n_samples}"), Text(f"{n_classes}"), *pooled)
    return table


def _classes(fold: FoldScore, n_classes: int) -> str:
    n_present = len(fold.classes)
    return f"{n_present}" if n_present == n_classes else f"{n_present} of {n_classes}"


def _score(fold: FoldScore) -> Text:
    return Text(_with_ends(fold.balanced_accuracy, fold.interval))


def _with_ends(score: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"{score:.3f} [too few]"
    low, high = interval
    return f"{score:.3f} [{low:.3f}, {high:.3f}]"


def given_lines(results: Sequence[HeadResult]) -> list[str]:
    """Say what the intervals of given folds mean, and give the scores without samples of groups that they cut."""
    lines = []
    if len(results[0].scores.overall.given) > 1:
        lines.append(
            "the interval of a fold is over its own samples: how well this fold is measured, and not how another would "
            "score"
        )
    if results[0].scores.overall.given and len(results) > MOST_HEADS:
        others = first_ten(result.head for result in results[MOST_HEADS:])
        lines.append(f"scores of each fold for {others}: comparison.json, given_folds")
    for result in results:
        apart = result.scores.overall.apart
        if apart is None:
            continue
        score = "a class has none left" if apart.balanced_accuracy is None else f"{apart.balanced_accuracy:.3f}"
        lines.append(
            f"{result.head}: {result.balanced_accuracy:.3f} over all; without the {apart.n_shared} tested samples that "
            f"have their group in the training part as well: {score}"
        )
    return [one_line(line) for line in lines]
