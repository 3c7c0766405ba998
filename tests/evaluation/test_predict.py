import numpy as np
import pytest

from cellfeat.errors import ConfigError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fit import fit
from cellfeat.evaluation.saved_heads.predict import predict
from tests.feature_fixtures import with_samples


@pytest.fixture
def features(make_clusters):
    features = make_clusters(separation=0.8)
    status = features.samples.status.copy()
    status[3] = 1
    features.embeddings[3] = np.nan
    return with_samples(features, status=status)


@pytest.fixture
def bundle(features):
    return fit(features, "logreg", design=Design(folds=3, draws=100))[0]


def test_without_a_threshold_every_sample_that_was_read_has_a_class(bundle, features):
    predictions = predict(bundle, features)
    assert (predictions.n_failed, predictions.n_abstained) == (1, 0)
    assert np.flatnonzero(predictions.predicted == "").tolist() == [3]


def test_below_the_threshold_the_head_abstains_and_nothing_else_changes(bundle, features):
    plain = predict(bundle, features)
    careful = predict(bundle, features, min_probability=0.7, abstain_word="not sure, sorry")
    highest = np.nan_to_num(plain.probabilities.max(axis=1))
    unsure = (highest < 0.7) & (highest > 0)
    assert 0 < unsure.sum() < 179
    assert (careful.predicted[unsure] == "not sure, sorry").all()
    assert (careful.predicted[~unsure] == plain.predicted[~unsure]).all()
    assert (careful.n_failed, careful.n_abstained) == (1, unsure.sum())
    np.testing.assert_array_equal(careful.probabilities, plain.probabilities)


def test_what_is_kept_is_more_often_right(bundle, features):
    careful = predict(bundle, features, min_probability=0.7)
    kept = careful.predicted != ""
    is_right = predict(bundle, features).predicted == features.samples.labels
    assert is_right[kept].mean() > is_right.mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"min_probability": 1.5}, "expected 0 to 1"), ({"abstain_word": "a"}, "'a' is a class")],
)
def test_thresholds_and_words_that_mean_nothing_are_refused(bundle, features, options, message):
    with pytest.raises(ConfigError, match=message):
        predict(bundle, features, **options)
