import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.saved.neighbourhood import N_PROJECTED, Neighbourhood
from cellfeat.statistics.apart import MOST_KNOWN


def samples(n, n_columns, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2, n_columns)).astype(np.float32)


@pytest.mark.parametrize("n_columns", [6, 600])
def test_scores_are_the_same_after_saving(n_columns):
    kept = Neighbourhood.of(samples(80, n_columns), np.arange(80))
    again = Neighbourhood.restored(kept.arrays())
    new = samples(9, n_columns, seed=1)
    np.testing.assert_array_equal(kept.known.scores_of(kept.points(new)), again.known.scores_of(again.points(new)))


def test_projection_keeps_distances():
    new = samples(40, 2000)
    kept = Neighbourhood.of(new, np.arange(40))
    points = kept.points(new)
    rows = new.mean(axis=1)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    near = np.linalg.norm(points[0] - points[1:], axis=1) / np.linalg.norm(rows[0] - rows[1:], axis=1)
    assert points.shape == (40, N_PROJECTED)
    assert np.abs(near - 1).max() < 0.2


def test_size_is_bounded():
    n_columns = 8000
    n_bytes = MOST_KNOWN * (2 * N_PROJECTED + 3 * 8) + n_columns * (8 + N_PROJECTED // 8)
    assert n_bytes < 4_000_000
    kept = Neighbourhood.of(samples(30, n_columns), np.arange(30))
    assert sum(one.nbytes for one in kept.arrays().values()) < 30 * (2 * N_PROJECTED + 24) + n_columns * 40 + 1


def test_a_sample_has_the_same_points_in_any_batch():
    kept = Neighbourhood.of(samples(80, 600), np.arange(80))
    new = samples(30, 600, seed=1)
    scores = kept.known.scores_of(kept.points(new))
    alone = [kept.known.scores_of(kept.points(new[row : row + 1]))[0] for row in range(30)]
    np.testing.assert_allclose(scores, alone, rtol=1e-12)


def test_constant_columns_say_nothing():
    fitted, new = samples(60, 5), samples(20, 5, seed=1)
    fitted[:, :, 2] = 7
    new[:, :, 2] = 1e6
    kept = Neighbourhood.of(fitted, np.arange(60))
    assert (kept.points(new)[:, 2] == 0).all()


def test_a_single_group_has_no_distances():
    assert Neighbourhood.of(samples(30, 5), np.zeros(30, dtype=int)) is None


@pytest.mark.parametrize("name", ["points", "reach", "signs", "mean"])
def test_arrays_of_another_shape_are_refused(name):
    arrays = Neighbourhood.of(samples(30, 300), np.arange(30)).arrays()
    with pytest.raises(HeadError, match="array"):
        Neighbourhood.restored({**arrays, name: arrays[name][:-1]})
