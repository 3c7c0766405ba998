"""Nearest neighbours: against a plain loop, in blocks, and with copies of a training sample."""

import numpy as np
import pytest

from cellfeat.heads.baselines import knn
from cellfeat.heads.baselines.knn import KNNHead


def noisy(n_samples: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.minimum(np.arange(n_samples) % 5, 2)
    return (rng.standard_normal((n_samples, 12)) + np.eye(12)[y] * 2).astype(np.float32), y


def votes_by_a_plain_loop(X: np.ndarray, y: np.ndarray, query: np.ndarray, k: int) -> np.ndarray:
    centred = (X - X.mean(axis=0)) / X.std(axis=0)
    query = (query - X.mean(axis=0)) / X.std(axis=0)
    cosines = np.array([row @ query / np.linalg.norm(row) / np.linalg.norm(query) for row in centred])
    totals = np.zeros(3)
    for neighbour in np.argsort(-cosines)[:k]:
        totals[y[neighbour]] += len(y) / (3 * np.sum(y == y[neighbour])) / (1 - cosines[neighbour])
    return totals / totals.sum()


def test_votes_equal_those_of_a_plain_loop_for_any_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = noisy()
    queries = np.random.default_rng(1).standard_normal((23, 12)).astype(np.float32)
    monkeypatch.setattr(knn, "BLOCK_ELEMENTS", 400)
    found = KNNHead(n_neighbors=7).fit(X, y).predict_proba(queries)
    expected = [votes_by_a_plain_loop(X.astype(float), y, query.astype(float), 7) for query in queries]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_copy_of_a_training_sample_gets_its_label() -> None:
    X, _ = noisy()
    y = np.random.default_rng(2).integers(3, size=len(X))
    assert np.array_equal(KNNHead().fit(X, y).predict(X), y)


def test_sample_at_the_mean_gets_equal_probabilities() -> None:
    X, y = noisy()
    head = KNNHead(n_neighbors=1000).fit(np.concatenate([X, -X]), np.concatenate([y, y]))
    probabilities = head.predict_proba(np.zeros((1, 12)))
    np.testing.assert_allclose(probabilities, 1 / 3, atol=1e-3)
