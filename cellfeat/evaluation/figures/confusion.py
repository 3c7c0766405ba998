"""The confusion matrix of one head."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cellfeat.evaluation.figures.drawn import Scored
from cellfeat.figures.names import lettering
from cellfeat.figures.style import (
    SMALLEST_LETTERS,
    WIDTHS,
    FigureWidth,
    axes_for,
    figure_of,
    fit_height,
    letters,
    new_figure,
)

MOST_WITH_SHARES = 15
"""Classes up to which cells show count and share; with more they show the count, and the colour the share."""

MOST_WITH_COUNTS = 60
"""Classes up to which cells show the count."""

WIDEST_CELL = 0.6
"""Inches of a cell at most: two classes do not fill a page."""

NARROWEST_NAMED = 6.5
"""Points of a cell in print from which a column has the name of its class; narrower ones have numbers."""

LOWEST_ROW = 6.0
"""Points of a row at least, in print: its name has letters of 5 points."""

_NUMBERED = 5
_FEW = 3
_USUAL_NAME = 20
_LEAST_SIDE = 3.9
"""Inches of a figure on a screen at least: its title needs them."""


def draw_confusion(scored: Scored, axes: Axes | None = None, *, width: FigureWidth | None = None) -> Figure:
    """Draw a confusion matrix: rows are the truth; colour is the share of the row; cells show count and share.

    In print, cells show what is readable in them: count and share, the count, or the colour alone. Where columns are
    too narrow for names, classes are numbered.

    Parameters
    ----------
    scored
        The head.
    axes
        Where to draw; None makes a figure.
    width
        Width in print, in columns of a journal; None draws for a screen.
    """
    per_class = scored.scores.per_class
    predicted = [*per_class.classes, *per_class.absent]
    with lettering([scored.head, *predicted], width) as shown:
        names, title = shown(predicted), _title(scored, shown([scored.head])[0])
        if width is None or axes is not None:
            return _draw(axes, per_class.confusion, names, title)
        return _draw_for_print(per_class.confusion, names, title, WIDTHS[width])


def _title(scored: Scored, head: str) -> str:
    overall = scored.scores.overall
    n_samples = scored.scores.per_class.confusion.sum()
    score = f"{overall.balanced_accuracy:.3f} [{overall.interval.low:.3f}, {overall.interval.high:.3f}]"
    return f"{head}, {n_samples:,} samples\nbalanced accuracy {score}"


def _draw(given: Axes | None, counts: NDArray[np.integer], names: Sequence[str], title: str) -> Figure:
    """Draw counts of shape ``(n_classes, n_predicted)``; the names of the classes come first."""
    has_shares = len(names) <= MOST_WITH_SHARES
    # Long names need room beside and below the matrix.
    room = 2.2 + 0.07 * max(0, max(map(len, names)) - _USUAL_NAME)
    side = max(_LEAST_SIDE, room + (0.62 if has_shares else 0.42) * len(names))
    axes = axes_for(given, side + 1.2, side, layout="compressed")
    _draw_matrix(axes, counts)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(counts)), [f"{name}\nn = {n:,}" for name, n in _totals(counts, names)])
    if len(names) <= MOST_WITH_COUNTS:
        _annotate(axes, counts, 7.5, has_shares=has_shares)
    return figure_of(axes)


def _draw_for_print(counts: NDArray[np.integer], names: Sequence[str], title: str, width: float) -> Figure:
    figure = new_figure(width, min(width, WIDEST_CELL * len(names) + 1.6), layout="compressed")
    axes = figure.add_subplot()
    _draw_matrix(axes, counts)
    # Over the whole figure: beside long names the matrix alone may be narrower than its title.
    figure.suptitle(title, x=0.01, ha="left", fontsize=letters(10))
    # Names decide how much room is left for cells, and the room decides how names are written.
    _name_classes(axes, counts, names, are_numbered=False)
    cell = _cell_side(axes, len(names))
    if cell < NARROWEST_NAMED:
        _name_classes(axes, counts, names, are_numbered=True)
        cell = _cell_side(axes, len(names))
    if cell < LOWEST_ROW:
        # The rows keep their names, so they are higher than wide.
        axes.set_aspect("auto")
        figure.set_figheight(LOWEST_ROW * len(counts) / 72 + 1.1)
        return figure
    size, has_shares = _readable(counts, cell)
    if size:
        _annotate(axes, counts, size, has_shares=has_shares)
    fit_height(figure)
    return figure


def _name_classes(axes: Axes, counts: NDArray[np.integer], names: Sequence[str], *, are_numbered: bool) -> None:
    size = SMALLEST_LETTERS if are_numbered or len(names) > MOST_WITH_SHARES else letters(9)
    rows = [f"{name}, n = {n:,}" for name, n in _totals(counts, names)]
    if not are_numbered:
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
        axes.set_yticks(range(len(counts)), rows, fontsize=size)
        return
    places = [place for place in range(len(names)) if place == 0 or (place + 1) % _NUMBERED == 0]
    axes.set_xticks(places, [str(place + 1) for place in places], rotation=0, ha="center", fontsize=size)
    axes.set_yticks(range(len(counts)), [f"{row}  {place}" for place, row in enumerate(rows, start=1)], fontsize=size)


def _cell_side(axes: Axes, n_columns: int) -> float:
    """Points of a side of a cell, once there is room for all names."""
    figure = figure_of(axes)
    figure.draw_without_rendering()
    return 72 * axes.get_window_extent().width / figure.dpi / n_columns


def _readable(counts: NDArray[np.integer], cell: float) -> tuple[float, bool]:
    """Size of the letters that fit into a cell, 0 where none do, and whether there is room for a share, too."""
    digits = len(str(counts.max()))
    # A digit is about 0.64 as wide as the letters are high, and "100%" as wide as 3.5 digits.
    with_share = min((cell - 1.5) / (0.64 * max(digits, 3.5)), (cell - 1.5) / 2.5, letters(9))
    if with_share >= SMALLEST_LETTERS:
        return with_share, True
    alone = min((cell - 1) / (0.64 * digits), (cell - 1) / 1.2, letters(9))
    return (alone, False) if alone >= SMALLEST_LETTERS else (0.0, False)


def _totals(counts: NDArray[np.integer], names: Sequence[str]) -> list[tuple[str, int]]:
    return list(zip(names, counts.sum(axis=1).tolist(), strict=False))


def _shares(counts: NDArray[np.integer]) -> NDArray[np.floating]:
    return counts / np.maximum(counts.sum(axis=1), 1)[:, np.newaxis]


def _draw_matrix(axes: Axes, counts: NDArray[np.integer]) -> None:
    image = axes.imshow(_shares(counts), cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted class", ylabel="true class, n samples")
    label = "share of the true class" if len(counts) > _FEW else "share of\nthe true class"
    bar = figure_of(axes).colorbar(image, ax=axes, label=label, fraction=0.046, pad=0.02)
    bar.outline.set_linewidth(0.6)


def _annotate(axes: Axes, counts: NDArray[np.integer], size: float, *, has_shares: bool) -> None:
    shares = _shares(counts)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = float(shares[row, column])
            axes.text(
                column, row, f"{count}\n{_percent(share)}" if has_shares else f"{count}",
                ha="center", va="center", fontsize=size, color="white" if share > 0.55 else "black",
            )  # fmt: skip


def _percent(share: float) -> str:
    rounded = f"{share:.0%}"
    return "<1%" if rounded == "0%" else rounded
