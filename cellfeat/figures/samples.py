"""Some samples with their channels, as they are shown to the network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cellfeat.figures.names import lettering
from cellfeat.figures.style import new_figure

MOST_CHANNELS = 8
LARGEST_SIDE = 400
"""Pixels of a side at most: larger images are thinned out."""
_SIDE = 1.7
_DIMMED = 0.6
"""Share of the sum of all channels that is white."""
_COLOURS = {
    "blue": (0.25, 0.35, 1.0), "red": (1.0, 0.1, 0.1), "green": (0.1, 0.9, 0.1), "yellow": (0.9, 0.85, 0.0),
    "cyan": (0.0, 0.8, 0.9), "magenta": (0.9, 0.0, 0.9), "orange": (1.0, 0.55, 0.0), "grey": (0.75, 0.75, 0.75),
}  # fmt: skip
_WORDS = {
    "blue": ("blue", "dapi", "hoechst", "nuc", "dna", "405"),
    "green": ("green", "gfp", "fitc", "488", "alexa488"),
    "red": ("red", "rfp", "cherry", "tritc", "561", "568", "594", "texas", "actin"),
    "magenta": ("cy5", "far", "640", "647", "magenta"),
    "yellow": ("yellow", "yfp", "er"),
    "cyan": ("cyan", "cfp"),
    "grey": ("bf", "bright", "phase", "dic", "trans", "gray", "grey"),
}
_ORDER = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "grey")


@dataclass(frozen=True)
class PicturedSample:
    """A sample for the picture: its name, and its channels scaled to [0, 1], shape ``(C, H, W)``."""

    name: str
    planes: NDArray[np.float32]


def draw_samples(samples: Sequence[PicturedSample], channels: Sequence[str]) -> Figure:
    """Draw samples: a row for each, with all channels in one picture at the left, and each channel beside it.

    Parameters
    ----------
    samples
        The samples, at least one.
    channels
        Names of the channels.
    """
    shown_channels = list(channels[:MOST_CHANNELS])
    colours = channel_colours(shown_channels)
    with lettering([*shown_channels, *(sample.name for sample in samples)]) as shown:
        has_more = len(shown_channels) > 1
        n_columns = 1 + len(shown_channels) if has_more else 1
        figure = new_figure(max(_SIDE * n_columns + 0.3, 4.0), _SIDE * len(samples) + 0.5)
        grid = figure.subplots(len(samples), n_columns, squeeze=False)
        names, titles = shown(sample.name for sample in samples), shown(shown_channels)
        for row, sample, name in zip(grid, samples, names, strict=True):
            planes, _ = thinned(sample.planes[: len(shown_channels)])
            pictures = [compose(planes, colours), *planes] if has_more else list(planes)
            for axes, picture in zip(row, pictures, strict=True):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                axes.set_axis_off()
            row[0].set_title(name, fontsize=7, loc="left")
        for axes, title in zip(grid[0][1:] if has_more else [], titles, strict=has_more):
            axes.set_title(title, fontsize=8)
        n_left_out = len(channels) - len(shown_channels)
        if n_left_out:
            figure.suptitle(f"the first {len(shown_channels)} of {len(channels)} channels", fontsize=8)
        return figure


def channel_colours(channels: Sequence[str]) -> list[tuple[float, float, float]]:
    """Colours of channels: by their names where these say so, and otherwise one that no other channel has."""
    by_name = [_colour_of(name) for name in channels]
    free = [colour for colour in _ORDER if colour not in by_name]
    taken = iter([*free, *_ORDER * len(channels)])
    return [_COLOURS[colour or next(taken)] for colour in by_name]


def _colour_of(channel: str) -> str | None:
    name = channel.lower()
    return next((colour for colour, words in _WORDS.items() if any(_holds(name, word) for word in words)), None)


def _holds(name: str, word: str) -> bool:
    # Short words such as er are in many others.
    return name == word if len(word) < 3 else word in name


def compose(planes: NDArray[np.float32], colours: Sequence[tuple[float, float, float]]) -> NDArray[np.float32]:
    """Add channels in their colours.

    Parameters
    ----------
    planes
        Channels in [0, 1], shape ``(C, H, W)``.
    colours
        Red, green and blue of each channel.

    Returns
    -------
    ndarray of shape (H, W, 3)
    """
    weights = np.array(colours, np.float32)
    # Many channels in one place would be white.
    weights /= np.maximum(1, _DIMMED * weights.sum(axis=0))
    return np.clip(np.einsum("chw,ck->hwk", planes, weights), 0, 1)


def thinned(planes: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Leave pixels out of a large image, of shape ``(C, H, W)``, and say how many become one along a side."""
    step = max(1, -(-max(planes.shape[1:]) // LARGEST_SIDE))
    return planes[:, ::step, ::step], step
