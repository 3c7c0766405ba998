import numpy as np
import pytest

from cellfeat.near_copies.detail import MIDDLE, detail_of
from cellfeat.near_copies.turned import TURNS, turn, turned_agreements, turned_alike, turned_spectrum

PAIR = np.array([[0, 1]])


def cell_picture(seed, height=64, width=64):
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(-(-height // 4), -(-width // 4)))
    return np.kron(coarse, np.ones((4, 4)))[:height, :width].astype(np.float32)


def test_turns_are_the_symmetries_of_the_square():
    corner = np.arange(4).reshape(2, 2)
    assert len({turn(corner, number).tobytes() for number in range(len(TURNS))} - {corner.tobytes()}) == 7
    assert turn(corner, TURNS.index("turned left by a quarter")).tolist() == [[1, 3], [0, 2]]
    assert turn(corner, TURNS.index("mirrored left to right")).tolist() == [[1, 0], [3, 2]]
    assert turn(corner, TURNS.index("mirrored along the falling diagonal")).tolist() == [[0, 2], [1, 3]]
    assert turn(corner, TURNS.index("mirrored top to bottom")).tolist() == [[2, 3], [0, 1]]
    assert turn(corner, TURNS.index("mirrored along the rising diagonal")).tolist() == [[3, 1], [2, 0]]


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (40, 40)])
@pytest.mark.parametrize("number", range(len(TURNS)))
def test_each_turn_is_found_and_named(number, size):
    picture = cell_picture(0, *size)
    found = turned_alike([picture, turn(picture, number)], PAIR)
    assert found[0, 1].how == TURNS[number]
    assert found[0, 1].correlation == pytest.approx(1, abs=1e-5)


def test_noise_and_contrast_do_not_hide_a_turned_copy():
    picture = cell_picture(0)
    noise = np.random.default_rng(1).normal(size=picture.shape)
    found = turned_alike([picture, turn(3 * picture + noise + 100, 4)], PAIR)
    assert found[0, 1].how == TURNS[4]
    assert 0.9 < found[0, 1].correlation < 0.99


def test_other_and_constant_pictures_are_not_turned_alike():
    picture, flat = cell_picture(0), np.ones((64, 64), np.float32)
    pictures = [picture, cell_picture(1), cell_picture(2, 64, 40), picture, flat, flat]
    assert turned_alike(pictures, np.array([[0, 1], [0, 2], [0, 3], [0, 4], [4, 5]])) == {}


def test_detail_agrees_after_the_turn_that_was_found():
    pictures = [cell_picture(0), turn(cell_picture(0), 2), cell_picture(1)]
    alike = turned_alike(pictures, PAIR)
    (correlation,) = turned_agreements(detail_of(pictures, MIDDLE), alike).correlations
    assert correlation == pytest.approx(1, abs=1e-4)
    (other,) = turned_agreements(detail_of(pictures, MIDDLE), {(0, 2): alike[0, 1]}).correlations
    assert abs(other) < 0.3


@pytest.mark.parametrize("size", [(64, 64), (33, 47)])
def test_spectrum_is_invariant_under_turns(size):
    described = turned_spectrum(cell_picture(0, *size))
    for number in range(len(TURNS)):
        np.testing.assert_allclose(turned_spectrum(turn(cell_picture(0, *size), number)), described, atol=1e-4)
    assert np.abs(turned_spectrum(cell_picture(1, *size)) - described).max() > 0.5
