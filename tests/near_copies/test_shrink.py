import numpy as np
import pytest

from cellfeat.near_copies.shrink import LARGEST, LONGEST_SIDE, grey_picture, shrink_factor


@pytest.mark.parametrize("side", [66, 100, 127, 130, 191, 195, 259])
def test_shrinking_commutes_with_turning(side):
    pixels = np.random.default_rng(side).normal(size=(2, side, side + 3))
    factor = shrink_factor(side + 3)
    grey = grey_picture(pixels, [1, 1], factor)
    assert max(grey.shape) <= LONGEST_SIDE
    np.testing.assert_allclose(grey_picture(pixels[:, ::-1, ::-1], [1, 1], factor), grey[::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(grey_picture(pixels.swapaxes(1, 2), [1, 1], factor), grey.T, atol=1e-5)
    assert grey.mean() == pytest.approx(pixels.mean(), abs=1e-6)


def test_large_pictures_are_shrunk_and_channels_have_equal_weight():
    pixels = np.stack([np.full((130, 100), 200, np.uint8), np.full((130, 100), 4, np.uint8)])
    grey = grey_picture(pixels, [100, 1], shrink_factor(130))
    assert grey.shape == (43, 33)
    assert grey == pytest.approx(3)


def test_a_picture_much_larger_than_the_others_is_shrunk_further():
    assert max(grey_picture(np.zeros((1, 2000, 1500)), [1], 1).shape) <= LARGEST * LONGEST_SIDE
