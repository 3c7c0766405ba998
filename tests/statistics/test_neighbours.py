import numpy as np
import pytest

from cellfeat.statistics.neighbours import nearest_by_cosine


def directions(n_rows, seed):
    rows = np.random.default_rng(seed).standard_normal((n_rows, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("block_rows", [1, 7, 100])
def test_neighbours_are_those_of_a_full_sort(block_rows):
    queries, others = directions(23, seed=0), directions(40, seed=1)
    neighbours, cosines = nearest_by_cosine(queries, others, 5, block_rows=block_rows)
    similarity = queries @ others.T
    assert np.array_equal(np.sort(neighbours), np.sort(np.argsort(-similarity, axis=1)[:, :5]))
    np.testing.assert_allclose(cosines, np.take_along_axis(similarity, neighbours, axis=1), rtol=1e-5)
    assert cosines.dtype == np.float32


def test_excluded_rows_are_no_neighbours():
    rows = directions(30, seed=0)
    everything, _ = nearest_by_cosine(rows, rows, 1, block_rows=8)
    others, _ = nearest_by_cosine(rows, rows, 29, block_rows=8, excluded=np.arange(30))
    assert everything.ravel().tolist() == list(range(30))
    assert all(row not in neighbours for row, neighbours in enumerate(others))


def test_no_queries_have_no_neighbours():
    neighbours, cosines = nearest_by_cosine(directions(0, seed=0), directions(4, seed=1), 2, block_rows=8)
    assert neighbours.shape == cosines.shape == (0, 2)
