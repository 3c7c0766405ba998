"""A sample in 64 x 64 grey pixels a channel."""

import numpy as np
import pytest

from cellfeat.samples.sheets.tiles import SIDE, make_tile, place_of


@pytest.mark.parametrize("shape", [(2, 64, 64), (1, 100, 37), (3, 40, 40), (9, 7, 300), (1, 1, 1), (1, 3, 2000)])
def test_picture_keeps_its_mean_and_lies_in_its_place(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(100, 200, shape, dtype=np.uint16)
    tile = make_tile(pixels, [(0, 255)] * shape[0])
    top, left, height, width = place_of(*shape[1:])
    inside = tile[:, top : top + height, left : left + width]
    assert tile.shape == (shape[0], SIDE, SIDE)
    assert inside.mean(axis=(1, 2)) == pytest.approx(pixels.mean(axis=(1, 2)), abs=1)
    assert tile.sum() == inside.sum()


def test_aspect_is_kept() -> None:
    _, _, height, width = place_of(300, 150)
    assert (height, width) == (64, 32)


def test_image_of_the_side_is_not_resampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), dtype=np.uint8)
    np.testing.assert_array_equal(make_tile(pixels, [(0, 255)]), pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int16, np.float32, np.float64])
def test_window_becomes_black_and_white(dtype: type) -> None:
    pixels = np.full((2, SIDE, SIDE), 10, dtype)
    pixels[:, 0, 0], pixels[:, 0, 1], pixels[:, 0, 2] = 0, 100, 35
    one, other = make_tile(pixels, [(10, 60), (0, 100)])
    assert one[0, :4].tolist() == [0, 255, 128, 0]
    assert other[0, :4].tolist() == [0, 255, 89, 26]


def test_missing_numbers_are_black() -> None:
    pixels = np.full((1, 8, 8), np.nan, np.float32)
    assert not make_tile(pixels, [(0, 1)]).any()
