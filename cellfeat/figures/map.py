"""A map of samples: a point for each, coloured by a column."""

from collections import Counter
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from cellfeat.figures.names import Shown, lettering
from cellfeat.figures.style import (
    HEAD_COLOURS,
    HEAD_MARKERS,
    WIDTHS,
    FigureWidth,
    figure_of,
    fit_height,
    legend_columns,
    letters,
    new_figure,
)
from cellfeat.text import counted
from cellfeat.types import Float32s, Floats, Strings

RASTERISED_FROM = 5_000
"""Points from which they are pixels in PDF and SVG: so many circles take seconds to open and megabytes."""

MOST_CATEGORIES = 60
"""Categories with an entry in the legend; the rarest of more share one."""

MOST_BESIDE = 20
"""Categories up to which the legend stands beside the map, unless that is one column wide; more stand below it."""

MOST_NUMBERS = 20
"""Different numbers up to which a column of numbers counts as categories."""

_GREY = "#9a9a9a"
_MISSING = "no value"
_SCREEN = 8.0


def draw_map(
    x: Float32s,
    y: Float32s,
    values: Strings,
    *,
    column: str,
    method: str,
    note: str,
    width: FigureWidth | None = None,
) -> Figure:
    """Draw a map of samples with a legend outside, and below it what may be read from it.

    Up to seven categories have colours and markers of their own. More are also numbered, on the map at the median of
    their samples, since nobody tells sixty colours apart. A column of many different numbers has a scale.

    Parameters
    ----------
    x, y
        Coordinates, shape ``(n_samples,)``; NaN leaves a sample out.
    values
        Value of each sample, shape ``(n_samples,)``; ``""`` where it has none.
    column
        What the values are, for the title.
    method
        How the map was made.
    note
        What may be read from it.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    is_shown = np.isfinite(x) & np.isfinite(y)
    n_left_out = int(np.count_nonzero(~is_shown))
    places, values = np.column_stack([x[is_shown], y[is_shown]]), values[is_shown]
    left_out = f" {counted(n_left_out, 'sample')} could not be read." if n_left_out else ""
    with lettering([column, *np.unique(values).tolist()], width) as shown:
        inches = WIDTHS[width] if width else _SCREEN
        figure = new_figure(inches, inches)
        axes = figure.add_subplot(aspect="equal")
        title = f"{method}, {counted(len(places), 'sample')}, coloured by {shown([column])[0]}"
        axes.set_title(title, loc="left", fontsize=letters(10))
        axes.set(xticks=[], yticks=[])
        axes.margins(0.03)
        numbers = _as_numbers(values)
        if numbers is not None:
            _draw_numbers(axes, places, numbers, shown([column])[0])
        else:
            _draw_categories(axes, places, values, shown, is_narrow=width == "one")
        size = letters(8.5)
        lines = wrap(note + left_out, max(20, int(72 * inches / (0.55 * size))))
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=size)
        fit_height(figure)
        return figure


def _as_numbers(values: Strings) -> Floats | None:
    """The values as numbers, NaN where one is missing; None where they are categories."""
    known = np.unique(values[values != ""])
    if len(known) <= MOST_NUMBERS:
        return None
    try:
        known.astype(np.float64)
    except ValueError:
        return None
    numbers = np.full(len(values), np.nan)
    numbers[values != ""] = values[values != ""].astype(np.float64)
    return numbers


def _point_size(n_points: int) -> float:
    """Area of a point in square points: the more there are, the smaller."""
    share = float(np.clip(letters(10) / 10, 0.5, 1))
    return share**2 * float(np.clip(12_000 / max(n_points, 1), 1.0, 18.0))


def _look(n_points: int) -> dict[str, Any]:
    return {"s": _point_size(n_points), "linewidths": 0, "rasterized": n_points > RASTERISED_FROM}


def _draw_numbers(axes: Axes, places: NDArray, numbers: Floats, title: str) -> None:
    is_known = np.isfinite(numbers)
    look = _look(len(places))
    axes.scatter(*places[~is_known].T, color=_GREY, **look)
    image = axes.scatter(places[is_known, 0], places[is_known, 1], c=numbers[is_known], cmap="viridis", **look)
    figure_of(axes).colorbar(image, ax=axes, label=title, fraction=0.046, pad=0.02)


def _draw_categories(axes: Axes, places: NDArray, values: Strings, shown: Shown, *, is_narrow: bool) -> None:
    names, codes, n_joined = _categories(values)
    is_numbered = len(names) > len(HEAD_COLOURS)
    _draw_points(axes, places, codes)
    if is_numbered:
        _number(axes, places, codes, len(names))
    labels = shown(names)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    labels = [
        f"{f'{number}  ' if is_numbered else ''}{label} ({count:,})"
        for number, (label, count) in enumerate(zip(labels, counts, strict=True), start=1)
    ]
    has_markers = len(places) <= RASTERISED_FROM
    handles = [_handle(code, has_markers=has_markers) for code in range(len(names))]
    n_others = int(np.count_nonzero(codes < 0))
    if n_others:
        handles.append(_handle(-1, has_markers=has_markers))
        labels.append(f"{f'{n_joined:,} rare values, or none' if n_joined else _MISSING} ({n_others:,})")
    if not handles:
        return
    figure = figure_of(axes)
    if not is_narrow and len(labels) <= MOST_BESIDE:
        axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), **_LEGEND)
        return
    columns = legend_columns(labels, figure.get_figwidth())
    # Room for the legend below a map that is as high as wide.
    size = letters(10)
    figure.set_figheight(figure.get_figheight() + -(-len(labels) // columns) * 1.6 * size / 72)
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(0, -0.01), ncols=columns, **_LEGEND)


_LEGEND: dict[str, Any] = {
    "frameon": False, "borderaxespad": 0.0, "handletextpad": 0.2, "columnspacing": 1.0, "labelspacing": 0.25,
}  # fmt: skip


def _categories(values: Strings) -> tuple[list[str], NDArray[np.intp], int]:
    """The names with an entry, in order; the place of each value among them, or -1; and how many names have none."""
    counts = Counter(values[values != ""].tolist())
    kept = [name for name, _ in counts.most_common(MOST_CATEGORIES)]
    names = sorted(kept)
    place = {name: number for number, name in enumerate(names)}
    codes = np.array([place.get(value, -1) for value in values.tolist()], dtype=np.intp)
    return names, codes, len(counts) - len(names)


def _colour(code: int) -> str:
    return _GREY if code < 0 else HEAD_COLOURS[code % len(HEAD_COLOURS)]


def _marker(code: int) -> str:
    if code < 0:
        return "o"
    # Three steps further with each round of colours: no two of 56 categories have both in common.
    colour_round = code // len(HEAD_COLOURS)
    return HEAD_MARKERS[(code % len(HEAD_COLOURS) + 3 * colour_round) % len(HEAD_MARKERS)]


def _draw_points(axes: Axes, places: NDArray, codes: NDArray[np.intp]) -> None:
    """Draw all points in a random order, so that no category lies on top of the others."""
    look = _look(len(places))
    if len(places) > RASTERISED_FROM:
        order = np.random.default_rng(0).permutation(len(places))
        colours = np.array([_colour(code) for code in range(-1, int(codes.max(initial=-1)) + 1)])
        axes.scatter(places[order, 0], places[order, 1], c=colours[codes[order] + 1], **look)
        return
    for code in np.unique(codes):
        axes.scatter(*places[codes == code].T, color=_colour(code), marker=_marker(code), alpha=0.85, **look)


def _number(axes: Axes, places: NDArray, codes: NDArray[np.intp], n_names: int) -> None:
    """Number categories at the median of their samples; a number that would lie on another one is left out."""
    size = np.asarray(axes.get_window_extent().size, np.float64) * 72 / figure_of(axes).dpi
    apart = letters(9) * np.ptp(places, axis=0) / size
    numbered: list[NDArray] = []
    for code in range(n_names):
        middle = np.median(places[codes == code], axis=0)
        if any((np.abs(middle - other) < apart * (1.3, 1)).all() for other in numbered):
            continue
        numbered.append(middle)
        text = axes.text(
            middle[0], middle[1], str(code + 1), fontsize=letters(9), ha="center", va="center", weight="bold"
        )
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _handle(code: int, *, has_markers: bool) -> Line2D:
    marker = _marker(code) if has_markers else "o"
    return Line2D([], [], linestyle="none", marker=marker, color=_colour(code), markersize=letters(10) / 2)
