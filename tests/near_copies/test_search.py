import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cellfeat.near_copies.pictures import read_pictures
from cellfeat.near_copies.search import near_copies, near_copies_between
from cellfeat.near_copies.turned import TURNS, TurnedCopy, turn
from tests.feature_fixtures import with_samples
from tests.near_copies.fields import KINDS, crops
from tests.near_copies.pictured import pictured

N = 20


@pytest.fixture(scope="module")
def fields():
    """Forty places, of which pictures of 64 x 64 pixels are crops."""
    return np.kron(np.random.default_rng(0).integers(0, 200, (2 * N, 24, 24)), np.ones((4, 4))).astype(np.uint8)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, make_features, with_pictures):
    """Make features of pictures, in a folder of their own."""

    def make(pixels, seed=1):
        folder = tmp_path_factory.mktemp("pictures")
        embeddings = np.random.default_rng(seed).normal(size=(len(pixels), 1, 5))
        return with_pictures(make_features(np.resize(["a", "b"], len(pixels)), embeddings), pixels, folder), folder

    return make


@pytest.fixture(scope="module")
def known(stored, fields):
    """Features of the first 20 places, and their folder."""
    return stored(fields[:N, :64, :64], seed=0)


@pytest.fixture
def others(fields):
    """Pictures of the other 20 places."""
    return fields[N:, :64, :64].copy()


def found_between(known, features):
    """Near copies between two pairs of features and their folder."""
    first = read_pictures(*known)
    return near_copies_between(first, read_pictures(*features, scale=first.scale)).found


def saved_as_jpeg(plane, quality):
    """What comes back of a plane that is saved as a JPEG, shape (1, h, w)."""
    file = io.BytesIO()
    Image.fromarray(plane).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))[np.newaxis]


def found_shares(searched, shares, low, high):
    """Share of the overlaps of some size that were found."""
    asked = [pair for pair, share in shares.items() if low <= share < high]
    assert len(asked) >= 10
    return np.mean([pair in searched.found for pair in asked])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [64, 200])
def test_crops_of_one_field_are_found_and_no_others(kind, side):
    cut = crops(kind, side)
    searched, shares = near_copies(pictured(cut.pixels), ()), cut.shares()
    assert searched.found.keys() <= shares.keys()
    assert found_shares(searched, shares, 0.4, 1.01) >= 0.95
    assert found_shares(searched, shares, 0.25, 0.4) >= 0.6


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_crops_whose_pixels_differ_are_found_by_their_detail(kind):
    """Each crop is scaled to its own range and noise is added, so that no pixel is equal."""
    cut = crops(kind, n_fields=20)
    rng = np.random.default_rng(1)
    pixels = [
        np.round((one / one.max() * rng.uniform(0.5, 0.9)) * 60_000 + rng.normal(0, 100, one.shape)).clip(0)
        for one in cut.pixels
    ]
    searched, shares = near_copies(pictured([one.astype(np.uint16) for one in pixels]), ()), cut.shares()
    assert not any(how.is_exact for how in searched.found.values())
    assert searched.found.keys() <= shares.keys()
    assert found_shares(searched, shares, 0.4, 1.01) >= 0.95
    assert found_shares(searched, shares, 0.25, 0.4) >= 0.6
    assert 0 <= searched.expected_false <= 0.2


@pytest.mark.slow
def test_crops_that_were_shrunk_one_by_one_are_found():
    cut = crops("textured", 256, n_fields=10)
    shrunk = [one.reshape(1, 64, 4, 64, 4).mean(axis=(2, 4)).round().astype(np.uint8) for one in cut.pixels]
    searched, shares = near_copies(pictured(shrunk), ()), cut.shares()
    assert searched.found.keys() <= shares.keys()
    assert found_shares(searched, shares, 0.4, 1.01) >= 0.95


