"""What all figures share: colours, markers, resolution, and how they are saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cellfeat.evaluation.results import ScoredHead

DPI = 150
LARGEST_AREA = 50e6
"""Pixels of a figure at most: 200 MB of memory. Hundreds of classes are drawn smaller instead of failing."""

LONGEST_SIDE = 60_000
"""Pixels of a side at most; matplotlib refuses 65,536."""

ROUNDING = 1e-6

HEAD_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinct with any colour vision: M. Okabe and K. Ito, "Color universal design" (2008), without its yellow."""

HEAD_MARKERS = "osD^vPX*"


def new_figure(width: float, height: float, *, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """Make an empty figure.

    Parameters
    ----------
    width, height
        Size in inches.
    layout
        How matplotlib makes room for labels: ``"compressed"`` where the sides of a panel have a fixed ratio.
    """
    dpi = min(DPI, (LARGEST_AREA / (width * height)) ** 0.5, LONGEST_SIDE / max(width, height))
    return Figure(figsize=(width, height), dpi=dpi, layout=layout)


def head_colour(number: int) -> str:
    """Colour of a head, given its place among all."""
    return HEAD_COLOURS[number % len(HEAD_COLOURS)]


def head_marker(number: int) -> str:
    """Marker of a head, given its place among all."""
    return HEAD_MARKERS[number % len(HEAD_MARKERS)]


def deciding(results: Sequence[ScoredHead]) -> list[int]:
    """Places of the heads that an axis has to show: those better than chance, or all where none is.

    A head at the level of chance would squeeze all others into a corner.
    """
    better = [
        place
        for place, result in enumerate(results)
        if result.scores.overall.interval.low > 1 / len(result.scores.per_class.classes) + ROUNDING
    ]
    return better or list(range(len(results)))


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
