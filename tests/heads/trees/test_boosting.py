"""Boosted trees: their training rows, and the model read back from its text."""

import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.trees.boosting import BoostingHead


def correlated(n_samples: int = 200, n_columns: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 3
    hidden = rng.standard_normal((n_samples, 6)) + 2 * np.eye(6)[y]
    noise = 0.3 * rng.standard_normal((n_samples, n_columns))
    return (hidden @ rng.standard_normal((6, n_columns)) + noise).astype(np.float32), y


def quick(**settings: object) -> BoostingHead:
    return BoostingHead(**{"n_estimators": 5, "n_jobs": 1, "random_state": 0} | settings)


def test_trees_use_the_standardised_columns_by_default() -> None:
    X, y = correlated()
    head = quick().fit(X, y)
    np.testing.assert_allclose(head.transform_.in_float32(X).std(axis=0), 1, rtol=1e-6)
    assert head.booster_.num_feature() == 30
    assert "axes" not in head.get_state().arrays


@pytest.mark.parametrize("settings", [{}, {"feature_transform": "whiten", "feature_components": 2}])
def test_identical_samples_can_be_fitted(settings: dict[str, object]) -> None:
    head = quick(**settings).fit(np.ones((40, 3), np.float32), np.arange(40) % 2)
    np.testing.assert_allclose(head.predict_proba(np.ones((2, 3))), 0.5, atol=1e-9)


def test_number_of_threads_does_not_change_the_trees() -> None:
    X, y = correlated()
    one, two = (quick(n_jobs=n_jobs).fit(X, y).predict_proba(X) for n_jobs in (1, 2))
    assert np.array_equal(one, two)


def test_model_of_other_columns_is_refused() -> None:
    X, y = correlated()
    eight, five = (quick(feature_transform="whiten", feature_components=number) for number in (8, 5))
    state, other = eight.fit(X, y).get_state(), five.fit(X, y).get_state()
    state.texts["lightgbm"] = other.texts["lightgbm"]
    with pytest.raises(HeadError, match="max_feature_idx: expected '7', got '4'"):
        eight.set_state(state)


def test_trees_split_on_few_samples() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 12)
    X = rng.normal(size=(36, 8)) + 3 * np.eye(3, 8)[np.repeat([0, 1, 2], 12)]
    assert (BoostingHead(random_state=0).fit(X, y).predict(X) == y).mean() > 0.9


@pytest.mark.parametrize(("n_views", "rows"), [(1, 1), (4, 4), (8, 4)])
def test_views_are_separate_training_rows(n_views: int, rows: int) -> None:
    X, y = correlated()
    views = X[:, None, :] + np.random.default_rng(1).standard_normal((200, n_views, 30)).astype(np.float32)
    head = quick(n_views=n_views)
    training = head._training_rows(views.reshape(200, -1)).reshape(200, rows, 30)
    assert np.array_equal(training, views[:, :: n_views // rows])
    assert head.fit(views.reshape(200, -1), y).transform_.n_outputs == 30
    assert head.predict_proba(views.reshape(200, -1)).shape == (200, 3)


def test_prediction_is_the_mean_over_all_views() -> None:
    X, y = correlated()
    views = X[:, None, :] + np.random.default_rng(1).standard_normal((200, 8, 30)).astype(np.float32)
    head = quick(n_views=8).fit(views.reshape(200, -1), y)
    by_view = [head.predict_proba(np.tile(views[:, view], (1, 8))) for view in range(8)]
    np.testing.assert_allclose(head.predict_proba(views.reshape(200, -1)), np.mean(by_view, axis=0), rtol=1e-9)