@pytest.mark.slow
def test_cells_of_one_class_are_not_near_copies():
    """Round cells, one a crop: alike as a whole, each with its own detail."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:64, :64]
    cells = []
    for _ in range(400):
        row, column = rng.normal(32, 1, 2)
        body = 1 / (1 + np.exp(np.hypot(rows - row, columns - column) - rng.uniform(15, 17)))
        cells.append(np.round(np.clip(body * 200 + rng.normal(0, 4, body.shape), 0, 255)).astype(np.uint8)[np.newaxis])
    assert near_copies(pictured(cells), ()).found == {}


@pytest.mark.slow
def test_random_turns_of_round_cells_on_black_are_not_turned_copies():
    """On a background of zeros nothing but the outline agrees."""
    cut = crops("nuclei on black", n_fields=30)
    masked = [np.where(one > 25, one, 0).astype(np.uint8) for one in cut.pixels]
    searched, shares = near_copies(pictured(masked), ()), cut.shares()
    assert searched.found.keys() <= shares.keys()


@pytest.mark.parametrize("quality", [75, 95])
def test_turned_pictures_that_were_saved_as_jpeg_are_found(quality):
    cut = crops("textured", n_fields=8)
    apart = [cut.pixels[np.flatnonzero(cut.field == number)[0]] for number in range(8)]
    saved = [saved_as_jpeg(turn(one[0], number % len(TURNS)), quality) for number, one in enumerate(apart)]
    searched = near_copies(pictured([*apart, *saved]), ())
    assert searched.found.keys() == {(number, number + 8) for number in range(8)}


@pytest.mark.slow
def test_crops_of_differing_sizes_are_compared():
    rng = np.random.default_rng(5)
    cells, pixels = [], []
    for number in range(40):
        field = ndimage.gaussian_filter(rng.normal(size=(80, 80)), 1.5)
        field = np.round((field - field.min()) / np.ptp(field) * 255).astype(np.uint8)
        for _ in range(3):
            top, left, bottom, right = rng.integers(0, 4, 4)
            pixels.append(field[np.newaxis, 8 + top : 72 - bottom, 8 + left : 72 - right])
            cells.append(number)
    found = near_copies(pictured(pixels), ()).found
    together = {(i, j) for i in range(120) for j in range(i + 1, 120) if cells[i] == cells[j]}
    assert {pair for pair in together if pixels[pair[0]].shape != pixels[pair[1]].shape} <= found.keys() <= together
    assert all(how.shows_same_cell for how in found.values())


def test_crops_of_one_field_and_equal_pixels_are_found_between_sets(known, stored, fields, others):
    others[3], others[5], others[6] = fields[7, 12:76, 20:84], fields[8, 4:68, :64], fields[9, :64, :64]
    found = found_between(known, stored(others))
    assert sorted(found) == [(7, 3), (8, 5), (9, 6)]
    assert (found[7, 3].rows, found[7, 3].columns) == (12, 20)


def test_turned_pictures_are_found_between_sets(known, stored, fields, others):
    for number in range(len(TURNS)):
        others[number + 4] = turn(fields[number, :64, :64], number)
    found = found_between(known, stored(others))
    assert sorted(found) == [(number, number + 4) for number in range(len(TURNS))]
    assert all(isinstance(copy, TurnedCopy) for copy in found.values())


def test_pairs_within_one_set_are_ignored(stored, fields, others):
    known = fields[:N, :64, :64].copy()
    known[1], others[1] = fields[0, 8:72, 8:72], fields[N, 8:72, 8:72]
    assert found_between(stored(known, seed=0), stored(others)) == {}


def test_unreadable_samples_do_not_shift_rows(known, stored, fields, others):
    others[6] = fields[9, 10:74, :64]
    features, folder = stored(others)
    status, known_status = features.samples.status.copy(), known[0].samples.status.copy()
    status[:5], known_status[:9] = 1, 1
    found = found_between(
        (with_samples(known[0], status=known_status), known[1]), (with_samples(features, status=status), folder)
    )
    assert list(found) == [(9, 6)]


def test_exact_duplicates_are_compared_once():
    cut = crops("textured", n_fields=4)
    pixels = [*cut.pixels, cut.pixels[0]]
    searched = near_copies(pictured(pixels), [(0, len(cut.pixels))])
    assert all(len(cut.pixels) not in pair for pair in searched.found)


@pytest.mark.parametrize("n_samples", [0, 1, 2])
def test_few_samples_have_no_near_copies(n_samples):
    cut = crops("textured", n_fields=4)
    chosen = [int(np.flatnonzero(cut.field == number)[0]) for number in range(n_samples)]
    pictures = pictured(cut.pixels).take(np.array(chosen, dtype=np.intp))
    assert near_copies(pictures, ()).found == {}


@pytest.mark.parametrize("side", [1, 7, 12, 13])
def test_tiny_and_constant_pictures_are_not_near_copies(side):
    rng = np.random.default_rng(side)
    pixels = [rng.integers(0, 255, (1, side, side + 1), dtype=np.uint8) for _ in range(20)]
    pixels += [np.full((1, side, side + 1), value, np.uint8) for value in (0, 0, 7)]
    found = near_copies(pictured(pixels), ()).found
    assert not any({*pair} & {20, 21, 22} for pair in found)


@pytest.mark.parametrize(("seed", "quality"), [(0, 75), pytest.param(1, 50, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_equal_blocks_of_jpeg_backgrounds_are_no_overlap(seed, quality):
    """A dark background has few coefficients, so that blocks of unrelated pictures are equal by chance."""
    cut = crops("nuclei on black", n_fields=20, seed=seed)
    searched = near_copies(pictured([saved_as_jpeg(one[0], quality) for one in cut.pixels]), ())
    assert searched.found.keys() <= cut.shares().keys()
