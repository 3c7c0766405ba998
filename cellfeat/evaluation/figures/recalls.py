"""The recall of each class, all heads side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellfeat.evaluation.figures.drawn import Scored, deciding
from cellfeat.evaluation.scores.head_scores import PerClass
from cellfeat.figures.names import lettering
from cellfeat.figures.style import (
    TALLEST,
    WIDTHS,
    FigureWidth,
    add_legend,
    axes_for,
    figure_of,
    head_colour,
    head_marker,
    letters,
    line_sizes,
)
from cellfeat.statistics.interval_types import LEVEL

MARGIN = 0.02

_LOWEST_ROW = 0.1
"""Inches of a class at least, in print."""
_TWO_LINES = 0.3
"""Inches of a class from which its number of samples has a line of its own."""


def draw_recalls(results: Sequence[Scored], axes: Axes | None = None, *, width: FigureWidth | None = None) -> Figure:
    """Draw each class's recall with its interval, all heads side by side.

    The axis shows the heads that are better than chance; a recall of another head that lies outside has an arrow and
    its value at the edge.

    Parameters
    ----------
    results
        The heads, of the same classes.
    axes
        Where to draw; None makes a figure.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    classes = results[0].scores.per_class.classes
    with lettering([*classes, *(result.head for result in results)], width) as shown:
        size = _size(len(classes), len(results), width)
        return _draw(axes, size, results, shown(classes), shown(result.head for result in results))


def _size(n_classes: int, n_heads: int, width: FigureWidth | None) -> tuple[float, float]:
    """Width and height of a figure in inches."""
    if width is None:
        return 8, 1.6 + n_classes * max(0.45, 0.25 + 0.13 * n_heads)
    room = 0.75 + 0.13 * n_heads
    row = max(_LOWEST_ROW, min(max(0.24, 0.1 + 0.085 * n_heads), (TALLEST - room) / n_classes))
    return WIDTHS[width], room + row * n_classes


def _draw(
    given: Axes | None,
    size: tuple[float, float],
    results: Sequence[Scored],
    names: Sequence[str],
    heads: Sequence[str],
) -> Figure:
    axes = axes_for(given, *size)
    start, stop = _limits([results[place].scores.per_class for place in _deciding(results)])
    labels = [
        f"{head} {result.scores.overall.balanced_accuracy:.3f}" for result, head in zip(results, heads, strict=True)
    ]
    for number, (result, label) in enumerate(zip(results, labels, strict=True)):
        rows = np.arange(len(names)) + 0.7 * ((number + 0.5) / len(results) - 0.5)
        _draw_head(axes, result, rows, number, label)
        _draw_outside(axes, result.scores.per_class, rows, head_colour(number), (start, stop))
    for row in range(1, len(names)):
        axes.axhline(row - 0.5, color="0.9", linewidth=0.8, zorder=0)
    totals = results[0].scores.per_class.confusion.sum(axis=1)
    has_two_lines = size[1] / len(names) >= _TWO_LINES or given is not None
    between = "\n" if has_two_lines else ", "
    ticks = [f"{name}{between}n = {n:,}" for name, n in zip(names, totals, strict=True)]
    axes.set_yticks(range(len(names)), ticks)
    axes.set(
        xlim=(start - MARGIN, stop + MARGIN),
        ylim=(len(names) - 0.5, -0.5),
        xlabel=f"recall, with its {100 * LEVEL:.0f} % interval",
    )
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    add_legend(axes, labels, is_own=given is None, title="balanced accuracy", alignment="left")
    return figure_of(axes)


def _deciding(results: Sequence[Scored]) -> list[int]:
    lows = [result.scores.overall.interval.low for result in results]
    return deciding(lows, len(results[0].scores.per_class.classes))


def _limits(scores: Sequence[PerClass]) -> tuple[float, float]:
    """The tenths between which all intervals lie."""
    low, high = zip(*((one.recall_intervals.min(), one.recall_intervals.max()) for one in scores), strict=True)
    return float(np.floor(10 * min(low)) / 10), float(np.ceil(10 * max(high)) / 10)


def _draw_head(axes: Axes, result: Scored, rows: np.ndarray, number: int, label: str) -> None:
    recall = result.scores.per_class.recall
    low, high = result.scores.per_class.recall_intervals.T
    # matplotlib refuses negative lengths, which rounding may give where a recall is an end of its interval.
    axes.errorbar(
        recall,
        rows,
        xerr=[np.maximum(recall - low, 0), np.maximum(high - recall, 0)],
        fmt=head_marker(number),
        color=head_colour(number),
        **line_sizes(4, 1.2),
        label=label,
    )


def _draw_outside(axes: Axes, scores: PerClass, rows: np.ndarray, colour: str, limits: tuple[float, float]) -> None:
    """Mark recalls outside the axis at its edge."""
    start, stop = limits
    look: dict[str, Any] = {"va": "center", "fontsize": letters(7), "color": colour}
    # On white: the interval of such a recall may reach into the axis, and would cross the number out.
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
    for recall, row in zip(scores.recall, rows, strict=True):
        if recall < start - MARGIN:
            axes.text(start - MARGIN, row, f" ◂ {recall:.2f}", ha="left", **look)
        elif recall > stop + MARGIN:
            axes.text(stop + MARGIN, row, f"{recall:.2f} ▸ ", ha="right", **look)
