"""Fixtures of the tests in this folder."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from cellfeat.evaluation.fold_predictions.cache import FoldCache
from tests.feature_fixtures import (  # noqa: F401, pytest finds fixtures by name
    build_features,
    bundle,
    comparison,
    failing_head,
    held_out,
    hostile,
    labelled,
    make_clusters,
    make_features,
    register,
    samples,
    with_pictures,
)


@pytest.fixture
def cache(tmp_path):
    return FoldCache(tmp_path / "results" / ".cache")


class Planted(ClassifierMixin, BaseEstimator):
    """A head whose setting `skill` decides how often it is right: it reads the label in the first column."""

    search_space = {"skill": [0, 1, 2, 3], "other": [0, 1]}  # noqa: RUF012, as a plug-in would write it
    fits: list[tuple[dict, np.ndarray]]

    def __init__(self, skill=0, other=0):
        self.skill, self.other = skill, other

    def fit(self, X, y):
        if self.skill == 3:
            raise ValueError("skill 3 cannot be fitted")
        self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
        self.fits.append((self.get_params(), X[:, 1].astype(int)))
        return self

    def predict_proba(self, X):
        code = X[:, 0].astype(int)
        is_right = X[:, 1].astype(int) % 4 < self.skill + 2
        return np.eye(len(self.classes_))[np.where(is_right, code, (code + 1) % len(self.classes_))]


@pytest.fixture
def planted(monkeypatch):
    """Add the head ``planted``; its `fits` lists the settings and rows of each fit."""
    return register(monkeypatch, "planted", type("PlantedHead", (Planted,), {"fits": []}))


@pytest.fixture
def planted_features():
    """Samples whose first column is their label and whose second is their row; pairs of rows form groups."""
    n = 120
    codes = np.arange(n) // 2 % 3
    embeddings = np.stack([codes, np.arange(n)], axis=1)[:, np.newaxis]
    return build_features(np.array(["a", "b", "c"])[codes], embeddings, group=np.char.mod("g%d", np.arange(n) // 2))
