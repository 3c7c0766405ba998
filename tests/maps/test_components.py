import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from cellfeat.maps import components
from cellfeat.maps.components import Components


def embeddings(n: int = 200, dim: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(n, 5)) * [9, 7, 5, 3, 2] @ rng.normal(size=(5, dim))
    return (mixed + 0.1 * rng.normal(size=(n, dim))).astype(np.float32)[:, np.newaxis] + 100


def test_components_are_those_of_scikit_learn() -> None:
    X = embeddings()
    found = Components.fitted(X, np.arange(200), "none")
    pca = PCA(5).fit(StandardScaler().fit_transform(X[:, 0]))
    np.testing.assert_allclose(found.shares[:5], pca.explained_variance_ratio_, rtol=1e-3)
    expected = pca.transform(StandardScaler().fit_transform(X[:, 0]))
    projected = found(X, np.arange(200))[:, :5]
    np.testing.assert_allclose(np.abs(projected), np.abs(expected), rtol=1e-2, atol=1e-2)


def test_rows_are_projected_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    X = embeddings()
    found = Components.fitted(X, np.arange(200), "none")
    whole = found(X, np.arange(200))
    monkeypatch.setattr(components, "BLOCK_ELEMENTS", 100)
    np.testing.assert_allclose(found(X, np.arange(200)), whole, rtol=1e-5, atol=1e-5)


def test_part_of_the_rows_gives_nearly_the_same_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    X = embeddings(2_000)
    whole = Components.fitted(X, np.arange(2_000), "none")
    monkeypatch.setattr(components, "MOST_ROWS", 500)
    part = Components.fitted(X, np.arange(2_000), "none")
    assert abs(float(whole.axes[0] @ part.axes[0])) > 0.98
