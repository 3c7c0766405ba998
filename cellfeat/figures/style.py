"""What all figures share: colours, markers, resolution, and how they are saved."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from matplotlib import font_manager, rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cellfeat.errors import ConfigError
from cellfeat.text import near_names

Layout = Literal["constrained", "compressed", "none"]

FigureWidth = Literal["one", "two"]

WIDTHS: dict[FigureWidth, float] = {"one": 88 / 25.4, "two": 180 / 25.4}
"""Widths of a figure in print, in inches: one column and two columns of most journals."""

TALLEST = 235 / 25.4
"""Height of a printed page in inches, which figures for print keep to where they can."""

SMALLEST_LETTERS = 5.0
"""Points: letters that are smaller cannot be read in print."""

FigureKind = Literal["png", "svg", "pdf"]
KINDS: tuple[FigureKind, ...] = get_args(FigureKind)
"""File formats that figures are written in."""

TEXT_STAYS_TEXT: dict[Any, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "cellfeat"}
"""SVG with text that can be searched and edited, PDF with TrueType fonts; the same figure gives the same bytes."""

DPI = 150
PRINT_DPI = 300
"""Pixels of an inch of figures that were drawn for print: of PNG, and of what is no line in PDF and SVG."""
_SCREEN_LETTERS = 10.0
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


def print_settings(width: FigureWidth | None) -> dict[Any, Any]:
    """Settings of matplotlib for figures in print: letters of 5 to 8 points, thin lines.

    Parameters
    ----------
    width
        The width in print; None gives no settings, for a figure on a screen.

    Raises
    ------
    ConfigError
        If there is no such width.
    """
    if width is None:
        return {}
    if width not in WIDTHS:
        raise ConfigError(f"width: got {width!r}; {near_names(str(width), WIDTHS)}")
    return {
        "font.size": 7.0,
        "axes.titlesize": 7.5,
        "axes.labelsize": 7.0,
        "xtick.labelsize": 6.5,
        "ytick.labelsize": 6.5,
        "legend.fontsize": 6.5,
        "legend.title_fontsize": 6.5,
        "figure.labelsize": 7.0,
        "figure.titlesize": 8.0,
        "axes.linewidth": 0.6,
        "lines.linewidth": 1.0,
        "lines.markersize": 3.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
    }


def letters(screen: float) -> float:
    """Size of letters that are smaller than the usual ones, in points.

    Parameters
    ----------
    screen
        Their size on a screen, where the usual letters have 10 points; smaller in print, but readable.
    """
    usual = float(rcParams["font.size"])
    return screen if usual >= _SCREEN_LETTERS else max(SMALLEST_LETTERS, screen * usual / _SCREEN_LETTERS)


def line_sizes(marker: float, line: float) -> dict[str, Any]:
    """Sizes of markers and lines, as arguments of matplotlib; smaller in print.

    Parameters
    ----------
    marker, line
        Their sizes on a screen, in points.
    """
    share = min(1.0, float(rcParams["font.size"]) / _SCREEN_LETTERS)
    return {"markersize": marker * share, "linewidth": line * share}


def fit_height(figure: Figure) -> None:
    """Make a figure as high as what it holds: the sides of some panels have a fixed ratio."""
    # Twice, since the height decides the width of labels a little.
    for _ in range(2):
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        figure.set_figheight(box.height + 0.1)


def legend_columns(names: Sequence[str], width: float) -> int:
    """Number of columns of a legend that fit beside each other, at most four.

    Parameters
    ----------
    names
        The entries.
    width
        Width in inches.
    """
    size = float(font_manager.FontProperties(size=rcParams["legend.fontsize"]).get_size_in_points())
    longest = max(map(len, names), default=1)
    # Letters are about six tenths as wide as high; the line and marker of an entry take four.
    return max(1, min(len(names), 4, int(72 * width / (size * (0.6 * longest + 4)))))


def new_figure(width: float, height: float, *, layout: Layout = "constrained") -> Figure:
    """Make an empty figure.

    Parameters
    ----------
    width, height
        Size in inches.
    layout
        How matplotlib makes room for labels: ``"compressed"`` where the sides of a panel have a fixed ratio, and
        ``"none"`` where places are computed.
    """
    # The size of letters says whether the figure is for print: see `print_settings`.
    wanted = DPI if rcParams["font.size"] >= _SCREEN_LETTERS else PRINT_DPI
    dpi = min(wanted, (LARGEST_AREA / (width * height)) ** 0.5, LONGEST_SIDE / max(width, height))
    engine: Any = layout  # matplotlib also takes "none", which its types lack
    return Drawing(figsize=(width, height), dpi=dpi, layout=engine)


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


def add_legend(axes: Axes, names: Sequence[str], *, is_own: bool, **options: Any) -> None:
    """Put the legend above a figure of its own, and inside axes that were given.

    Parameters
    ----------
    axes
        The axes.
    names
        The entries.
    is_own
        Whether the figure has no other axes.
    **options
        Further arguments of matplotlib's legend.
    """
    figure = figure_of(axes)
    columns = legend_columns(names, figure.get_figwidth())
    place: dict[str, Any] = {"loc": "outside upper left", "ncols": columns} if is_own else {"fontsize": "small"}
    target: Any = figure if is_own else axes
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
