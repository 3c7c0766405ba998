"""Classifiers of scikit-learn by name."""

import numpy as np
import pytest

from cellfeat.errors import HeadError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.heads.registry import HEADS, make_head
from cellfeat.heads.state import recorded_params
from tests.feature_fixtures import build_clusters


def test_table_finds_classifiers_and_lists_its_own_heads_only():
    assert "sklearn:SVC" in HEADS
    assert "sklearn:SVR" not in HEADS
    assert not any(name.startswith("sklearn:") for name in HEADS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sklearn:SVK", "did you mean 'sklearn:SVC'"),
        ("sklearn:svc", "did you mean 'sklearn:SVC'"),
        ("sklearn:SVR", "SVR of scikit-learn is not a classifier"),
        ("sklearn:os.system", "without a module"),
        ("sklearn:", "no classifier ''"),
    ],
)
def test_other_names_are_refused(name, message):
    with pytest.raises(UnknownNameError, match=message):
        make_head(name, {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CC": 1}, "'CC'.*did you mean 'C'"),
        ({"C": -1}, "'C' parameter of SVC"),
        ({"feature_transform": "whitened"}, "whiten"),
        ({"random_state": 3}, "no setting 'random_state'"),
    ],
)
def test_wrong_settings_are_refused_before_any_fit(settings, message):
    with pytest.raises(HeadError, match=message):
        make_head("sklearn:SVC", settings)


def test_classes_weigh_the_same_unless_asked_otherwise():
    assert recorded_params(make_head("sklearn:SVC", {}))["class_weight"] == "balanced"
    assert recorded_params(make_head("sklearn:SVC", {"class_weight": None}))["class_weight"] is None


def test_class_weights_are_given_by_class_name():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.array(["rare", "usual"])[(np.arange(200) % 4 > 0).astype(int)]
    found = [
        np.mean(make_head("sklearn:LogisticRegression", {"class_weight": weights}).fit(X, y).predict(X) == "rare")
        for weights in ({"rare": 50.0, "usual": 1.0}, {"rare": 0.02, "usual": 1.0})
    ]
    assert found[0] > 0.9
    assert found[1] < 0.1
    with pytest.raises(HeadError, match="no class is called 'rar'"):
        make_head("sklearn:SVC", {"class_weight": {"rar": 1.0}}).fit(X, y)


def test_seed_of_the_run_reaches_the_estimator():
    assert recorded_params(make_head("sklearn:RandomForestClassifier", {}, random_state=7))["random_state"] == 7


def test_decision_values_become_probabilities():
    X = np.random.default_rng(0).normal(size=(90, 4))
    for n_classes in (2, 3):
        head = make_head("sklearn:RidgeClassifier", {}).fit(X, np.arange(90) % n_classes)
        values = head.estimator_.decision_function(head._transformed(X.astype(np.float32)))
        likely = (values > 0).astype(int) if n_classes == 2 else values.argmax(axis=1)
        assert np.array_equal(head.predict_proba(X).argmax(axis=1), likely)


def test_one_value_for_each_pair_of_classes_is_refused():
    X = np.random.default_rng(0).normal(size=(80, 4))
    head = make_head("sklearn:SVC", {"decision_function_shape": "ovo"}).fit(X, np.arange(80) % 4)
    with pytest.raises(HeadError, match=r"SVC.*each of 4 classes.*80, 6"):
        head.predict_proba(X)


def test_settings_are_tuned():
    comparison = compare(
        build_clusters(n=90), ["sklearn:SVC", "sklearn:LinearDiscriminantAnalysis"], design=Design(3, draws=100, tune=2)
    )
    tuned = {result.head: result.scores.tuning for result in comparison.results}
    assert tuned["sklearn:SVC"].n_candidates == 2
    assert tuned["sklearn:LinearDiscriminantAnalysis"] is None


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert recorded_params(make_head("sklearn:SVC", {"C": "1e-3", "kernel": "linear"}))["C"] == 0.001
