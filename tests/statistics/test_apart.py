import numpy as np

from cellfeat.statistics.apart import lying_apart


def clouds(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (n, 8))


def test_samples_of_the_same_kind_do_not_lie_apart():
    found = lying_apart(clouds(300, seed=1), clouds(1000), np.full(1000, ""))
    assert found.number <= 12
    assert not found.is_evidence


def test_samples_of_another_kind_lie_apart():
    found = lying_apart(clouds(50, shift=4, seed=1), clouds(1000), np.full(1000, ""))
    assert found.number > 40
    assert found.is_evidence


def test_groups_and_copies_do_not_set_the_scale():
    cells = clouds(200)
    known = np.concatenate([cells, cells, cells + 1e-6])
    group = np.tile(np.array([f"g{row}" for row in range(200)]), 3)
    found = lying_apart(clouds(200, seed=1), known, group)
    assert not found.is_evidence


def test_unreadable_samples_are_ignored():
    points = clouds(3, shift=9)
    points[1] = np.nan
    found = lying_apart(points, clouds(100), np.full(100, ""))
    assert found.is_apart.tolist() == [True, False, True]
    assert found.n_points == 2


def test_nothing_known_says_nothing():
    assert not lying_apart(clouds(3), clouds(1), np.array([""])).is_apart.any()
    assert lying_apart(clouds(0), clouds(5), np.full(5, "")).number == 0
