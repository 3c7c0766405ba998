import numpy as np
import pytest

from cellfeat.near_copies import overlap
from cellfeat.near_copies.overlap import correlation, grey_picture, overlaps
from cellfeat.near_copies.turned import turned_copies


def cell_field(seed, side=160):
    """A field as a microscope would see it: smooth structures at several scales."""
    rng = np.random.default_rng(seed)
    field = np.zeros((side, side))
    for scale in (4, 10, 20):
        small = rng.normal(size=(side // scale + 2, side // scale + 2))
        field += np.kron(small, np.ones((scale, scale)))[:side, :side] * scale
    return field.astype(np.float32)


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (5, -7), (31, 0), (-20, 15), (13, 32)])
def test_crops_of_one_field_are_found_with_their_shift(rows, columns):
    field = cell_field(0)
    first = field[40:104, 40:104]
    second = field[40 + rows : 104 + rows, 40 + columns : 104 + columns]
    found = overlaps([first, second], np.array([[0, 1]]))
    assert found[0, 1].correlation == pytest.approx(1, abs=1e-3)
    assert (found[0, 1].rows, found[0, 1].columns) == (rows, columns)


def test_description_distinguishes_unshifted_and_shifted_copies():
    whole, shifted = overlap.Overlap(0.99986, 0, 0), overlap.Overlap(0.99986, -3, 0)
    assert whole.describe() == "correlation 0.9999 without a shift"
    assert shifted.describe() == "correlation 1.000 when shifted by 3 rows and 0 columns"


def test_small_overlaps_and_other_fields_are_not_found():
    field = cell_field(0)
    first = field[:64, :64]
    assert overlaps([first, field[50:114, :64], cell_field(1)[:64, :64]], np.array([[0, 1], [0, 2]])) == {}


def test_brightness_and_contrast_do_not_hide_a_copy():
    field = cell_field(0)
    found = overlaps([field[:64, :64], 3 * field[10:74, 8:72] + 100], np.array([[0, 1]]))
    assert (found[0, 1].rows, found[0, 1].columns) == (10, 8)


def test_empty_backgrounds_are_not_copies():
    """Two cells in opposite corners: under a large shift nothing but black lies on black."""
    first, second = np.zeros((2, 64, 64), np.float32)
    first[:25, :25] = cell_field(1)[:25, :25]
    second[-25:, :25] = cell_field(2)[:25, :25]
    assert overlaps([first, second, np.zeros((64, 64), np.float32)], np.array([[0, 1], [0, 2], [2, 2]])) == {}


def blob(rng):
    """A smooth cell on black, as imaged one by one: its own size, place, direction and noise."""
    rows, columns = np.mgrid[:64, :64]
    y, x = rows - 32 - rng.normal(), columns - 32 - rng.normal()
    angle, (long, short) = rng.uniform(0, np.pi), rng.uniform(9, 13, 2)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    picture = np.exp(-((along / long) ** 2) - (across / short) ** 2) + rng.normal(0, 0.05, (64, 64))
    return picture.astype(np.float32)


def test_similar_smooth_cells_on_black_are_not_copies():
    rng = np.random.default_rng(0)
    blobs = [blob(rng) for _ in range(30)]
    pairs = np.array([(i, j) for i in range(30) for j in range(i + 1, 30)])
    alike = [correlation(blobs[i], blobs[j]) for i, j in pairs]
    assert np.quantile(alike, 0.5) > overlap.LEAST_CORRELATION, "the case is a hard one"
    assert overlaps(blobs, pairs) == {}
    assert turned_copies(blobs, pairs) == {}
    assert overlaps([blobs[0], blobs[0] + 0.01 * blobs[1]], np.array([[0, 1]])).keys() == {(0, 1)}


@pytest.mark.parametrize("side", [66, 100, 127, 130, 191, 195, 259])
def test_shrinking_commutes_with_turning(side):
    pixels = np.random.default_rng(side).normal(size=(2, side, side + 3))
    grey = grey_picture(pixels, [1, 1])
    assert max(grey.shape) <= overlap.LONGEST_SIDE
    np.testing.assert_allclose(grey_picture(pixels[:, ::-1, ::-1], [1, 1]), grey[::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(grey_picture(pixels.swapaxes(1, 2), [1, 1]), grey.T, atol=1e-5)
    assert grey.mean() == pytest.approx(pixels.mean(), abs=1e-6)


def test_pictures_of_different_sizes_are_not_compared():
    field = cell_field(0)
    assert overlaps([field[:64, :64], field[:64, :60]], np.array([[0, 1]])) == {}


def test_pairs_do_not_depend_on_each_other(monkeypatch):
    monkeypatch.setattr(overlap, "PAIRS_AT_ONCE", 3)
    field = cell_field(0)
    pictures = [field[i : i + 64, i : i + 64] for i in range(0, 30, 6)]
    pairs = np.array([(i, j) for i in range(5) for j in range(i + 1, 5)])
    together = overlaps(pictures, pairs)
    assert together.keys() == {tuple(pair) for pair in pairs.tolist()}
    assert together[1, 3] == pytest.approx(overlaps(pictures, np.array([[1, 3]]))[1, 3], abs=1e-5)


def test_large_pictures_are_shrunk_and_channels_have_equal_weight():
    pixels = np.stack([np.full((130, 100), 200, np.uint8), np.full((130, 100), 4, np.uint8)])
    grey = grey_picture(pixels, [100, 1])
    assert grey.shape == (43, 33)
    assert grey == pytest.approx(3)
