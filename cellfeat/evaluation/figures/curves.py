"""Learning curves."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellfeat.evaluation.figures.drawn import Curve, deciding
from cellfeat.figures.names import lettering
from cellfeat.figures.style import WIDTHS, FigureWidth, add_legend, axes_for, figure_of, head_colour, head_marker
from cellfeat.statistics.interval_types import LEVEL

SIDES: dict[FigureWidth, float] = {"one": 0.75, "two": 0.5}
"""Height by width in print."""


def draw_curves(curves: Sequence[Curve], axes: Axes | None = None, *, width: FigureWidth | None = None) -> Figure:
    """Draw each head's balanced accuracy, with its interval, against the number of training samples.

    The axis shows the heads that are better than chance; the legend names heads that lie below it.

    Parameters
    ----------
    curves
        Of the same samples.
    axes
        Where to draw; None makes a figure.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    with lettering((curve.head for curve in curves), width) as shown:
        size = (WIDTHS[width], SIDES[width] * WIDTHS[width]) if width else (7, 4.6)
        return _draw(axes, size, curves, shown(curve.head for curve in curves))


def _draw(given: Axes | None, size: tuple[float, float], curves: Sequence[Curve], heads: Sequence[str]) -> Figure:
    axes = axes_for(given, *size)
    start, stop = _limits([curves[place] for place in _deciding(curves)])
    labels = []
    for number, (curve, head) in enumerate(zip(curves, heads, strict=True)):
        highest = max(point["balanced_accuracy"] for point in curve.points())
        below = f": {highest:.3f}, below the axis" if highest < start else ""
        labels.append(f"{head}{below}")
        _draw_curve(axes, curve, number, labels[-1])
    axes.set_xscale("log", base=2)
    ticks = curves[0].n_train
    # Not the parts that were asked for: whole groups are taken, so that a tenth can be a sixth of the samples.
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.minorticks_off()
    axes.set(
        ylim=(start, stop),
        xlabel="training samples",
        ylabel=f"balanced accuracy, {100 * LEVEL:.0f} % interval",
    )
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    add_legend(axes, labels, is_own=given is None)
    return figure_of(axes)


def _deciding(curves: Sequence[Curve]) -> list[int]:
    return deciding([curve.points()[-1]["ci_low"] for curve in curves], curves[0].n_classes)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """Where all intervals lie, with a twentieth of their range around them."""
    points = [point for curve in curves for point in curve.points()]
    low, high = min(point["ci_low"] for point in points), max(point["ci_high"] for point in points)
    margin = max(0.05 * (high - low), 0.005)
    return low - margin, high + margin


def _draw_curve(axes: Axes, curve: Curve, number: int, label: str) -> None:
    rows, colour = pd.DataFrame(curve.points()), head_colour(number)
    axes.plot(rows["n_train"], rows["balanced_accuracy"], marker=head_marker(number), color=colour, label=label)
    # Edges in the colour of the head: where bands overlap, their fillings mix to grey.
    axes.fill_between(
        rows["n_train"], rows["ci_low"], rows["ci_high"], facecolor=(colour, 0.12), edgecolor=(colour, 0.7)
    )
