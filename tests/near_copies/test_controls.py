import numpy as np
import pytest

from cellfeat.near_copies.controls import EXPECTED_FALSE, LEAST_STRENGTH, threshold


def test_hardly_any_unrelated_pair_is_above_the_threshold():
    """Over many data sets of unrelated pairs, as many are above as are expected."""
    rng = np.random.default_rng(0)
    above = []
    for _ in range(200):
        controls, pairs = rng.gamma(3, 4, 5_000), rng.gamma(3, 4, 5_000)
        above.append(np.count_nonzero(pairs >= threshold(controls, 5_000).strength))
    assert np.mean(above) <= 2 * EXPECTED_FALSE


def test_expected_number_grows_with_the_pairs():
    controls = np.random.default_rng(0).gamma(3, 4, 1_000)
    few, many = threshold(controls, 1_000), threshold(controls, 100_000)
    assert many.strength > few.strength
    assert few.expected_false == pytest.approx(EXPECTED_FALSE)
    assert many.expected_false == pytest.approx(EXPECTED_FALSE)


def test_a_few_overlapping_controls_change_little():
    controls = np.random.default_rng(0).gamma(3, 4, 5_000)
    clean, mixed = threshold(controls, 5_000), threshold(np.append(controls, np.full(20, 300.0)), 5_000)
    assert mixed.strength < 1.5 * clean.strength


@pytest.mark.parametrize("n_controls", [0, 1, 5])
def test_few_controls_leave_the_least_strength(n_controls):
    assert threshold(np.full(n_controls, 3.0), 10).strength == LEAST_STRENGTH
    assert threshold(np.full(n_controls, 3.0), 10).expected_false == 0
