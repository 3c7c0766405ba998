from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import ConfigError, FingerprintError
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.extraction.store import Properties, no_properties
from cellfeat.provenance import digest_json
from tests.feature_fixtures import SMALL, with_samples


@pytest.fixture(scope="module")
def features(make_clusters):
    """Samples of which the fourth could not be read."""
    features = make_clusters(separation=0.8)
    status = features.samples.status.copy()
    status[3] = 1
    features.embeddings[3] = np.nan
    return with_samples(features, status=status)


@pytest.fixture(scope="module")
def bundle(features):
    return fit(features, "logreg", design=SMALL)[0]


def test_every_readable_sample_has_a_class(bundle, features):
    predictions = predict(bundle, features)
    assert (predictions.n_failed, predictions.n_abstained) == (1, 0)
    assert np.flatnonzero(predictions.predicted == "").tolist() == [3]


def test_head_abstains_below_the_threshold(bundle, features):
    plain = predict(bundle, features)
    careful = predict(bundle, features, min_probability=0.7, abstain_word="not sure, sorry")
    highest = np.nan_to_num(plain.probabilities.max(axis=1))
    unsure = (highest < 0.7) & (highest > 0)
    assert 0 < unsure.sum() < 179
    assert (careful.predicted[unsure] == "not sure, sorry").all()
    assert (careful.predicted[~unsure] == plain.predicted[~unsure]).all()
    assert (careful.n_failed, careful.n_abstained) == (1, unsure.sum())
    np.testing.assert_array_equal(careful.probabilities, plain.probabilities)
    is_right = plain.predicted == features.samples.labels
    assert is_right[~unsure].mean() > is_right.mean()


@pytest.mark.parametrize(
    ("options", "noun"),
    [({"min_probability": 1.5}, "min_probability.*1.5"), ({"abstain_word": "a"}, "abstain_word.*'a'")],
)
def test_wrong_thresholds_and_words_are_refused(bundle, features, options, noun):
    with pytest.raises(ConfigError, match=noun):
        predict(bundle, features, **options)


def test_features_of_another_recipe_are_refused_with_the_difference(bundle, features):
    other = replace(features, fingerprint="sha256:other", recipe={"passes": ["composite"]})
    with pytest.raises(FingerprintError, match=r"test\.h5.*passes.*composite"):
        predict(bundle, other)


def intensity_recipe(features, **white):
    """The features with a recipe of images that are scaled by their type, or by what they state."""
    recipe = {"intensity": {"range": None, "percentile": None, "over": "image", **white}}
    return replace(features, fingerprint=digest_json(recipe), recipe=recipe)


def with_files(features, dtype, bits_stated):
    """The features as of files that all have one type and state these bits."""
    records = no_properties(len(features))
    records["dtype"], records["bits_stated"] = dtype, bits_stated
    return with_samples(features, properties=Properties(records))


@pytest.mark.parametrize(("dtype", "bits"), [("uint8", "8"), ("uint16", "16"), ("float32", "32")])
def test_head_of_0_1_takes_files_that_state_all_bits_of_their_type(features, dtype, bits):
    old = fit(intensity_recipe(features), "logreg", design=SMALL)[0]

    assert predict(old, with_files(intensity_recipe(features, white="stated"), dtype, bits)).n_failed == 1


def test_head_of_0_1_refuses_files_whose_white_has_changed(features):
    old = fit(intensity_recipe(features), "logreg", design=SMALL)[0]

    with pytest.raises(FingerprintError, match="white"):
        predict(old, with_files(intensity_recipe(features, white="stated"), "uint16", "12"))
