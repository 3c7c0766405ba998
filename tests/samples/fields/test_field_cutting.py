"""Crops cut out of a field: border, mask, resolution."""

import numpy as np
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.fields.cutting import boxes_around, cell_mask, cut, resampled

FIELD = np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8)


def test_box_inside_is_a_copy() -> None:
    crop = cut(FIELD, (1, 2, 3, 4))
    np.testing.assert_array_equal(crop, FIELD[:, 1:4, 2:6])
    assert crop.base is None


@pytest.mark.parametrize("box", [(-2, -1, 4, 4), (4, 6, 4, 4), (-3, -3, 12, 14)])
def test_edge_is_repeated_beyond_the_border(box: tuple[int, int, int, int]) -> None:
    top, left, height, width = box
    padded = np.pad(FIELD, ((0, 0), (20, 20), (20, 20)), mode="edge")
    np.testing.assert_array_equal(
        cut(FIELD, box), padded[:, 20 + top : 20 + top + height, 20 + left : 20 + left + width]
    )


def test_box_beside_the_field_is_refused() -> None:
    with pytest.raises(ImageError, match="8 x 6"):
        cut(FIELD, (6, 0, 2, 2))


@pytest.mark.parametrize("side", [4, 5])
def test_centre_is_in_the_middle(side: int) -> None:
    (box,) = boxes_around(np.array([[10.4, 20.6]]), np.array([side])).tolist()
    assert box == [21 - side // 2, 10 - side // 2, side, side]


def test_dilated_mask_takes_pixels_of_the_cell_beside_the_box() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[4, 4] = 5
    plain = cell_mask(labels, (5, 3, 3, 3), 5, 0)
    larger = cell_mask(labels, (5, 3, 3, 3), 5, 1)
    assert plain.sum() == 0
    assert np.argwhere(larger).tolist() == [[0, 1]]


def test_pixels_beyond_the_field_are_outside_of_a_dilated_cell() -> None:
    labels = np.zeros((5, 5), np.uint8)
    labels[0, 2] = 1
    mask = cell_mask(labels, (-3, 0, 8, 5), 1, 2)
    assert not mask[:3].any()
    assert mask[3:6, 2].all()


def test_resampling_keeps_means_and_types() -> None:
    crop = np.random.default_rng(0).integers(0, 4000, (2, 32, 32), np.uint16)
    smaller, larger = resampled(crop, 16), resampled(crop, 48)
    assert (smaller.dtype, smaller.shape, larger.shape) == (np.uint16, (2, 16, 16), (2, 48, 48))
    np.testing.assert_allclose(smaller.mean(), crop.mean(), rtol=0.03)
    constant = np.full((1, 9, 9), 7, np.uint8)
    assert (resampled(constant, 5) == 7).all()
    assert resampled(crop, 32) is crop
