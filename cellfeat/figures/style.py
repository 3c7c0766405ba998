"""What all figures share: colours, markers, resolution, and how they are saved."""

import io
from pathlib import Path
from typing import Any, Literal, get_args

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cellfeat.errors import ConfigError

Layout = Literal["constrained", "compressed"]

FigureKind = Literal["png", "svg", "pdf"]
KINDS: tuple[FigureKind, ...] = get_args(FigureKind)
"""File formats that figures are written in."""

TEXT_STAYS_TEXT: dict[Any, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "cellfeat"}
"""SVG with text that can be searched and edited, PDF with TrueType fonts; the same figure gives the same bytes."""

DPI = 150
LARGEST_AREA = 50e6
"""Pixels of a figure at most: 200 MB of memory. Hundreds of classes are drawn smaller instead of failing."""

LONGEST_SIDE = 60_000
"""Pixels of a side at most; matplotlib refuses 65,536."""

HEAD_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinct with any colour vision: M. Okabe and K. Ito, "Color universal design" (2008), without its yellow."""

HEAD_MARKERS = "osD^vPX*"


class Drawing(Figure):
    """A figure that notebooks show, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        FigureCanvasAgg(self).print_png(content)
        return content.getvalue()


def new_figure(width: float, height: float, *, layout: Layout = "constrained") -> Figure:
    """Make an empty figure.

    Parameters
    ----------
    width, height
        Size in inches.
    layout
        How matplotlib makes room for labels: ``"compressed"`` where the sides of a panel have a fixed ratio.
    """
    dpi = min(DPI, (LARGEST_AREA / (width * height)) ** 0.5, LONGEST_SIDE / max(width, height))
    return Drawing(figsize=(width, height), dpi=dpi, layout=layout)


def axes_for(given: Any, width: float, height: float, *, layout: Layout = "constrained") -> Axes:
    """Axes to draw into: those that are given, or those of a new figure.

    Parameters
    ----------
    given
        Axes of matplotlib; None makes a figure.
    width, height
        Size of the new figure in inches.
    layout
        As for `new_figure`.

    Raises
    ------
    ConfigError
        If something else is given, such as the array that ``pyplot.subplots`` returns.
    """
    if given is None:
        return new_figure(width, height, layout=layout).add_subplot()
    if not isinstance(given, Axes):
        raise ConfigError(
            f"ax: expected Axes of matplotlib, got {type(given).__name__}; of several choose one: axes[0]"
        )
    return given


def figure_of(axes: Axes) -> Figure:
    """The figure that axes are in, the outermost one where they are in a part of it."""
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def add_legend(axes: Axes, n_entries: int, *, is_own: bool, **options: Any) -> None:
    """Put the legend above a figure of its own, and inside axes that were given.

    Parameters
    ----------
    axes
        The axes.
    n_entries
        Number of heads.
    is_own
        Whether the figure has no other axes.
    **options
        Further arguments of matplotlib's legend.
    """
    place: dict[str, Any] = (
        {"loc": "outside upper left", "ncols": min(n_entries, 4)} if is_own else {"fontsize": "small"}
    )
    target: Any = figure_of(axes) if is_own else axes
    target.legend(**place, frameon=False, **options)


def head_colour(number: int) -> str:
    """Colour of a head, given its place among all."""
    return HEAD_COLOURS[number % len(HEAD_COLOURS)]


def head_marker(number: int) -> str:
    """Marker of a head, given its place among all."""
    return HEAD_MARKERS[number % len(HEAD_MARKERS)]


def save_figure(figure: Figure, path: Path, kind: FigureKind = "png") -> None:
    """Write a figure.

    Parameters
    ----------
    figure
        The figure.
    path
        The file, with any ending.
    kind
        ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    # Naming the format is needed because the path ends in .tmp, and naming the canvas avoids any window system.
    if kind == "png":
        FigureCanvasAgg(figure).print_png(str(path))
        return
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with rc_context(TEXT_STAYS_TEXT):
        figure.savefig(path, format=kind, metadata=undated)
