"""Fitted heads: what they predict from any number of views, and fields that do not fit each other."""

from typing import Any

import numpy as np
import pytest

from cellfeat.errors import BundleError, HeadError
from cellfeat.heads.registry import HEADS
from cellfeat.heads.saved.bundle import describe_bundle, settings_of
from cellfeat.heads.saved.training_digests import TrainingDigests
from tests.heads.saved.fitted_bundles import CLASSES, DIM, digests_of, embeddings_of, fitted_bundle


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("fitted_views", [1, 4])
def test_any_number_of_views_in_any_order(name: str, fitted_views: int) -> None:
    bundle = fitted_bundle(name, n_views=fitted_views)
    for n_views in (1, 2, 8):
        embeddings = embeddings_of(n_views)
        probabilities = bundle.predict_proba(embeddings)
        assert probabilities.shape == (60, 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(bundle.predict_proba(embeddings[:, ::-1]), probabilities, rtol=1e-3, atol=1e-5)
        if name not in ("dummy", "linear_relu"):
            assert np.mean(probabilities.argmax(axis=1) == np.arange(60) % 3) > 0.8


@pytest.mark.slow
def test_other_number_of_views_gives_the_mean_over_single_views() -> None:
    bundle = fitted_bundle("mlp", n_views=4)
    embeddings = embeddings_of(2)
    single = [bundle.predict_proba(embeddings[:, [view]]) for view in range(2)]
    np.testing.assert_allclose(bundle.predict_proba(embeddings), np.mean(single, axis=0), rtol=1e-12)


def test_class_that_was_absent_at_fitting_has_probability_zero() -> None:
    bundle = fitted_bundle(classes=["RT4", "U2OS", "A-549", "HEK 293"])
    probabilities = bundle.predict_proba(embeddings_of(1))
    assert np.array_equal(probabilities[:, [2, 3, 0]], fitted_bundle().predict_proba(embeddings_of(1)))
    assert not probabilities[:, 1].any()


def test_training_samples_are_recognised() -> None:
    known = fitted_bundle(training_digests=TrainingDigests.of(digests_of(2)))
    assert known.has_seen(digests_of(3)).tolist() == [True, True, False]
    assert fitted_bundle().has_seen(digests_of(3)).tolist() == [False] * 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": ["A-549", "RT4"]}, "HEK 293"),
        ({"classes": [*CLASSES, "RT4"]}, "each class once"),
        ({"embedding_dim": 9}, "8 columns"),
        ({"temperature": 0.0}, "temperature: expected 0.05 to 20"),
    ],
)
def test_fields_that_do_not_fit_the_head_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        fitted_bundle(**fields)


@pytest.mark.parametrize("shape", [(5, DIM), (5, 1, DIM + 1), (5, 0, DIM)])
def test_embeddings_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(HeadError, match="expected embeddings of shape"):
        fitted_bundle().predict_proba(np.zeros(shape, np.float32))


@pytest.mark.parametrize("fields", [{"recipe": {"backbone": "x"}}, {"scores": {"balanced_accuracy": 0.5}}])
def test_malformed_recipe_or_scores_cannot_be_described(fields: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="'knn'"):
        describe_bundle(fitted_bundle(**fields))


@pytest.mark.parametrize("chosen", [3, ["C"], {"C": 0.01}, {"C": {"value": 0.01}}, {"C": {"candidates": 1}}])
def test_malformed_choices_cannot_be_described(chosen: Any) -> None:
    with pytest.raises(BundleError, match="'knn'"):
        describe_bundle(fitted_bundle(scores={"chosen": chosen}))


@pytest.mark.parametrize("provenance", [{}, {"settings": 3}, {"settings": {"imagse": {}}}])
def test_missing_or_malformed_settings_are_refused(provenance: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="settings"):
        settings_of(fitted_bundle(provenance=provenance))
