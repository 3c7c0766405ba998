"""Neighbours of samples for the page."""

from pathlib import Path

import numpy as np
import pytest

from cellfeat.maps import make_map
from cellfeat.page.build import page_of_results
from cellfeat.page.samples import neighbours
from cellfeat.page.samples.neighbours import NONE, neighbours_among
from cellfeat.types import Integers
from tests.feature_fixtures import build_clusters


def _read(points: np.ndarray, rows: Integers, n_samples: int) -> np.ndarray:
    found = neighbours_among(points.astype(np.float32), rows, n_samples)
    assert found.entry is not None
    content = b"".join(make() for make in found.shards.values())
    return np.frombuffer(content, "<u4").reshape(n_samples, found.entry["k"])


def test_neighbours_are_the_nearest_in_order() -> None:
    points = np.random.default_rng(0).normal(size=(40, 5))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (_read(points, np.arange(40), 40) == distances.argsort(axis=1)[:, :12]).all()


def test_rows_without_numbers_have_no_neighbours_and_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "TEXT_BLOCK", 4)
    found = _read(np.array([[0.0], [10.0], [11.0]]), np.array([1, 5, 6]), 9)
    assert found[[1, 5, 6]].tolist() == [[5, 6], [6, 1], [5, 1]]
    assert (np.delete(found, [1, 5, 6], axis=0) == NONE).all()


def test_equal_samples_are_each_others_neighbours() -> None:
    found = _read(np.zeros((30, 2)), np.arange(30), 30)
    assert found.shape == (30, 12)
    assert not (found == np.arange(30)[:, None]).any()


@pytest.mark.parametrize("n", [0, 1, 20_001])
def test_too_few_or_too_many_samples_have_none(n: int) -> None:
    assert neighbours_among(np.zeros((n, 1), np.float32), np.arange(n), n).entry is None


def test_page_has_neighbours_where_a_t_sne_is_kept(tmp_path: Path) -> None:
    features = build_clusters(n=40).save(tmp_path / "cells.h5")
    make_map(features, "PCA")
    assert page_of_results(None, features).page["neighbours"] is None
    make_map(features, "t-SNE")
    content = page_of_results(None, features)
    assert content.page["neighbours"]["k"] == 12
    found = np.frombuffer(content.shards["neighbours-0"](), "<u4").reshape(40, 12)
    labels = features.samples.labels
    assert (labels[found] == labels[:, None]).mean() > 0.6
