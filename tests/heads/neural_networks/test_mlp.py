"""The multilayer perceptron: its shape, its views, its settings, and its time."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from cellfeat.errors import DeviceError, HeadError
from cellfeat.heads.neural_networks.mlp import MLPHead


def views_of_clusters(seed: int, n_views: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Samples whose single views are noisy; of shape (300, n_views, 16), and their class numbers."""
    centres = 1.2 * np.random.default_rng(0).standard_normal((3, 1, 16))
    codes = np.arange(300) % 3
    noise = 1.5 * np.random.default_rng(seed).standard_normal((300, n_views, 16))
    return (centres[codes] + noise).astype(np.float32), codes


@pytest.mark.parametrize("hidden", [10**9, [64, 10**9]])
def test_layers_that_no_memory_holds_are_refused(hidden: Any) -> None:
    embeddings, y = views_of_clusters(0, n_views=1)
    with pytest.raises(HeadError, match=r"hidden: expected at most 100,000, got 1,000,000,000"):
        MLPHead(hidden, epochs=1, device="cpu").fit(embeddings[:, 0], y)


@pytest.mark.parametrize(("hidden", "shapes"), [(7, [(7, 16), (3, 7)]), ([9, 5], [(9, 16), (5, 9), (3, 5)])])
def test_hidden_sets_the_widths_of_the_layers(hidden: Any, shapes: list[tuple[int, int]]) -> None:
    embeddings, y = views_of_clusters(0, n_views=1)
    head = MLPHead(hidden, epochs=1, device="cpu").fit(embeddings[:, 0], y)
    assert [weight.shape for weight, _ in head.layers_] == shapes


@pytest.mark.parametrize(("n_samples", "epochs"), [(100, 30), (20_000, 8), (1_000_000, 5)])
def test_many_samples_need_fewer_epochs(n_samples: int, epochs: int) -> None:
    assert MLPHead()._n_epochs(n_samples) == epochs
    assert MLPHead(epochs=12)._n_epochs(n_samples) == 12


def test_several_views_double_the_epochs() -> None:
    assert MLPHead(n_views=8)._n_epochs(20_000) == 2 * MLPHead()._n_epochs(20_000)


def test_all_views_at_prediction_beat_one() -> None:
    train, y = views_of_clusters(1)
    test, truth = views_of_clusters(2)
    head = MLPHead(32, n_views=4, epochs=20, device="cpu", random_state=0).fit(train.reshape(300, -1), y)
    one_view = np.repeat(test[:, :1], 4, axis=1)
    all_views, single = (head.predict(views.reshape(300, -1)) for views in (test, one_view))
    assert balanced_accuracy_score(truth, all_views) > balanced_accuracy_score(truth, single) + 0.02


def test_moments_are_taken_over_rows_and_views() -> None:
    embeddings, y = views_of_clusters(0)
    head = MLPHead(4, n_views=4, epochs=1, device="cpu").fit(embeddings.reshape(300, -1), y)
    np.testing.assert_allclose(
        head.transform_.moments.mean, embeddings.astype(float).mean(axis=(0, 1)), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("hidden", 0),
        ("hidden", [64, -1]),
        ("hidden", "512"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("epochs", 0),
        ("epochs", 2.5),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("weight_decay", -1),
        ("label_smoothing", 1),
        ("batch_size", True),
        ("class_weight", "even"),
        ("n_views", 0),
    ],
)
def test_setting_out_of_range_is_named(setting: str, value: object) -> None:
    embeddings, y = views_of_clusters(0, n_views=1)
    with pytest.raises(HeadError, match=f"{setting}: expected .* got "):
        MLPHead(**{"device": "cpu", setting: value}).fit(embeddings[:, 0], y)


def test_missing_device_is_refused() -> None:
    embeddings, y = views_of_clusters(0, n_views=1)
    with pytest.raises(DeviceError, match="device"):
        MLPHead(device="quantum").fit(embeddings[:, 0], y)


@pytest.mark.slow
def test_28896_rows_of_1024_columns_are_learned() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((28_896, 1024), dtype=np.float32)
    y = rng.integers(9, size=len(X))
    X[:, :9] += 2 * np.eye(9, dtype=np.float32)[y]
    assert MLPHead(device="cpu", random_state=0).fit(X, y).score(X, y) > 0.8
