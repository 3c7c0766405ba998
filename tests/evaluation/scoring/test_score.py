from dataclasses import replace

import numpy as np
import pytest

from cellfeat.evaluation.cross_validation.out_of_fold import OutOfFold, out_of_fold
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.scoring.score import evaluate, fold_temperatures, score, tempered_folds
from cellfeat.evaluation.task.task import prepare
from cellfeat.heads.registry import make_head
from tests.feature_fixtures import SMALL


def test_scores_fit_together(make_clusters):
    result = evaluate(prepare(make_clusters(), SMALL), "logreg")
    overall, per_class = result.scores.overall, result.scores.per_class
    assert overall.balanced_accuracy == pytest.approx(np.mean(per_class.recall))
    assert overall.interval.low <= overall.balanced_accuracy <= overall.interval.high
    assert len(overall.per_fold) == result.design.folds == 3
    assert per_class.confusion.sum() == result.counts.n_samples == result.counts.n_groups == 180
    assert result.seconds.tune == 0
    assert result.scores.tuning is None
    assert result.settings["C"] == make_head("logreg", {}, n_views=1, random_state=0).get_params()["C"]


@pytest.mark.parametrize("head", ["logreg", "knn"])
def test_calibration_lowers_the_loss_and_changes_no_class(make_clusters, head):
    task = prepare(make_clusters(n=600, separation=0.8), SMALL)
    predicted = out_of_fold(task, head)
    plain = score(replace(task, design=Design(folds=3, draws=100, calibrate="none")), predicted)
    tempered = score(task, predicted)
    assert tempered.predictions["predicted"].equals(plain.predictions["predicted"])
    before, after = plain.scores.calibration.calibrated, tempered.scores.calibration.calibrated
    assert tempered.scores.calibration.uncalibrated.log_loss == before.log_loss
    assert after.log_loss < 0.97 * before.log_loss
    if head == "logreg":  # votes can be calibrated already, with a loss that their zeros make huge
        assert after.calibration_error < before.calibration_error


def test_temperature_of_a_fold_does_not_depend_on_its_labels(make_clusters):
    task = prepare(make_clusters(), SMALL)
    raw = np.random.default_rng(0).dirichlet(np.ones(3), len(task.y))
    test = task.folds[0].test
    y = task.y.copy()
    y[test] = "a"
    relabelled = replace(task, y=y)
    before, after = (tempered_folds(one, raw, fold_temperatures(one, raw)) for one in (task, relabelled))
    assert (before[test] == after[test]).all()
    assert (np.delete(before, test, axis=0) != np.delete(after, test, axis=0)).any()


def test_score_takes_any_probabilities(make_clusters):
    task = prepare(make_clusters(), SMALL)
    perfect = (task.y[:, np.newaxis] == np.array(task.classes)).astype(float)
    result = score(task, OutOfFold("by hand", perfect))
    assert (result.head, result.balanced_accuracy) == ("by hand", 1)
