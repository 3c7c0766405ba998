"""Accuracy against seconds: every recipe that was tried, and the front of those that no other beats in both."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellfeat.figures.style import WIDTHS, FigureWidth, axes_for, figure_of, head_colour, letters, print_settings
from cellfeat.recommending.recommendation import Candidate, Recommendation, duration
from cellfeat.statistics.interval_types import LEVEL

_FRONT, _OTHERS, _CHOSEN, _BASELINE = head_colour(0), "0.6", head_colour(1), head_colour(6)


def draw_front(found: Recommendation, axes: Axes | None = None, *, width: FigureWidth | None = None) -> Figure:
    """Draw balanced accuracy against the seconds that all samples take.

    Filled points were tried on all samples of the comparison; small ones ended earlier, on fewer samples, and are
    usually too low.

    Parameters
    ----------
    found
        What was compared.
    axes
        Where to draw; None makes a figure.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    from matplotlib import rc_context

    with rc_context(print_settings(width)):
        size = (WIDTHS[width], 0.75 * WIDTHS[width]) if width else (7.5, 5.0)
        given = axes
        axes = axes_for(axes, *size)
        _draw(axes, found)
        if given is None:
            figure_of(axes).legend(loc="outside upper left", ncols=2, frameon=False)
        else:
            axes.legend(fontsize="small", frameon=False)
        return figure_of(axes)


def _draw(axes: Axes, found: Recommendation) -> None:
    ended = [one for one in found.candidates if not one.is_finalist]
    finalists = found.finalists
    axes.plot(*_xy(ended), ".", color="0.8", markersize=4, label="ended earlier, on fewer samples")
    axes.plot(*_xy(finalists), "o", color=_OTHERS, markersize=4, label="finalists")
    front = sorted((one for one in finalists if one.is_on_front), key=lambda one: one.seconds)
    axes.plot(*_xy(front), "o-", color=_FRONT, markersize=5, label="front: none is as good and faster")
    baseline = found.candidate(found.baseline)
    if baseline is not None:
        _mark(axes, baseline, _BASELINE, "s", "your settings")
    _mark(axes, found.recommended, _CHOSEN, "D", "recommended")
    for one in front:
        axes.annotate(
            _short(one), (one.seconds, one.score), xytext=(4, -8), textcoords="offset points", fontsize=letters(7.5)
        )
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    shown = [seconds for seconds in _ROUND_SECONDS if low <= seconds <= high] or [found.recommended.seconds]
    axes.set_xticks(shown, [duration(seconds) for seconds in shown])
    axes.minorticks_off()
    axes.set(
        xlabel=f"extraction of all {found.n_samples:,} samples, at the speed measured here",
        ylabel=f"balanced accuracy, linear head, {100 * LEVEL:.0f} % interval",
    )
    axes.grid(color="0.92")
    axes.set_axisbelow(True)


_ROUND_SECONDS = (1.0, 3, 10, 30, 60, 180, 600, 1800, 3600, 3 * 3600, 10 * 3600, 30 * 3600, 100 * 3600)


def _xy(candidates: list[Candidate]) -> tuple[list[float], list[float]]:
    return [one.seconds for one in candidates], [one.score for one in candidates]


def _mark(axes: Axes, one: Candidate, colour: str, marker: str, label: str) -> None:
    if one.interval is not None:
        low, high = one.interval
        axes.plot([one.seconds] * 2, [low, high], color=colour, linewidth=1)
    axes.plot([one.seconds], [one.score], marker, color=colour, markersize=7, label=label)


def _short(one: Candidate) -> str:
    recipe = one.recipe
    return f"{recipe.pool}, {recipe.source.input_size} px, {recipe.channels_as}, {recipe.views}"
