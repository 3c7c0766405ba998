from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.evaluation.cross_validation.out_of_fold import out_of_fold
from cellfeat.evaluation.scoring.score import calibrated, evaluate, pooled_balanced_accuracy, score
from cellfeat.evaluation.task.task import prepare
from cellfeat.heads.registry import make_head
from tests.feature_fixtures import SMALL


@pytest.fixture
def task(make_clusters):
    return prepare(make_clusters(), SMALL)


def test_predictions_are_out_of_fold(task):
    """One head on the training part of each fold, by hand, gives the same predictions."""
    predicted = out_of_fold(task, "logreg")
    X = np.asarray(task.embeddings).mean(axis=1)
    for fold in task.folds:
        head = make_head("logreg", {}, n_views=1, random_state=0).fit(X[fold.train], task.y[fold.train])
        assert (predicted.probabilities[fold.test] == head.predict_proba(X[fold.test])).all()


def test_predicting_scores_nothing(task, monkeypatch):
    for name in ("score", "overall_scores", "calibration", "fit_temperature"):
        monkeypatch.setattr(f"cellfeat.evaluation.scoring.score.{name}", lambda *_, **__: pytest.fail("scored"))
    out_of_fold(task, "knn")
    assert "bootstrap" not in vars(task), "a study that reads no interval pays for no bootstrap"


def test_single_scores_draw_no_bootstrap_and_agree_with_all_scores(task):
    predicted = out_of_fold(task, "logreg")
    accuracy, probabilities = pooled_balanced_accuracy(task, predicted), calibrated(task, predicted)
    assert "bootstrap" not in vars(task)
    result = score(task, predicted)
    assert "bootstrap" in vars(task)
    assert accuracy == pytest.approx(result.balanced_accuracy)
    assert (probabilities == result.predictions[["probability_a", "probability_b", "probability_c"]].to_numpy()).all()


def test_evaluate_predicts_and_scores(task):
    stepwise, at_once = score(task, out_of_fold(task, "knn")), evaluate(task, "knn")
    assert replace(stepwise, seconds=at_once.seconds).record() == at_once.record()


def test_failure_names_head_fold_and_reason(task, failing_head):
    failing_head(ValueError)
    with pytest.raises(HeadError, match=r"failing .*fold 1 of 3.*ValueError.*singular matrix"):
        out_of_fold(task, "failing")


def test_observer_receives_each_fold(task):
    told = []
    out_of_fold(task, "dummy", on_fold=lambda *event: told.append(event))
    assert told == [(1, 0), (2, 0), (3, 0)]


def test_result_counts_cached_folds(task, cache):
    first, second = (out_of_fold(task, "knn", cache=cache) for _ in range(2))
    assert (first.n_cached, second.n_cached) == (0, 3)
    np.testing.assert_array_equal(second.probabilities, first.probabilities)
    assert second.seconds == first.seconds


def test_without_tuning_each_fold_is_fitted_once(planted_features, planted):
    predicted = out_of_fold(prepare(planted_features, SMALL), "planted")
    assert len(planted.fits) == 3
    assert predicted.seconds.tune == 0
    assert predicted.tuning is None
