"""Files of figures: one for each format that is asked for."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path

from matplotlib.figure import Figure

from cellfeat.figures import KINDS, FigureKind, save_figure

DEFAULT_KINDS: tuple[FigureKind, ...] = ("png",)


def figure_files(*stems: str, kinds: Iterable[FigureKind] = KINDS) -> list[str]:
    """Name the files of figures.

    Parameters
    ----------
    *stems
        Names of the figures, without an ending.
    kinds
        The formats.

    Examples
    --------
    >>> figure_files("confusion", kinds=["png", "svg"])
    ['confusion.png', 'confusion.svg']
    """
    return [f"{stem}.{kind}" for stem in stems for kind in kinds]


def figure_writers(stem: str, draw: Callable[[], Figure], kinds: Sequence[FigureKind]) -> dict[str, Callable]:
    """Give what writes each file of a figure, by its name; the figure is drawn once.

    Parameters
    ----------
    stem
        Name of the figure, without an ending.
    draw
        Draws it.
    kinds
        The formats.
    """
    drawn = cache(draw)

    def write(path: Path, kind: FigureKind) -> None:
        save_figure(drawn(), path, kind)

    return {f"{stem}.{kind}": partial(write, kind=kind) for kind in kinds}
