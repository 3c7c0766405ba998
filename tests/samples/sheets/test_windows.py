"""Which values become black and white."""

import numpy as np

from cellfeat.samples.sheets.windows import ChannelValues, values_of


def measured(*samples: np.ndarray) -> list[tuple[float, float]]:
    values = ChannelValues()
    for pixels in samples:
        values.add(values_of(pixels))
    return values.windows()


def test_single_bright_pixels_do_not_count() -> None:
    pixels = np.tile(np.arange(100, 200, dtype=np.uint16), (1, 100, 1))
    hot = pixels.copy()
    hot[0, 0, :5] = 65_535
    assert measured(hot) == measured(pixels)
    ((start, end),) = measured(pixels)
    assert (start, end) == (100, 199)


def test_each_channel_has_its_own_window_over_all_samples() -> None:
    dim, bright = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8)
    dim[1], bright[1] = 20, 220
    dim[0, ::2] = bright[0, ::2] = 9
    assert measured(dim, bright) == [(0, 9), (20, 220)]


def test_constant_channel_is_black() -> None:
    ((start, end),) = measured(np.full((1, 8, 8), 7, np.uint16))
    assert start == 7 < end


def test_missing_numbers_are_left_out() -> None:
    pixels = np.array([[[0.25, np.nan], [np.inf, 0.75]]])
    ((start, end),) = measured(pixels)
    assert 0.2 < start < end < 0.8
    assert measured(np.full((1, 2, 2), np.nan)) == [(0, 1)]


def test_without_samples_there_are_no_windows() -> None:
    assert measured() == []
