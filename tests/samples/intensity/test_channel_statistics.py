import numpy as np
import pytest

from cellfeat.samples.intensity.channel_statistics import channel_statistics


def test_values_are_those_that_the_network_gets():
    pixels = np.array([[[0, 100], [200, 300]], [[0, 0], [0, 4095]]], np.uint16)
    limits = np.float32([[100, 200], [0, 4095]])

    found = channel_statistics(pixels, limits)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.5, 0.5, 1], [0.25, np.sqrt(3) / 4, 1]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("side", [512, 1024, 2000])
def test_large_images_are_measured_on_some_pixels_of_all_columns(dtype, side):
    ramp = np.tile(np.linspace(0, 100, side), (side, 1)).astype(dtype)[np.newaxis]

    ((mean, deviation, highest),) = channel_statistics(ramp, np.float32([[0, 100]]))

    assert mean == pytest.approx(0.5, abs=0.02)
    assert deviation == pytest.approx(np.sqrt(1 / 12), abs=0.02)
    assert highest == pytest.approx(1)


def test_a_single_bright_pixel_of_a_large_image_is_the_highest():
    pixels = np.zeros((1, 1000, 1000), np.uint8)
    pixels[0, 501, 77] = 255

    assert channel_statistics(pixels, np.float32([[0, 255]]))[0, 2] == 1
