"""Contact sheets: many small pictures of samples in rows, each with its lines of text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from cellfeat.figures.names import lettering
from cellfeat.figures.samples import MOST_CHANNELS, PicturedSample, channel_colours, compose, thinned
from cellfeat.figures.style import SMALLEST_LETTERS, WIDTHS, FigureWidth, letters, new_figure
from cellfeat.text import shorten

SCREEN_WIDTH = 9.0
_COLUMNS = {"one": 4, "two": 8, None: 6}
_GAP = 0.03
_PAIR_GAP = 0.12
_MARGIN = 0.06
_LINE = 1.25
_LONGEST_CHANNEL = 20


@dataclass(frozen=True)
class Tile:
    """A picture of the sheet.

    Attributes
    ----------
    sample
        The sample: its channels in [0, 1].
    lines
        What stands below it.
    box
        Part of the picture that is framed, as top, left, height and width in pixels; None frames nothing.
    """

    sample: PicturedSample
    lines: tuple[str, ...]
    box: tuple[float, float, float, float] | None = None


def sheet_columns(width: FigureWidth | None) -> int:
    """Number of pictures beside each other."""
    return _COLUMNS[width]


def draw_contact_sheet(
    tiles: Sequence[Tile],
    channels: Sequence[str],
    *,
    title: str,
    foot: str = "",
    width: FigureWidth | None = None,
    n_together: int = 1,
    is_split: bool = False,
) -> Figure:
    """Draw pictures in rows, all channels composed in colours, or each channel beside them.

    Parameters
    ----------
    tiles
        The pictures, at least one.
    channels
        Names of the channels.
    title
        What is shown; lines break where they are too long.
    foot
        A sentence below the pictures.
    width
        Width in print, in columns of a journal; None draws for a screen.
    n_together
        Pictures that belong together, such as the two of a pair: they stay in one row, apart from others.
    is_split
        Whether each sample has a row, with its channels one by one.
    """
    shown_channels = list(channels[:MOST_CHANNELS])
    texts = [title, foot, *shown_channels, *(line for tile in tiles for line in tile.lines)]
    with lettering(texts, width):
        colours = channel_colours(shown_channels)
        inches = WIDTHS[width] if width else SCREEN_WIDTH
        if is_split:
            tiles, rows = _split(tiles, shown_channels)
        else:
            n_columns = max(n_together, _COLUMNS[width] // n_together * n_together)
            rows = [list(range(start, min(start + n_columns, len(tiles)))) for start in range(0, len(tiles), n_columns)]
        return _Sheet(tiles, rows, colours, inches, n_together).drawn(title, foot, shown_channels, len(channels))


def _split(tiles: Sequence[Tile], channels: Sequence[str]) -> tuple[list[Tile], list[list[int]]]:
    """A row of tiles for each sample: its channels together, and one by one."""
    found: list[Tile] = []
    rows: list[list[int]] = []
    for tile in tiles:
        planes = tile.sample.planes[: len(channels)]
        row = [tile]
        if len(planes) > 1:
            row += [
                Tile(PicturedSample(name, plane[np.newaxis]), (name,), tile.box)
                for name, plane in zip(channels, planes, strict=True)
            ]
        rows.append(list(range(len(found), len(found) + len(row))))
        found += row
    return found, rows


@dataclass(frozen=True)
class _Sheet:
    """Pictures at places that are computed: layouts of matplotlib take seconds for so many axes."""

    tiles: Sequence[Tile]
    rows: Sequence[Sequence[int]]
    colours: Sequence[tuple[float, float, float]]
    inches: float
    n_together: int

    def drawn(self, title: str, foot: str, channels: Sequence[str], n_channels: int) -> Figure:
        size = max(SMALLEST_LETTERS, letters(7.5))
        n_columns = max(map(len, self.rows))
        n_gaps = n_columns // self.n_together - 1 if self.n_together > 1 else 0
        side = (self.inches - 2 * _MARGIN - n_gaps * _PAIR_GAP) / n_columns - _GAP
        side = min(side, self.inches / 4)
        n_lines = max((len(tile.lines) for tile in self.tiles), default=0)
        step = side + _GAP + n_lines * _LINE * size / 72 + 0.05
        title_lines = _wrapped(title, self.inches, letters(10))
        foot_lines = [*_legend_text(channels, n_channels), *_wrapped(foot, self.inches, size)]
        above = len(title_lines) * _LINE * letters(10) / 72 + 0.1
        keys = self._keys(channels, size)
        below = (len(foot_lines) + len(keys)) * _LINE * size / 72 + 0.08
        height = above + step * len(self.rows) + below
        figure = new_figure(self.inches, height, layout="none")
        figure.text(
            _MARGIN / self.inches, 1 - 0.04 / height, "\n".join(title_lines), fontsize=letters(10), va="top", ha="left"
        )
        for place, row in enumerate(self.rows):
            top = height - above - place * step
            for column, number in enumerate(row):
                left = (
                    _MARGIN
                    + column * (side + _GAP)
                    + column // self.n_together * (_PAIR_GAP if self.n_together > 1 else 0)
                )
                axes = figure.add_axes((left / self.inches, (top - side) / height, side / self.inches, side / height))
                self._draw_tile(axes, self.tiles[number], side, size)
        self._draw_foot(figure, foot_lines, keys, size, below)
        return figure

    def _draw_tile(self, axes: Axes, tile: Tile, side: float, size: float) -> None:
        planes, step = thinned(tile.sample.planes[: len(self.colours)])
        picture = compose(planes, self.colours) if len(planes) > 1 else planes[0]
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        # Images of any shape fill a square: the lines below stay in rows.
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[], facecolor="black")
        for spine in axes.spines.values():
            spine.set_visible(False)
        if tile.box is not None:
            top, left, height, width = (number / step for number in tile.box)
            frame = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor="#E69F00", linewidth=1)
            axes.add_patch(frame)
        longest = max(8, int(72 * side / (0.58 * size)))
        text = "\n".join(shorten(line, longest) for line in tile.lines)
        axes.text(
            0, -0.03, text, transform=axes.transAxes, fontsize=size, va="top", ha="left", linespacing=1.1, clip_on=False
        )

    def _keys(self, channels: Sequence[str], size: float) -> list[list[tuple[float, str, tuple[float, float, float]]]]:
        """Lines of the key to the channels: where each begins, its name and its colour; none of a single channel."""
        if len(channels) < 2:
            return []
        lines: list[list[tuple[float, str, tuple[float, float, float]]]] = [[]]
        left = _MARGIN
        for name, colour in zip(channels, self.colours, strict=True):
            shown = shorten(name, _LONGEST_CHANNEL)
            length = (_LINE + 0.62 * len(shown) + 2) * size / 72
            if lines[-1] and left + length > self.inches:
                lines.append([])
                left = _MARGIN
            lines[-1].append((left, shown, colour))
            left += length
        return lines

    def _draw_foot(
        self,
        figure: Figure,
        lines: Sequence[str],
        keys: Sequence[Sequence[tuple[float, str, tuple[float, float, float]]]],
        size: float,
        below: float,
    ) -> None:
        height = figure.get_figheight()
        line = _LINE * size / 72
        y = below - 0.02
        for key in keys:
            for left, name, colour in key:
                square = Rectangle(
                    (left / self.inches, (y - 0.8 * line) / height), 0.7 * line / self.inches, 0.7 * line / height,
                    transform=figure.transFigure, facecolor=colour, edgecolor="0.4", linewidth=0.4,
                )  # fmt: skip
                figure.add_artist(square)
                figure.text((left + line) / self.inches, y / height, name, fontsize=size, va="top", ha="left")
            y -= line
        figure.text(_MARGIN / self.inches, y / height, "\n".join(lines), fontsize=size, va="top", ha="left")


def _legend_text(channels: Sequence[str], n_channels: int) -> list[str]:
    return [f"the first {len(channels)} of {n_channels} channels"] if n_channels > len(channels) else []


def _wrapped(text: str, inches: float, size: float) -> list[str]:
    from textwrap import wrap

    return wrap(text, max(20, int(72 * (inches - 2 * _MARGIN) / (0.57 * size)))) if text else []


def scaled_planes(pixels: NDArray, windows: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Scale channels so that their windows become 0 to 1.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``.
    windows
        The values of each channel that become black and white.

    Returns
    -------
    ndarray of shape (C, H, W)
    """
    lo, hi = np.array(windows, np.float64).T[:, :, np.newaxis, np.newaxis]
    found: NDArray[np.float32] = np.nan_to_num(np.clip((pixels - lo) / (hi - lo), 0, 1)).astype(np.float32)
    return found
