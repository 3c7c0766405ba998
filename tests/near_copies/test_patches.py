import numpy as np
import pytest

from cellfeat.near_copies.patches import MOST_SAMPLES, exact_overlaps, keep_one_in, patches


def field(seed, shape=(160, 160), dtype=np.uint8, channels=1):
    return np.random.default_rng(seed).integers(0, 200, (channels, *shape)).astype(dtype)


def overlaps(*pixels, one_in=None):
    one_in = one_in or keep_one_in(pixels[0][0].size)
    return exact_overlaps([patches(one, one_in) for one in pixels], [one.shape[1:] for one in pixels])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shift", [(0, 0), (5, -7), (31, 0), (-20, 15), (40, 10)])
def test_crops_of_one_field_share_pixels_at_their_shift(shift, dtype):
    whole = field(0, dtype=dtype, channels=2)
    rows, columns = shift
    first = whole[:, 50:114, 50:114]
    second = whole[:, 50 + rows : 114 + rows, 50 + columns : 114 + columns]
    (overlap,) = overlaps(first, second).values()
    assert (overlap.rows, overlap.columns) == shift
    assert overlap.is_exact
    assert overlap.share == pytest.approx((64 - abs(rows)) * (64 - abs(columns)) / 64**2)


def test_other_fields_and_other_values_share_no_pixels():
    first = field(0)[:, :64, :64]
    assert overlaps(first, field(1)[:, :64, :64], first + 1, np.rot90(first, axes=(1, 2))) == {}


def test_a_mark_that_is_burnt_into_every_picture_is_no_overlap():
    pictures = [field(seed, (64, 64)) for seed in range(5)]
    mark = field(9, (10, 30))
    for picture in pictures:
        picture[:, 50:60, 10:40] = mark
    assert overlaps(*pictures, one_in=4) == {}


def test_flat_backgrounds_share_nothing():
    first, second = np.zeros((2, 1, 64, 64), np.uint8)
    first[:, :20, :20], second[:, 40:, 40:] = field(0)[:, :20, :20], field(1)[:, :24, :24]
    assert overlaps(first, second, np.zeros((1, 64, 64), np.uint8)) == {}


def test_all_channels_must_agree():
    one, other = field(0, (64, 64), channels=2), field(0, (64, 64), channels=2)
    other[1] = field(5, (64, 64))[0]
    assert overlaps(one, other) == {}


def test_patches_of_very_many_samples_are_ignored():
    same = field(0, (64, 64))
    assert len(overlaps(*[same] * MOST_SAMPLES)) == MOST_SAMPLES * (MOST_SAMPLES - 1) // 2
    assert overlaps(*[same] * (MOST_SAMPLES + 1)) == {}


@pytest.mark.parametrize("shape", [(7, 64), (64, 7), (8, 8), (1, 1)])
def test_pictures_as_small_as_a_patch_are_accepted(shape):
    assert overlaps(field(0, shape), field(0, shape), one_in=1) == {}


def test_a_crop_within_another_shows_the_same_cell_only_at_its_centre():
    whole = field(0, (64, 64))
    centred, aside = overlaps(whole, whole[:, 8:56, 8:56]), overlaps(whole, whole[:, :40, :40])
    assert centred[0, 1].shows_same_cell
    assert not aside[0, 1].shows_same_cell
    assert centred[0, 1].share == aside[0, 1].share == 1
