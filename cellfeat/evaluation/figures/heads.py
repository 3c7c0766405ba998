"""All heads of a comparison in one figure: scores with intervals, and the verdict on each."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellfeat.evaluation.figures.drawn import Scored, deciding
from cellfeat.evaluation.scores.differences import HeadDifference
from cellfeat.figures.names import lettering
from cellfeat.figures.style import (
    WIDTHS,
    FigureWidth,
    axes_for,
    figure_of,
    head_colour,
    head_marker,
    letters,
)
from cellfeat.statistics.interval_types import LEVEL

MARGIN = 0.04
"""Share of the axis left free at both ends."""


class _Row(NamedTuple):
    """A head as it is drawn."""

    name: str
    score: float
    low: float
    high: float
    verdict: str


def draw_heads(
    results: Sequence[Scored],
    to_best: Sequence[HeadDifference],
    axes: Axes | None = None,
    *,
    width: FigureWidth | None = None,
) -> Figure:
    """Draw each head's balanced accuracy with its interval, best first, and the verdict beside it.

    The axis shows the heads that are better than chance; another one has an arrow and its value at the edge. A line
    marks chance where the axis reaches it.

    Parameters
    ----------
    results
        The heads, the best first.
    to_best
        The difference of each other head to the best one.
    axes
        Where to draw; None makes a figure.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    with lettering((result.head for result in results), width) as shown:
        names = shown(result.head for result in results)
        is_narrow = width == "one"
        verdicts = {pair.worse: _verdict(pair, is_narrow=is_narrow) for pair in to_best}
        rows = [
            _Row(
                name,
                result.scores.overall.balanced_accuracy,
                *result.scores.overall.interval,
                # A head alone is compared with none.
                verdicts.get(result.head, "best" if to_best else ""),
            )
            for result, name in zip(results, names, strict=True)
        ]
        n_lines = 3 if is_narrow else 2
        height = (0.115 if width else 0.2) * (n_lines + 1) * len(rows) + (0.75 if width else 1.1)
        axes = axes_for(axes, WIDTHS[width] if width else 8, height)
        decide = [rows[place] for place in deciding(_lows(results), _n_classes(results))]
        _draw(axes, rows, decide, 1 / _n_classes(results))
        n_samples = int(results[0].scores.per_class.confusion.sum())
        title = f"{n_samples:,} samples, {_n_classes(results):,} classes"
        axes.set_title(title, loc="left", fontsize=letters(10))
        return figure_of(axes)


def _lows(results: Sequence[Scored]) -> list[float]:
    return [result.scores.overall.interval.low for result in results]


def _n_classes(results: Sequence[Scored]) -> int:
    return len(results[0].scores.per_class.classes)


def _verdict(pair: HeadDifference, *, is_narrow: bool) -> str:
    """Say what the comparison with the best head found, in the lines that there is room for."""
    estimate, interval = pair.numbers().split(" ", 1)
    if pair.is_evidence:
        return f"worse by {estimate}\n{interval}" if is_narrow else f"worse by {estimate} {interval}"
    if is_narrow:
        return f"no evidence of a\ndifference: {estimate}\n{interval}"
    return f"no evidence of a difference:\n{estimate} {interval}"


def _draw(axes: Axes, rows: Sequence[_Row], decide: Sequence[_Row], chance: float) -> None:
    start, stop = _limits(decide, chance)
    for number, row in enumerate(rows):
        colour = head_colour(number)
        if row.high < start:
            axes.text(start, number, f" ◂ {row.score:.3f}", ha="left", va="center", fontsize=letters(8.5), color=colour)
        else:
            axes.errorbar(
                row.score,
                number,
                # matplotlib refuses negative lengths, which rounding may give.
                xerr=[[max(row.score - row.low, 0)], [max(row.high - row.score, 0)]],
                fmt=head_marker(number),
                color=colour,
                capsize=2,
            )
        axes.text(1.02, number, row.verdict, transform=axes.get_yaxis_transform(), va="center", fontsize=letters(9))
    if start <= chance:
        axes.axvline(chance, color="0.45", linewidth=1, linestyle="--", zorder=0)
        axes.text(chance, -0.45, " chance", fontsize=letters(8.5), color="0.35", va="center")
    labels = [f"{row.name}\n{row.score:.3f} [{row.low:.3f}, {row.high:.3f}]" for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set(
        xlim=(start, stop), ylim=(len(rows) - 0.4, -0.6), xlabel=f"balanced accuracy, {100 * LEVEL:.0f} % interval"
    )
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)


def _limits(rows: Sequence[_Row], chance: float) -> tuple[float, float]:
    """Where all intervals lie, and chance, where it is not far from them."""
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    if chance < low and low - chance <= high - low:
        low = chance
    margin = max(MARGIN * (high - low), 0.004)
    return low - margin, high + margin
