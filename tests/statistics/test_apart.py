import numpy as np

from cellfeat.statistics.apart import Known, lying_apart, set_test


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


def test_p_values_of_like_samples_are_uniform_and_those_of_others_small():
    known = Known.of(clouds(600), np.arange(600))
    like = known.p_values(known.scores_of(clouds(600, seed=1)))
    assert abs(np.mean(like <= 0.1) - 0.1) < 0.05
    assert known.p_values(known.scores_of(clouds(50, shift=4, seed=2))).max() < 0.05


def test_copies_of_the_test_count_among_the_permutations():
    known = Known.of(clouds(300), np.arange(300))
    found = set_test(known, np.full(30, known.scores.max() + 1), np.arange(30))
    assert found.is_permuted
    assert found.p_value == 1 / 5000


def test_groups_are_permuted_whole():
    """300 samples of one group that lies somewhat out are one observation, not 300."""
    known = Known.of(clouds(600), np.repeat(np.arange(200), 3))
    scores = np.quantile(known.scores, np.linspace(0.3, 1, 300))
    assert set_test(known, scores, np.arange(300)).p_value < 0.001
    assert set_test(known, scores, np.zeros(300, dtype=int)).p_value > 0.01


def test_equal_samples_have_equal_ranks():
    points = np.ones((40, 3))
    known = Known.of(points, np.arange(40))
    scores = known.scores_of(points[:20])
    assert known.p_values(scores).min() == 1
    assert set_test(known, scores, np.arange(20)).p_value == 1


def test_order_of_the_rows_does_not_change_the_p_value():
    known = Known.of(clouds(300), np.arange(300) // 2)
    scores, groups = known.scores_of(clouds(90, seed=2)), np.arange(90) // 3
    order = np.random.default_rng(0).permutation(90)
    assert set_test(known, scores, groups).p_value == set_test(known, scores[order], 40 - groups[order]).p_value
