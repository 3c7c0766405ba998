"""The head of an earlier system: the same numbers as the layers of PyTorch, and the cost of the last ReLU."""

import numpy as np
import pytest
import torch
from torch import nn

from cellfeat.errors import HeadError
from cellfeat.heads.neural_networks.linear_relu import LinearReLUHead


def small_clusters(n_columns: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    codes = np.arange(90) % 3
    centres = 3 * rng.standard_normal((3, n_columns))
    return (centres[codes] + rng.standard_normal((90, n_columns))).astype(np.float32), codes


def test_probabilities_are_those_of_the_layers_of_torch() -> None:
    X, y = small_clusters()
    head = LinearReLUHead(n_groups=4, epochs=3, device="cpu", random_state=0).fit(X, y)
    network = nn.Sequential(nn.GroupNorm(4, 24), nn.Dropout(0.5), nn.Linear(24, 3), nn.ReLU(), nn.Softmax(1)).double()
    learned = (head.norm_weight_, head.norm_bias_, head.weight_, head.bias_)
    with torch.no_grad():
        for parameter, values in zip(network.parameters(), learned, strict=True):
            parameter.copy_(torch.from_numpy(values))
        expected = network.eval()(torch.from_numpy(X).double()).numpy()
    np.testing.assert_allclose(head.predict_proba(X), expected, rtol=1e-9)


@pytest.mark.parametrize(("n_columns", "n_groups"), [(1280, 32), (1024, 32), (1000, 25), (7, 1), (2, 1), (40, 20)])
def test_groups_divide_the_columns(n_columns: int, n_groups: int) -> None:
    X, y = small_clusters(n_columns)
    assert LinearReLUHead(epochs=1, device="cpu").fit(X, y)._groups() == n_groups


def test_last_relu_can_leave_a_class_dead() -> None:
    X, y = small_clusters()
    head = LinearReLUHead(epochs=1, device="cpu", random_state=0).fit(X, y)
    head.bias_ = head.bias_ - np.array([0, 1e3, 0])
    probabilities = head.predict_proba(X)
    assert np.unique(probabilities.argmin(axis=1)).tolist() != [0]
    assert not (head.predict(X) == 1).any()


def test_single_column_is_refused() -> None:
    X, y = small_clusters()
    with pytest.raises(HeadError, match="n_features = 1"):
        LinearReLUHead(device="cpu").fit(X[:, :1], y)
