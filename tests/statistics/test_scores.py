import numpy as np
import pytest
from sklearn import metrics

from cellfeat.statistics.scores import (
    balanced_accuracy,
    calibration_error,
    confusion_matrix,
    encode,
    log_loss,
    macro_f1,
    per_class_recall,
    reliability,
    selective_accuracy,
)

CLASSES = ("HeLa", "A549", "U-2 OS")  # on purpose not sorted


def test_scores_agree_with_sklearn(labelled):
    y, predicted = labelled
    assert balanced_accuracy(y, predicted, CLASSES) == pytest.approx(metrics.balanced_accuracy_score(y, predicted))
    assert macro_f1(y, predicted, CLASSES) == pytest.approx(metrics.f1_score(y, predicted, average="macro"))
    assert per_class_recall(y, predicted, CLASSES) == pytest.approx(
        metrics.recall_score(y, predicted, average=None, labels=CLASSES)
    )
    assert (confusion_matrix(y, predicted, CLASSES) == metrics.confusion_matrix(y, predicted, labels=CLASSES)).all()


def test_log_loss_agrees_with_sklearn(labelled):
    y, _ = labelled
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), len(y))
    in_sorted_order = probabilities[:, np.argsort(CLASSES)]
    expected = metrics.log_loss(y, in_sorted_order, labels=sorted(CLASSES))
    assert log_loss(y, probabilities, CLASSES) == pytest.approx(expected)


def test_log_loss_of_a_certain_error_is_finite():
    assert 0 < log_loss(["A549"], np.array([[1.0, 0.0, 0.0]]), CLASSES) < 100


def test_calibration_error_is_confidence_minus_accuracy():
    probabilities = np.tile([0.8, 0.1, 0.1], (10, 1))
    assert calibration_error(["HeLa"] * 10, probabilities, CLASSES) == pytest.approx(0.2)
    assert calibration_error(["HeLa"] * 8 + ["A549"] * 2, probabilities, CLASSES) == pytest.approx(0.0)


def test_reliability_bins_samples_by_confidence():
    sure, unsure = [0.96, 0.02, 0.02], [0.5, 0.25, 0.25]
    bins = reliability(["HeLa"] * 3 + ["A549"], np.array([sure, sure, unsure, unsure]), CLASSES)
    assert bins == pytest.approx(np.array([[0.5, 0.5, 2], [0.96, 1, 2]]))


def test_abstaining_keeps_confident_predictions():
    sure, unsure = [0.96, 0.02, 0.02], [0.5, 0.25, 0.25]
    probabilities = np.array([sure, sure, unsure, unsure])
    kept = selective_accuracy(["HeLa"] * 3 + ["A549"], probabilities, CLASSES, [0, 0.5, 0.9, 0.99])
    assert kept[:3] == [(1, 0.75), (1, 0.75), (0.5, 1)]
    assert kept[3][0] == 0
    assert np.isnan(kept[3][1])


def test_class_missing_from_the_truth_is_an_error():
    with pytest.raises(ValueError, match="U-2 OS"):
        balanced_accuracy(["HeLa", "A549"], ["HeLa", "A549"], CLASSES)


@pytest.mark.parametrize("strange", ["AAA", "J", "zzz", ""])
def test_unknown_label_is_named(strange):
    with pytest.raises(ValueError, match=f"got {strange}"):
        encode(["HeLa", strange], CLASSES)
