import numpy as np
import pytest

from cellfeat.near_copies.candidates import nearest_of, nearest_pairs, spectra
from cellfeat.near_copies.pictures import read_pictures
from cellfeat.near_copies.search import PicturedFeatures, near_copies_between
from cellfeat.near_copies.turned import TURNS, TurnedCopy, turn
from tests.feature_fixtures import with_samples

N = 20


@pytest.fixture(scope="module")
def fields():
    """Forty places, of which pictures of 64 x 64 pixels are crops."""
    return np.kron(np.random.default_rng(0).integers(0, 200, (2 * N, 24, 24)), np.ones((4, 4))).astype(np.uint8)


@pytest.fixture(scope="module")
def pictured(tmp_path_factory, make_features, with_pictures):
    """Make features of pictures, in a folder of their own."""

    def make(pixels, seed=1):
        folder = tmp_path_factory.mktemp("pictures")
        embeddings = np.random.default_rng(seed).normal(size=(len(pixels), 1, 5))
        return with_pictures(make_features(np.resize(["a", "b"], len(pixels)), embeddings), pixels, folder), folder

    return make


@pytest.fixture(scope="module")
def known(pictured, fields):
    """Features of the first 20 places, and their folder."""
    return pictured(fields[:N, :64, :64], seed=0)


@pytest.fixture
def others(fields):
    """Pictures of the other 20 places."""
    return fields[N:, :64, :64].copy()


def found_between(known, features):
    """Near copies between two pairs of features and their folder."""
    first = PicturedFeatures(known[0], read_pictures(*known))
    second = PicturedFeatures(features[0], read_pictures(*features, scale=first.pictures.scale))
    return near_copies_between(first, second)


def test_crops_of_one_field_and_equal_pixels_are_found(known, pictured, fields, others):
    others[3], others[5], others[6] = fields[7, 12:76, 20:84], fields[8, 4:68, :64], fields[9, :64, :64]
    found = found_between(known, pictured(others))
    assert sorted(found) == [(7, 3), (8, 5), (9, 6)]
    assert (found[7, 3].rows, found[7, 3].columns) == (12, 20)


def test_turned_pictures_are_found(known, pictured, fields, others):
    for number in range(len(TURNS)):
        others[number + 4] = turn(fields[number, :64, :64], number)
    found = found_between(known, pictured(others))
    assert sorted(found) == [(number, number + 4) for number in range(len(TURNS))]
    assert all(isinstance(copy, TurnedCopy) for copy in found.values())


def test_pairs_within_one_set_are_ignored(pictured, fields, others):
    known = fields[:N, :64, :64].copy()
    known[1], others[1] = fields[0, 8:72, 8:72], fields[N, 8:72, 8:72]
    assert found_between(pictured(known, seed=0), pictured(others)) == {}


def test_unreadable_samples_do_not_shift_rows(known, pictured, fields, others):
    others[6] = fields[9, 10:74, :64]
    features, folder = pictured(others)
    status, known_status = features.samples.status.copy(), known[0].samples.status.copy()
    status[:5], known_status[:9] = 1, 1
    found = found_between(
        (with_samples(known[0], status=known_status), known[1]), (with_samples(features, status=status), folder)
    )
    assert list(found) == [(9, 6)]


def test_nearest_of_searches_the_other_set_only():
    known = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    asked = np.array([[0.9, 0.1], [0.95, 0.05], [-2, 0.1]], dtype=np.float32)
    assert nearest_of(known, asked, 1).tolist() == [[0, 3], [0, 4], [2, 5]]
    assert len(nearest_of(known, asked, 30)) == 9
    assert nearest_of(known[:0], asked, 3).shape == (0, 2)
    assert nearest_of(known, asked[:0], 3).shape == (0, 2)


def test_nearest_pairs_are_nearest_by_cosine_and_unique():
    angle = np.array([0, 0.1, 2, 2.1, 4, 4.1])
    pairs = nearest_pairs(np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32), 1)
    assert pairs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert nearest_pairs(np.ones((1, 2), np.float32), 5).shape == (0, 2)


def test_spectra_of_shifted_crops_are_close():
    rng = np.random.default_rng(0)
    fields = np.kron(rng.normal(size=(20, 24, 24)), np.ones((4, 4))).astype(np.float32)
    pictures = [*fields[:, :64, :64], *fields[:, 10:74, 16:80]]
    described = spectra(pictures)
    pairs = {tuple(pair) for pair in nearest_pairs(described, 3).tolist()}
    found = sum((number, number + 20) in pairs for number in range(20))
    assert found >= 15
    assert spectra([pictures[0], pictures[0][:40, :30]]).shape == (2, described.shape[1])
    assert nearest_pairs(spectra([]), 3).shape == (0, 2)
