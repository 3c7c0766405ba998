"""How often heads are right when they are how sure, before and after calibration."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellfeat.evaluation.figures.drawn import Scored
from cellfeat.evaluation.scores.head_scores import ProbabilityScores
from cellfeat.figures.names import lettering
from cellfeat.figures.style import (
    HEAD_COLOURS,
    WIDTHS,
    FigureWidth,
    axes_for,
    figure_of,
    letters,
    line_sizes,
    new_figure,
)
from cellfeat.statistics.scores import CALIBRATION_BINS

LEAST_IN_BIN = 10
"""Bins with fewer samples have no point: their share of correct predictions is chance."""

_WIDE_PANELS = 7.5
"""Inches of a figure from which the titles of its panels fit on a line."""

_WIDE_FOOT = 3.3

BEFORE, AFTER = HEAD_COLOURS[1], HEAD_COLOURS[0]


def draw_reliability(
    results: Sequence[Scored], axes: Axes | None = None, *, width: FigureWidth | None = None
) -> Figure:
    """Draw accuracy against confidence, and the samples of each bin below, before and after calibration.

    Parameters
    ----------
    results
        The heads, a panel each.
    axes
        Where to draw the first head, without the samples of each bin; None makes a figure.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    with lettering((result.head for result in results), width) as shown:
        heads = shown(result.head for result in results)
        return _draw(results, heads, width) if axes is None else _draw_into(axes_for(axes, 4, 4), results[0], heads[0])


def _draw_into(axes: Axes, result: Scored, head: str) -> Figure:
    _draw_panel(axes, result, head)
    axes.tick_params(labelbottom=True)
    axes.set(xlabel="highest probability", ylabel="share of these predictions that are correct")
    axes.legend(loc="upper left", fontsize="small", frameon=False)
    return figure_of(axes)


def _draw(results: Sequence[Scored], heads: Sequence[str], width: FigureWidth | None) -> Figure:
    n_columns = min(len(results), 2 if width == "one" else 3)
    n_rows = -(-len(results) // n_columns)
    figure = new_figure(*_size(n_columns, n_rows, width))
    # A row of panels and a row of counts below it, in turn.
    grid = figure.subplots(2 * n_rows, n_columns, squeeze=False, height_ratios=[3, 1] * n_rows)
    panels, counts = grid[::2].ravel(), grid[1::2].ravel()
    for axes, below, result, head in zip(panels, counts, results, heads, strict=False):
        _draw_panel(axes, result, head)
        _draw_counts(below, result)
    for axes in (*panels[len(results) :], *counts[len(results) :]):
        axes.set_axis_off()
    figure.supxlabel(
        f"highest probability; bins of fewer than {LEAST_IN_BIN} samples have no point", fontsize=letters(9)
    )
    figure.supylabel("share of these predictions that are correct", fontsize=letters(9))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return figure


def _size(n_columns: int, n_rows: int, width: FigureWidth | None) -> tuple[float, float]:
    """Width and height of a figure in inches."""
    if width is None:
        return 0.8 + 2.9 * n_columns, 0.9 + 4.1 * n_rows
    # A single head of two columns would fill the page: its panel is as wide as half of it.
    side = min(WIDTHS[width] / n_columns, WIDTHS["one"])
    return min(WIDTHS[width], side * n_columns), 0.6 + 1.35 * side * n_rows


def _draw_panel(axes: Axes, result: Scored, head: str) -> None:
    calibration = result.scores.calibration
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    _draw_points(axes, calibration.uncalibrated, "before calibration", BEFORE, "o--", "none")
    title = f"{head}:{_between(axes)}calibration error {calibration.uncalibrated.calibration_error:.3f}"
    if calibration.method != "none":
        _draw_points(axes, calibration.calibrated, "calibrated", AFTER, "s-", AFTER)
        title += f" → {calibration.calibrated.calibration_error:.3f}"
    axes.set_title(title, loc="left", fontsize=letters(8 if "\n" in title else 9))
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.tick_params(labelbottom=False)
    axes.grid(color="0.93")
    axes.set_axisbelow(True)


def _between(axes: Axes) -> str:
    """What stands between the name of a head and its numbers: a new line, where panels are narrow."""
    return "\n" if figure_of(axes).get_figwidth() < _WIDE_PANELS else " "


def _draw_points(axes: Axes, scores: ProbabilityScores, label: str, colour: str, style: str, face: str) -> None:
    bins = scores.reliability
    confidence, accuracy, _ = bins[bins[:, 2] >= LEAST_IN_BIN].T
    axes.plot(confidence, accuracy, style, color=colour, markerfacecolor=face, label=label, **line_sizes(4, 1.2))


def _draw_counts(axes: Axes, result: Scored) -> None:
    """Draw the number of samples in each bin; with calibration, that of the calibrated probabilities is filled."""
    calibration = result.scores.calibration
    before = _counts(calibration.uncalibrated)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    shown, colour = before, BEFORE
    if calibration.method != "none":
        shown, colour = _counts(calibration.calibrated), AFTER
        axes.stairs(shown, edges, fill=True, color=AFTER, alpha=0.35)
    axes.stairs(before, edges, color=BEFORE, linewidth=1)
    size = letters(6.5)
    for middle, count in zip((edges[:-1] + edges[1:]) / 2, shown, strict=True):
        if count:
            top = max(count, before[int(middle * CALIBRATION_BINS)])
            axes.text(middle, top, f" {count}", rotation=90, ha="center", va="bottom", fontsize=size, color=colour)
    # Room for the numbers above the highest bar.
    axes.set(xlim=(0, 1.02), ylim=(0, 1.6 * max(shown.max(), before.max())), yticks=[])
    axes.set_ylabel("samples", fontsize=letters(8))


def _counts(scores: ProbabilityScores) -> np.ndarray:
    """Number of samples in each bin, empty ones too, shape ``(n_bins,)``."""
    confidence, _, n_samples = scores.reliability.T
    counts = np.zeros(CALIBRATION_BINS, dtype=int)
    counts[np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)] = n_samples
    return counts
