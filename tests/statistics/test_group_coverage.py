import numpy as np
import pytest

from cellfeat.statistics.group_coverage import group_coverage


def test_worst_group_is_found_and_small_groups_are_not_looked_at():
    is_covered = np.ones(65, dtype=bool)
    is_covered[20:28] = False
    is_covered[60:] = False
    groups = np.repeat([7, 3, 5, 1], [20, 20, 20, 5])
    found = group_coverage(is_covered, groups, 0.9)
    assert (found.n_groups, found.lowest, found.lowest_n_samples, found.lowest_row) == (3, 0.6, 20, 20)
    assert found.n_below == 1
    assert 0 < found.expected_below <= 0.15


def test_samples_that_are_their_own_groups_have_no_coverage_of_groups():
    assert group_coverage(np.ones(30, dtype=bool), np.arange(30), 0.9) is None


def test_chance_alone_gives_the_number_that_is_expected():
    rng, groups = np.random.default_rng(0), np.repeat(np.arange(400), 30)
    found = [group_coverage(rng.random(len(groups)) < 0.9, groups, 0.9) for _ in range(20)]
    assert np.mean([one.n_below for one in found]) == pytest.approx(found[0].expected_below, rel=0.1)
