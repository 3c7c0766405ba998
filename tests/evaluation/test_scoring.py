import dataclasses

import numpy as np
import pytest

from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.scoring.score import fold_temperatures, tempered_folds
from cellfeat.evaluation.task import prepare
from cellfeat.heads.registry import make_head

FEW_DRAWS = {"folds": 3, "draws": 200}


def test_metrics_are_plain_values_that_fit_together(make_clusters):
    metrics = compare(make_clusters(), ["logreg"], design=Design(**FEW_DRAWS)).best.record()
    assert metrics["balanced_accuracy"] == pytest.approx(np.mean(metrics["per_class_recall"]))
    assert metrics["ci_low"] <= metrics["balanced_accuracy"] <= metrics["ci_high"]
    assert len(metrics["per_fold"]) == metrics["folds"] == 3
    assert np.sum(metrics["confusion_matrix"]) == metrics["n_samples"] == metrics["n_groups"] == 180
    assert set(metrics["seconds"]) == {"fit", "predict", "tune"}
    assert metrics["seconds"]["tune"] == 0
    assert metrics["tuning"] is None
    assert metrics["settings"]["C"] == make_head("logreg", {}, n_views=1, random_state=0).get_params()["C"]


@pytest.mark.parametrize("head", ["logreg", "knn"])
def test_calibration_lowers_the_loss_and_moves_no_prediction(make_clusters, head):
    features = make_clusters(n=600, separation=0.8)
    plain, tempered_ = (
        compare(features, [head], design=Design(calibrate=kind, **FEW_DRAWS)).best for kind in ("none", "temperature")
    )
    assert tempered_.predictions["predicted"].equals(plain.predictions["predicted"])
    assert tempered_.record()["log_loss_uncalibrated"] == plain.record()["log_loss"]
    assert tempered_.record()["log_loss"] < 0.97 * plain.record()["log_loss"]
    if head == "logreg":  # votes can be calibrated already, with a loss that their zeros make huge
        assert tempered_.record()["calibration_error"] < plain.record()["calibration_error"]


def test_no_label_moves_the_temperature_of_its_own_fold(make_clusters):
    task = prepare(make_clusters(), Design(folds=3, draws=100))
    raw = np.random.default_rng(0).dirichlet(np.ones(3), len(task.y))
    test = task.folds[0].test
    y = task.y.copy()
    y[test] = "a"
    relabelled = dataclasses.replace(task, y=y)
    before, after = (tempered_folds(one, raw, fold_temperatures(one, raw)) for one in (task, relabelled))
    assert (before[test] == after[test]).all()
    assert (np.delete(before, test, axis=0) != np.delete(after, test, axis=0)).any()
