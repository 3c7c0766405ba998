import numpy as np
import pytest

from cellfeat.near_copies.candidates import nearest_of, nearest_pairs, spectra
from cellfeat.near_copies.pictures import read_pictures
from cellfeat.near_copies.search import PicturedFeatures, near_copies_between
from cellfeat.near_copies.turned import TURNS, TurnedCopy, turn
from tests.feature_fixtures import with_samples

N = 20


@pytest.fixture
def pictured(tmp_path, make_features, with_pictures):
    """Make features of 20 pictures, in a folder of their own."""

    def make(name, pixels):
        embeddings = np.random.default_rng(len(name)).normal(size=(len(pixels), 1, 5))
        features = make_features(np.resize(["a", "b"], len(pixels)), embeddings)
        return with_pictures(features, pixels, tmp_path / name), tmp_path / name

    return make


@pytest.fixture
def fields():
    return np.kron(np.random.default_rng(0).integers(0, 200, (2 * N, 24, 24)), np.ones((4, 4))).astype(np.uint8)


def found_between(known, features):
    """Near copies between two pairs of features and their folder."""
    first = PicturedFeatures(known[0], read_pictures(*known))
    second = PicturedFeatures(features[0], read_pictures(*features, scale=first.pictures.scale))
    return near_copies_between(first, second)


def test_crops_of_one_field_are_found_across_two_sets(pictured, fields):
    known = pictured("known", fields[:N, :64, :64])
    asked = fields[N:, :64, :64].copy()
    asked[3], asked[5] = fields[7, 12:76, 20:84], fields[8, 4:68, :64]
    found = found_between(known, pictured("asked", asked))
    assert sorted(found) == [(7, 3), (8, 5)]
    assert (found[7, 3].rows, found[7, 3].columns) == (12, 20)


@pytest.mark.parametrize("number", range(len(TURNS)))
def test_turned_pictures_are_found_across_two_sets(pictured, fields, number):
    known = pictured("known", fields[:N, :64, :64])
    asked = fields[N:, :64, :64].copy()
    asked[4] = turn(fields[2, :64, :64], number)
    found = found_between(known, pictured("asked", asked))
    assert list(found) == [(2, 4)]
    assert isinstance(found[2, 4], TurnedCopy)


def test_pairs_within_one_set_are_ignored(pictured, fields):
    known = fields[:N, :64, :64].copy()
    known[1] = fields[0, 8:72, 8:72]
    asked = fields[N:, :64, :64].copy()
    asked[1] = fields[N, 8:72, 8:72]
    assert found_between(pictured("known", known), pictured("asked", asked)) == {}


def test_equal_pixels_are_near_copies(pictured, fields):
    asked = fields[N:, :64, :64].copy()
    asked[6] = fields[9, :64, :64]
    assert list(found_between(pictured("known", fields[:N, :64, :64]), pictured("asked", asked))) == [(9, 6)]


def test_unreadable_samples_do_not_shift_rows(pictured, fields):
    known, asked = pictured("known", fields[:N, :64, :64]), fields[N:, :64, :64].copy()
    asked[6] = fields[9, 10:74, :64]
    features, folder = pictured("asked", asked)
    status = features.samples.status.copy()
    status[:5] = 1
    assert list(found_between(known, (with_samples(features, status=status), folder))) == [(9, 6)]
    status = known[0].samples.status.copy()
    status[:9] = 1
    assert list(found_between((with_samples(known[0], status=status), known[1]), (features, folder))) == [(9, 6)]


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
