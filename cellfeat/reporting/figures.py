"""Figures of a comparison.

Names come from files: characters that hide text are escaped before they are drawn, and no mathematics in them is set.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cellfeat.evaluation.learning_curve import LearningCurve, curve_table
from cellfeat.evaluation.results import ScoredHead
from cellfeat.evaluation.scoring.head_scores import ProbabilityScores
from cellfeat.statistics.interval_types import LEVEL
from cellfeat.text import clean_text, shown_names

DPI = 150
MOST_ANNOTATED_CLASSES = 25
LEAST_IN_BIN = 10
"""Bins with fewer samples are not drawn: their share of correct predictions is chance."""

HEAD_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinct with any colour vision: M. Okabe and K. Ito, "Color universal design" (2008), without its yellow."""

HEAD_MARKERS = "osD^vPX*"


def draw_confusion(scored: ScoredHead) -> Figure:
    """Draw a confusion matrix: rows are the truth; colour is the share of the row; cells show count and share."""
    counts = scored.scores.per_class.confusion
    shares = counts / counts.sum(axis=1, keepdims=True)
    names = shown_names(scored.scores.per_class.classes)
    absent = shown_names(scored.scores.per_class.absent)
    side = 2.2 + 0.62 * len([*names, *absent])
    figure = Figure(figsize=(side + 1.2, side), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _set_ticks(axes, [*names, *absent], names)
    if len(names) <= MOST_ANNOTATED_CLASSES:
        _annotate(axes, counts, shares)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(clean_text(scored.line()), parse_math=False, loc="left", fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046, pad=0.02)
    return figure


def _set_ticks(axes: Axes, columns: list[str], rows: list[str]) -> None:
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)


def _annotate(axes: Axes, counts: NDArray[np.integer], shares: NDArray[np.floating]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            axes.text(
                column, row, f"{count}\n{share:.0%}",
                ha="center", va="center", fontsize=7.5, color="white" if share > 0.55 else "black",
            )  # fmt: skip


def draw_recalls(results: Sequence[ScoredHead]) -> Figure:
    """Draw each class's recall with its interval, all heads side by side."""
    names = shown_names(results[0].scores.per_class.classes)
    figure = Figure(figsize=(8, 1.6 + len(names) * (0.25 + 0.13 * len(results))), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, result in enumerate(results):
        _draw_head(axes, result, number, offset=0.7 * ((number + 0.5) / len(results) - 0.5))
    for row in range(1, len(names)):
        axes.axhline(row - 0.5, color="0.9", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5), xlabel=f"recall, with its {100 * LEVEL:.0f} % interval")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", ncols=min(len(results), 4), frameon=False)
    return figure


def _draw_head(axes: Axes, result: ScoredHead, number: int, *, offset: float) -> None:
    recall = result.scores.per_class.recall
    low, high = result.scores.per_class.recall_intervals.T
    # matplotlib refuses negative lengths, which rounding may give where a recall is an end of its interval.
    axes.errorbar(
        recall,
        np.arange(len(recall)) + offset,
        xerr=[np.maximum(recall - low, 0), np.maximum(high - recall, 0)],
        fmt=HEAD_MARKERS[number % len(HEAD_MARKERS)],
        color=HEAD_COLOURS[number % len(HEAD_COLOURS)],
        markersize=4,
        linewidth=1.2,
        label=f"{clean_text(result.head)} {result.balanced_accuracy:.3f}",
    )


def draw_curves(curves: Sequence[LearningCurve]) -> Figure:
    """Draw each head's balanced accuracy, with its interval, against the number of training samples."""
    figure = Figure(figsize=(7, 4.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        rows = curve_table([curve])
        colour = HEAD_COLOURS[number % len(HEAD_COLOURS)]
        marker = HEAD_MARKERS[number % len(HEAD_MARKERS)]
        axes.plot(rows["n_train"], rows["balanced_accuracy"], marker=marker, color=colour, label=clean_text(curve.head))
        # Edges in the colour of the head: where bands overlap, their fillings mix to grey.
        axes.fill_between(
            rows["n_train"], rows["ci_low"], rows["ci_high"], facecolor=(colour, 0.12), edgecolor=(colour, 0.7)
        )
    axes.set_xscale("log", base=2)
    ticks = curves[0].n_train
    axes.set_xticks(ticks, [f"{n} ({fraction:.0%})" for n, fraction in zip(ticks, curves[0].fractions, strict=True)])
    axes.minorticks_off()
    axes.set(xlabel="training samples (part of all)", ylabel=f"balanced accuracy, {100 * LEVEL:.0f} % interval")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", ncols=min(len(curves), 4), frameon=False)
    return figure


def draw_reliability(results: Sequence[ScoredHead]) -> Figure:
    """Draw accuracy against confidence, before and after calibration, one panel a head."""
    n_columns = min(len(results), 3)
    n_rows = -(-len(results) // n_columns)
    figure = Figure(figsize=(0.6 + 3 * n_columns, 0.9 + 3.2 * n_rows), dpi=DPI, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for axes, result in zip(panels.flat, results, strict=False):
        _draw_reliability_panel(axes, result)
    for axes in panels.flat[len(results) :]:
        axes.set_axis_off()
    figure.supxlabel("highest probability", fontsize=10)
    figure.supylabel("share of these predictions that are correct", fontsize=10)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return figure


def _draw_reliability_panel(axes: Axes, result: ScoredHead) -> None:
    calibration = result.scores.calibration
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    _draw_bins(axes, calibration.uncalibrated, "before calibration", HEAD_COLOURS[1], "o--", "none")
    title = f"{clean_text(result.head)}: calibration error {calibration.uncalibrated.calibration_error:.3f}"
    if calibration.method != "none":
        _draw_bins(axes, calibration.calibrated, "calibrated", HEAD_COLOURS[0], "s-", HEAD_COLOURS[0])
        title += f" → {calibration.calibrated.calibration_error:.3f}"
    axes.set_title(title, parse_math=False, loc="left", fontsize=9)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.tick_params(labelbottom=True)
    axes.grid(color="0.93")
    axes.set_axisbelow(True)


def _draw_bins(axes: Axes, scores: ProbabilityScores, label: str, colour: str, style: str, face: str) -> None:
    bins = scores.reliability
    confidence, accuracy, _ = bins[bins[:, 2] >= LEAST_IN_BIN].T
    axes.plot(confidence, accuracy, style, color=colour, markerfacecolor=face, markersize=4, linewidth=1.2, label=label)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG.

    Parameters
    ----------
    figure
        The figure.
    path
        The file, with any ending.
    """
    # Naming the canvas avoids any window system; naming the format is needed because the path ends in .tmp.
    FigureCanvasAgg(figure).print_png(str(path))
