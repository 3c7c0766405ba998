import numpy as np
import pytest
from sklearn.base import BaseEstimator

from cellfeat.errors import HeadError
from cellfeat.evaluation.fold_predictions.head_run import HeadRun
from cellfeat.evaluation.task.task import prepare
from tests.feature_fixtures import SMALL, register


class Fixed(BaseEstimator):
    """A head with fixed classes, which gives every sample the same probabilities."""

    classes: tuple[str, ...] = ("a", "b", "c")
    probability: float = 1 / 3

    def fit(self, X, y):
        self.classes_ = np.array(self.classes)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes)), self.probability)


@pytest.mark.parametrize(
    ("broken", "noun"),
    [
        ({"classes": ("a", "b", "d")}, "a, b, d"),
        ({"probability": np.nan}, "60 of 60 samples have probabilities that are not numbers"),
        ({"probability": 0.9}, "FixedHead: the probabilities of 60 of 60 samples .* such as 0.9, 0.9, 0.9;"),
    ],
)
def test_broken_probabilities_are_refused(make_clusters, monkeypatch, broken, noun):
    register(monkeypatch, "fixed", type("FixedHead", (Fixed,), broken))
    task = prepare(make_clusters(), SMALL)
    with pytest.raises(HeadError, match=noun):
        HeadRun(task, "fixed", None).outcome({}, task.folds[0])


def test_sound_probabilities_are_taken(make_clusters, monkeypatch):
    register(monkeypatch, "fixed", Fixed)
    task = prepare(make_clusters(), SMALL)
    assert HeadRun(task, "fixed", None).outcome({}, task.folds[0]).probabilities.shape == (60, 3)
