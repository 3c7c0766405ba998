"""Folds of many groups: those of scikit-learn, chosen by the faster method."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from cellfeat.evaluation.folds.many_groups import ManyGroupsKFold


def samples(seed, n_groups, n_classes, *, mixed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(n_groups, size=4 * n_groups)
    y_of_group = rng.choice(n_classes, size=n_groups, p=rng.dirichlet(np.ones(n_classes)))
    y = y_of_group[groups]
    return np.where(rng.random(len(y)) < mixed, rng.integers(n_classes, size=len(y)), y), groups


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("n_folds", [2, 5, 10])
@pytest.mark.parametrize("mixed", [0, 0.2, 1])
def test_folds_are_those_of_scikit_learn(n_folds, mixed):
    for seed in range(4):
        y, groups = samples(seed, 80, 2 + 3 * seed, mixed=mixed)
        ours, theirs = (
            [test.tolist() for _, test in kind(n_folds, shuffle=True, random_state=seed).split(y, y, groups)]
            for kind in (ManyGroupsKFold, StratifiedGroupKFold)
        )
        assert ours == theirs


def test_faster_method_is_used(monkeypatch):
    chosen = []
    find = ManyGroupsKFold._find_best_fold

    def noted(self, **arguments):
        chosen.append(find(self, **arguments))
        return chosen[-1]

    monkeypatch.setattr(ManyGroupsKFold, "_find_best_fold", noted)
    y, groups = samples(0, 40, 3, mixed=0.2)
    list(ManyGroupsKFold(4, shuffle=True, random_state=0).split(y, y, groups))
    assert len(chosen) == len(np.unique(groups))
