"""Contact sheets: every picture with its lines, channels composed or one by one, nothing cut off."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from cellfeat.figures import WIDTHS
from cellfeat.figures.contact_sheet import Tile, draw_contact_sheet, scaled_planes, sheet_columns
from cellfeat.figures.samples import PicturedSample


def tile(number: int = 0, n_channels: int = 3, side: int = 16, **more) -> Tile:
    planes = np.random.default_rng(number).random((n_channels, side, side + number)).astype(np.float32)
    return Tile(PicturedSample(f"s{number}", planes), (f"A549 → HeLa {number}", "an id of many letters" * 3), **more)


def names(n: int) -> list[str]:
    return [f"channel {number}" for number in range(n)]


@pytest.mark.slow
@pytest.mark.parametrize("width", [*WIDTHS, None])
@pytest.mark.parametrize("n_tiles", [1, 9])
@pytest.mark.parametrize("n_channels", [1, 3, 9])
def test_sheet_is_whole(width, n_tiles, n_channels):
    tiles = [tile(number, n_channels) for number in range(n_tiles)]
    figure = draw_contact_sheet(tiles, names(n_channels), title="mistakes " * 20, foot="Words. " * 30, width=width)
    assert len(figure.axes) == n_tiles
    box, (wide, high) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= wide + 0.01
    assert box.y1 <= high + 0.01
    tops = {round(axes.get_position(original=True).y1, 6) for axes in figure.axes}
    assert len(tops) == -(-n_tiles // sheet_columns(width))


def test_pictures_do_not_overlap_the_lines_above():
    figure = draw_contact_sheet([tile(number) for number in range(12)], names(3), title="t", width="one")
    figure.draw_without_rendering()
    for axes, below in zip(figure.axes[:8], figure.axes[4:], strict=False):
        assert axes.texts[0].get_window_extent().y0 > below.get_window_extent().y1


def test_each_channel_has_a_picture():
    figure = draw_contact_sheet([tile(0), tile(1)], names(3), title="t", is_split=True)
    shown = [axes.texts[0].get_text().split("\n")[0] for axes in figure.axes]
    assert shown == ["A549 → HeLa 0", *names(3), "A549 → HeLa 1", *names(3)]
    assert figure.axes[0].images[0].get_array().ndim == 3
    assert figure.axes[1].images[0].get_array().ndim == 2


def test_pairs_stay_in_a_row_and_are_framed():
    tiles = [tile(0, box=(2, 3, 8, 9)), tile(1), tile(2), tile(3)]
    figure = draw_contact_sheet(tiles, names(3), title="t", width="two", n_together=2)
    (frame,) = (patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle))
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (2.5, 1.5, 9, 8)
    left, right, other, _ = (axes.get_position() for axes in figure.axes)
    assert other.x0 - right.x1 > 2 * (right.x0 - left.x1)


def test_channels_that_are_left_out_are_counted():
    figure = draw_contact_sheet([tile(0, 11)], names(11), title="t")
    assert any("first 8 of 11 channels" in text.get_text() for text in figure.texts)


def test_windows_become_black_and_white():
    pixels = np.array([[[0, 10, 20, 30]], [[5, 5, 5, 5]]], np.uint16)
    scaled = scaled_planes(pixels, [(10, 20), (5, 6)])
    np.testing.assert_array_equal(scaled, [[[0, 0, 1, 1]], [[0, 0, 0, 0]]])
    assert scaled.dtype == np.float32
