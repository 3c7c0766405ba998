"""Transforms of the columns: the result of each one, learned from the training rows only."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from cellfeat.errors import HeadError
from cellfeat.heads.preprocessing.moments import Moments
from cellfeat.heads.preprocessing.transforms import PROJECTIONS, ROW_STEPS, FeatureTransform, check_transform


def correlated(n_samples: int = 200, n_columns: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((n_samples, 6)) + 2 * np.eye(6)[np.arange(n_samples) % 3]
    noise = 0.3 * rng.standard_normal((n_samples, n_columns))
    return (hidden @ rng.standard_normal((6, n_columns)) + noise + 1).astype(np.float32)


@pytest.mark.parametrize("name", ["standardise", "power", "l2"])
def test_columns_have_mean_0_and_deviation_1(name: str) -> None:
    X = correlated()
    columns = FeatureTransform.fitted(name, X)(X)
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(columns.std(axis=0), 1, rtol=1e-5)


def test_power_is_the_signed_square_root() -> None:
    X = np.array([[-4.0, 0.0, 9.0]], np.float32)
    assert ROW_STEPS["power"](X).tolist() == [[-2.0, 0.0, 3.0]]


def test_l2_ignores_the_length_of_a_row() -> None:
    X = correlated()
    fitted = FeatureTransform.fitted("l2", X)
    np.testing.assert_allclose(fitted(X * np.float32(1e30)), fitted(X), atol=1e-4)
    assert ROW_STEPS["l2"](np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(("asked", "kept"), [(10, 10), (1000, 30), (None, 30), (1, 1)])
def test_whitened_columns_are_uncorrelated_with_variance_1(asked: int | None, kept: int) -> None:
    X = correlated()
    columns = FeatureTransform.fitted("whiten", X, asked)(X)
    assert columns.shape == (200, kept)
    np.testing.assert_allclose(columns.T @ columns / 200, np.eye(kept), atol=1e-6)


def test_pca_gives_the_components_of_scikit_learn() -> None:
    X = correlated()
    expected = PCA(5).fit_transform(StandardScaler().fit_transform(X.astype(float)))
    found = FeatureTransform.fitted("pca", X, 5)(X)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-5)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_components_are_sorted_by_variance(name: str) -> None:
    X = correlated()
    first, more = (FeatureTransform.fitted(name, X, number)(X) for number in (3, 9))
    np.testing.assert_allclose(np.abs(more[:, :3]), np.abs(first), atol=1e-6)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_directions_without_variance_are_left_out(name: str) -> None:
    X = correlated()
    copied = np.concatenate([X[:, :4], X[:, :4], np.ones((200, 2), np.float32)], axis=1)
    assert FeatureTransform.fitted(name, copied, 10).n_outputs == 4


@pytest.mark.parametrize("name", ROW_STEPS)
def test_identical_rows_become_finite_columns(name: str) -> None:
    X = np.ones((40, 3), np.float32)
    assert np.isfinite(FeatureTransform.fitted(name, X)(X)).all()


@pytest.mark.parametrize("name", ROW_STEPS)
def test_float32_differs_by_rounding_only(name: str) -> None:
    X = correlated()
    fitted = FeatureTransform.fitted(name, X)
    assert fitted.in_float32(X).dtype == np.float32
    np.testing.assert_allclose(fitted.in_float32(X), fitted(X), atol=1e-4)


@pytest.mark.parametrize("name", ROW_STEPS)
def test_transform_of_a_row_does_not_depend_on_other_rows(name: str) -> None:
    X = correlated()
    fitted = FeatureTransform.fitted(name, X[:150])
    np.testing.assert_allclose(fitted(X[150:]), np.concatenate([fitted(X[i : i + 1]) for i in range(150, 200)]))


def test_standardise_changes_only_level_and_scale() -> None:
    X = correlated()
    assert np.array_equal(FeatureTransform.fitted("standardise", X)(X), Moments.of(X).standardise(X))


@pytest.mark.parametrize(
    ("name", "feature_components", "message"),
    [
        ("whitten", None, "feature_transform: got 'whitten'; did you mean 'whiten'"),
        (None, None, "feature_transform: got None; Valid: l2, pca, power, standardise, whiten"),
        (["l2"], None, "feature_transform: got"),
        ("whiten", 0, "feature_components: expected an integer of at least 1, got 0"),
        ("power", 8, "feature_components = 8: expected feature_transform to be pca or whiten, got power"),
    ],
)
def test_invalid_parameters_are_refused(name: object, feature_components: object, message: str) -> None:
    with pytest.raises(HeadError, match=message):
        check_transform(name, feature_components)
