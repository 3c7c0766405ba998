"""Estimator objects from Python as heads."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, SVR

from cellfeat.errors import HeadError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.extraction.store import Features
from cellfeat.heads.registry import make_head
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from cellfeat.heads.scikit_learn.given import chosen_heads
from tests.feature_fixtures import SMALL, build_clusters


class Foreign(ClassifierMixin, BaseEstimator):
    """A classifier of a user, which knows nothing of cellfeat."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        raise TypeError("not written yet")


def names(heads):
    return [entry.name for entry in chosen_heads(heads)]


def test_objects_and_names_are_compared():
    comparison = compare(build_clusters(), ["logreg", SVC(C=10), make_pipeline(StandardScaler(), SVC())], design=SMALL)
    assert {result.head for result in comparison.results} == {"logreg", "SVC", "Pipeline"}
    settings = next(result.settings for result in comparison.results if result.head == "SVC")
    assert (settings["C"], settings["random_state"]) == (10, 0)


def test_equal_classes_are_numbered():
    assert names([SVC(), SVC(C=3), "sklearn:SVC"]) == ["SVC", "SVC_2", "sklearn:SVC"]


def test_dict_gives_the_names():
    comparison = compare(build_clusters(), {"mine": SVC(), "ridge": RidgeClassifier()}, design=SMALL)
    assert {result.head for result in comparison.results} == {"mine", "ridge"}


def test_names_and_dicts_are_mixed():
    assert names(["logreg", {"mine": SVC()}, SVC()]) == ["logreg", "mine", "SVC"]
    assert names({"logreg": "logreg", "mine": SVC()}) == ["logreg", "mine"]


def test_object_stays_unfitted():
    estimator = SVC()
    compare(build_clusters(), [estimator], design=SMALL)
    assert not hasattr(estimator, "classes_")
    assert estimator.random_state is None


def test_missing_class_weights_are_told():
    said = []
    compare(build_clusters(), [SVC()], design=SMALL, hooks=Hooks(say=said.append))
    assert any("class_weight='balanced'" in line for line in said)


def test_failures_are_told_and_the_rest_is_kept():
    comparison = compare(build_clusters(), ["logreg", MultinomialNB(), Foreign()], design=SMALL)
    assert [result.head for result in comparison.results] == ["logreg"]
    reasons = {failure.head: failure.reason for failure in comparison.failures}
    assert "Negative values" in reasons["MultinomialNB"]
    assert "TypeError: not written yet" in reasons["Foreign"]


class Votes(Foreign):
    """A classifier whose numbers are no probabilities."""

    def predict_proba(self, X):
        return np.tile(np.arange(len(self.classes_)), (len(X), 1))


def test_numbers_that_are_no_probabilities_are_refused():
    comparison = compare(build_clusters(), ["dummy", Votes()], design=SMALL)
    (failure,) = comparison.failures
    assert (
        "Votes: the probabilities of 60 of 60 samples are below 0 or do not add up to 1, such as 0, 1, 2"
        in failure.reason
    )


def test_pipeline_prepares_the_columns_itself():
    comparison = compare(build_clusters(), [make_pipeline(MinMaxScaler(), MultinomialNB())], design=SMALL)
    assert comparison.best.balanced_accuracy > 0.5


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([SVR()], "SVR, which is not one"),
        ([SVC], "class SVC"),
        ([object()], "scikit-learn's interface"),
        ({"logreg": SVC()}, "'logreg'.*another name"),
        ({3: SVC()}, "names that are text"),
        ([None], "NoneType"),
        ({"mine": "logreg"}, "'mine'.*keeps its name"),
    ],
)
def test_what_is_no_classifier_is_refused(heads, message):
    with pytest.raises(HeadError, match=message):
        compare(build_clusters(), heads, design=SMALL)


def test_settings_for_an_object_are_refused():
    with pytest.raises(HeadError, match=r"set on the object.*C"):
        compare(build_clusters(), [SVC()], design=SMALL, settings={"SVC": {"C": 3}})


def test_object_of_scikit_learn_is_cached(tmp_path):
    cache = FoldCache(tmp_path)
    for n_cached in (0, 3):
        assert compare(build_clusters(), [SVC(C=2)], design=SMALL, cache=cache).best.n_cached == n_cached
    assert compare(build_clusters(), [SVC(C=3)], design=SMALL, cache=cache).best.n_cached == 0


def test_object_with_code_of_the_user_is_not_cached(tmp_path):
    def pipeline():
        return make_pipeline(FunctionTransformer(lambda X: X), LogisticRegression())

    cache = FoldCache(tmp_path)
    for _ in range(2):
        assert compare(build_clusters(), [pipeline()], design=SMALL, cache=cache).best.n_cached == 0


@pytest.mark.slow
def test_fitted_object_is_saved_and_predicts_the_same(tmp_path):
    pytest.importorskip("skops")
    features = build_clusters()
    bundle, result = fit(features, make_pipeline(StandardScaler(), RandomForestClassifier(5)), design=SMALL)
    save_bundle(bundle, tmp_path / "head")
    loaded = load_bundle(tmp_path / "head")
    assert loaded.head_name == result.head == "Pipeline"
    assert np.array_equal(loaded.predict_proba(features.embeddings), bundle.predict_proba(features.embeddings))


@pytest.mark.slow
def test_object_that_skops_cannot_save_is_evaluated(tmp_path):
    pytest.importorskip("skops")
    pipeline = make_pipeline(FunctionTransformer(lambda X: X), LogisticRegression())
    bundle, result = fit(build_clusters(), pipeline, design=SMALL)
    assert result.balanced_accuracy > 0.5
    with pytest.raises(HeadError, match="Pipeline cannot be saved"):
        save_bundle(bundle, tmp_path / "head")
    assert not (tmp_path / "head").exists()


def test_gaussian_process_on_many_rows_is_refused_by_name_alone():
    assert make_head("sklearn:GaussianProcessClassifier", {}).most_rows is not None
    (entry,) = chosen_heads([GaussianProcessClassifier()])
    assert entry.make({}).most_rows is None
    head = make_head("sklearn:GaussianProcessClassifier", {})
    head.most_rows = 10
    with pytest.raises(HeadError, match=r"GaussianProcessClassifier.*20 are more than the 10"):
        head.fit(np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2)


class WrongOrder(BaseEstimator, ClassifierMixin):
    """A classifier as scikit-learn's older examples have it: the tags of BaseEstimator win."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_order_of_the_base_classes_is_named():
    with pytest.raises(HeadError, match=r"WrongOrder\(ClassifierMixin, BaseEstimator\), in this order"):
        chosen_heads([WrongOrder()])
    with pytest.raises(HeadError, match=r"SVR, which is not one$"):
        chosen_heads([SVR()])


def test_class_weights_of_classes_that_are_numbers_are_given_by_number():
    """Labels 0 and 1 are the classes "0" and "1", and weights for 0 and 1 are theirs."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    features = Features.from_arrays(X, labels=np.arange(60) % 2 * 10)
    by_number = compare(features, [LogisticRegression(class_weight={0: 1.0, 10: 9.0})], design=SMALL)
    by_name = compare(features, [LogisticRegression(class_weight={"0": 1.0, "10": 9.0})], design=SMALL)
    pd.testing.assert_frame_equal(by_number.best.predictions, by_name.best.predictions)
    assert (by_number.best.predictions["predicted"] == "10").mean() > 0.8
