from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from cellfeat.errors import SplitError
from cellfeat.evaluation.folds.grouped_folds import fewest_groups, grouped_folds, thinned_rows


@st.composite
def splittable(draw):
    """Labels and groups: mixed groups, and on top as many groups of one class as folds, so that a split exists."""
    n_folds = draw(st.integers(2, 5))
    n_classes = draw(st.integers(2, 4))
    mixed = draw(st.lists(st.tuples(st.integers(0, n_classes - 1), st.integers(0, 8)), max_size=60))
    alone = [(label, 100 + label * 10 + i) for label in range(n_classes) for i in range(n_folds + 2)]
    samples = draw(st.permutations(mixed + alone))
    return np.array([f"c{label}" for label, _ in samples]), np.array([group for _, group in samples]), n_folds


@pytest.mark.slow
@given(splittable(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_folds_are_whole_disjoint_and_repeatable(case, seed):
    y, groups, n_folds = case
    folds = grouped_folds(y, groups, n_folds, random_state=seed)
    again = grouped_folds(y, groups, n_folds, random_state=seed)
    assert len(folds) == n_folds
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(y)))
    for fold, same in zip(folds, again, strict=True):
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(y)))
        assert set(y[fold.test]) == set(y[fold.train]) == set(y)
        assert (fold.test == same.test).all()


def test_other_seed_gives_other_folds():
    y, groups = np.repeat(["a", "b"], 30), np.arange(60)
    first, second = (grouped_folds(y, groups, 3, random_state=seed)[0].test for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_folds_keep_class_shares():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    for fold in grouped_folds(y, np.arange(160), 5):
        assert [np.count_nonzero(y[fold.test] == name) for name in "abc"] == [20, 10, 2]


def test_class_in_too_few_groups_is_refused():
    y = np.array(["a"] * 10 + ["rare"] * 6)
    groups = np.array([*range(10), 10, 10, 10, 11, 11, 11])
    with pytest.raises(SplitError, match=r"'rare' \(6 samples in 2 groups\).* 2 folds"):
        grouped_folds(y, groups, 5)


def test_split_is_found_where_sklearn_misses_a_class():
    """Groups of several classes must go to folds of their own, which leaves one for the two groups of one class."""
    y = np.array(list("ab" * 3) + list("ab" * 3) + ["a"] * 3 + ["b"] * 3)
    groups = np.repeat([0, 1, 2, 3], [6, 6, 3, 3])
    for seed in range(5):
        greedy = StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(y, y, groups)
        assert any(len(set(y[test])) < 2 for _, test in greedy)
    for fold in grouped_folds(y, groups, 3):
        assert set(y[fold.test]) == {"a", "b"}


def test_classes_that_cannot_be_spread_are_refused():
    """Three groups of two classes each: one of two folds gets one group, and so lacks a class."""
    y, groups = np.array(list("abbcca")), np.repeat([0, 1, 2], 2)
    with pytest.raises(SplitError, match="fewer folds"):
        grouped_folds(y, groups, 2)


@pytest.mark.parametrize("n_folds", [-1, 0, 1])
def test_fewer_than_two_folds_are_refused(n_folds):
    with pytest.raises(SplitError, match=str(n_folds)):
        grouped_folds(np.repeat(["a", "b"], 5), np.arange(10), n_folds)


def test_single_class_is_refused():
    with pytest.raises(SplitError, match="'a'"):
        grouped_folds(np.full(10, "a"), np.arange(10), 2)


def test_fewest_groups_is_that_of_the_rarest_class():
    assert fewest_groups(np.array(list("aaabbb")), np.array([0, 1, 2, 3, 3, 4])) == 2


def test_thinning_keeps_whole_groups_of_every_class():
    y, groups = np.repeat(["a", "b"], 30), np.repeat(np.arange(20), 3)
    rows = np.arange(60)
    parts = [
        thinned_rows(rows, y, groups, fraction, np.random.default_rng(0)).tolist() for fraction in (0.01, 0.3, 0.6, 1)
    ]
    for part, wider in pairwise(parts):
        assert set(part) < set(wider)
    assert [len(part) for part in parts] == [6, 18, 36, 60]
    for part in parts:
        assert set(y[part]) == {"a", "b"}
        assert (np.unique(groups[part], return_counts=True)[1] == 3).all()
