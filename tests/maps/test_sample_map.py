"""Maps of samples: made, kept, found again, and new samples placed on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cellfeat
from cellfeat.errors import ConfigError, FingerprintError
from cellfeat.extraction.store import Features, Status, view_folder
from cellfeat.maps import find_map, make_map
from cellfeat.maps.kept import map_file
from cellfeat.maps.tsne import embedded
from tests.feature_fixtures import build_clusters, with_samples

CLASSES = ("a", "b", "c")


@pytest.fixture
def clusters(tmp_path: Path) -> Features:
    """Three clusters that lie far apart; one sample of them could not be read."""
    features = build_clusters(n=150, dim=20, separation=4)
    embeddings, status = features.embeddings.copy(), features.samples.status.copy()
    embeddings[7], status[7] = np.nan, Status.FAILED
    return replace(with_samples(features, status=status), path=tmp_path / "cells.h5", embeddings=embeddings)


def coordinates(found) -> np.ndarray:
    return np.column_stack([found.x, found.y])


def nearest(places: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    distances = np.linalg.norm(places[np.newaxis] - new[:, np.newaxis], axis=2)
    return labels[np.nanargmin(distances, axis=1)]


@pytest.mark.parametrize("method", ["t-SNE", "PCA"])
def test_samples_of_a_cluster_lie_together(clusters: Features, method) -> None:
    found = make_map(clusters, method, threads=1)
    places, labels = coordinates(found), clusters.samples.labels
    assert found.method == method
    assert places.dtype == np.float32
    assert np.isnan(places[7]).all()
    assert np.isfinite(np.delete(places, 7, axis=0)).all()
    centres = {name: np.nanmean(places[labels == name], axis=0) for name in CLASSES}
    spread = max(np.nanstd(places[labels == name], axis=0).max() for name in CLASSES)
    between = min(np.linalg.norm(centres[one] - centres[two]) for one, two in [("a", "b"), ("a", "c"), ("b", "c")])
    assert between > 3 * spread


@pytest.mark.parametrize("method", ["t-SNE", "PCA"])
def test_new_samples_lie_in_their_cluster(clusters: Features, method) -> None:
    known, new = clusters.take(np.arange(120)), clusters.take(np.arange(120, 150))
    found = make_map(known, method, threads=1)
    before = coordinates(found).copy()
    placed = found.place(new.embeddings, threads=1)
    assert placed.shape == (30, 2)
    assert (nearest(before, known.samples.labels, placed) == new.samples.labels).all()
    np.testing.assert_array_equal(coordinates(found), before)


@pytest.mark.slow
@pytest.mark.parametrize("fft_from", [100, 10_000])
def test_threads_do_not_change_a_bit(fft_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FFT_FROM": fft_from, "THREADS_FROM": 0, "EARLY": 10, "MAIN": 10}.items():
        monkeypatch.setattr(f"cellfeat.maps.tsne.{name}", value)
    components = build_clusters(n=150, dim=12).embeddings[:, 0]
    one, two = (embedded(components, threads, lambda *_: None) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("method", ["t-SNE", "PCA"])
def test_kept_map_is_found_and_places_alike(clusters: Features, method) -> None:
    made = cellfeat.make_map(clusters, method, threads=1)
    found = cellfeat.find_map(clusters)
    assert found is not None
    assert (found.method, found.note) == (made.method, made.note)
    np.testing.assert_array_equal(coordinates(found), coordinates(made))
    new = clusters.embeddings[:5]
    np.testing.assert_array_equal(found.place(new, threads=1), made.place(new, threads=1))


def test_map_of_other_embeddings_is_not_found(clusters: Features) -> None:
    assert find_map(clusters) is None
    make_map(clusters, "PCA")
    assert find_map(clusters) is not None
    assert find_map(clusters, "t-SNE") is None
    assert find_map(replace(clusters, fingerprint="sha256:other")) is None
    assert find_map(clusters.take(np.arange(20))) is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_damaged_file_counts_as_missing(clusters: Features, damage: bytes | None) -> None:
    make_map(clusters, "PCA")
    path = map_file(view_folder(clusters), "PCA")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert find_map(clusters) is None


def test_changed_bytes_of_a_kept_map_never_end_the_program(clusters: Features) -> None:
    make_map(clusters, "PCA")
    path, rng = map_file(view_folder(clusters), "PCA"), np.random.default_rng(0)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    n_refused = 0
    for place in rng.integers(len(content), size=40):
        damaged = content.copy()
        damaged[place] ^= rng.integers(1, 256, dtype=np.uint8)
        path.write_bytes(damaged.tobytes())
        n_refused += find_map(clusters) is None
    assert n_refused > 25  # a few bytes are padding, or say what nobody reads


def test_few_samples_are_shown_by_components(clusters: Features) -> None:
    for n_samples in (0, 1, 2, 9):
        rows = np.array([row for row in range(20) if row != 7][:n_samples], dtype=int)
        found = make_map(clusters.take(rows), "t-SNE")
        assert found.method == "PCA"
        assert len(found) == n_samples
        assert np.isfinite(coordinates(found)).all()


def test_samples_that_all_failed_have_no_place(clusters: Features) -> None:
    found = make_map(clusters.take([7]))
    assert np.isnan(found.x).all()
    with pytest.raises(ConfigError, match="no samples"):
        found.place(clusters.embeddings[:2])


def test_equal_samples_and_single_columns_have_a_map(tmp_path: Path) -> None:
    features = replace(build_clusters(n=30, dim=3), path=tmp_path / "cells.h5")
    for embeddings in (np.ones((30, 1, 3), np.float32), features.embeddings[:, :, :1]):
        for method in ("t-SNE", "PCA"):
            found = make_map(replace(features, embeddings=embeddings), method, threads=1)  # type: ignore[arg-type]
            assert np.isfinite(coordinates(found)).all()


def test_failing_tsne_leaves_components(clusters: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no neighbours")

    monkeypatch.setattr("cellfeat.maps.sample_map.embedded", fail)
    told: list[str] = []
    found = make_map(clusters, say=told.append)
    assert found.method == "PCA"
    assert "no neighbours" in found.note
    assert "no neighbours" in told[0]


def test_many_samples_are_shown_by_components_unless_asked(clusters: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellfeat.maps.sample_map.MOST", 100)
    assert make_map(clusters).method == "PCA"
    assert make_map(clusters, "t-SNE", threads=1).method == "t-SNE"


def test_map_that_cannot_be_kept_is_still_given(clusters: Features, tmp_path: Path) -> None:
    (tmp_path / "cells.view").write_text("in the way")
    told: list[str] = []
    assert make_map(clusters, "PCA", say=told.append).method == "PCA"
    assert "not kept" in "".join(told) or find_map(clusters) is not None


def test_missing_numbers_of_a_table_are_filled_in(tmp_path: Path) -> None:
    numbers = build_clusters(n=90, dim=8, separation=4).embeddings[:, 0].copy()
    numbers[::7, 2] = np.nan
    numbers *= np.logspace(-3, 6, 8)
    features = replace(Features.from_arrays(numbers), path=tmp_path / "table.h5")
    found = make_map(features, "PCA")
    assert np.isfinite(coordinates(found)).all()
    assert np.isnan(found.place(np.full((1, 8), np.nan))).all()
    np.testing.assert_allclose(found.place(numbers[:10]), coordinates(found)[:10], rtol=1e-5)


def test_embeddings_of_another_recipe_are_refused(clusters: Features) -> None:
    found = make_map(clusters, "PCA")
    with pytest.raises(FingerprintError, match="20 numbers"):
        found.place(np.zeros((2, 1, 19), np.float32))
    with pytest.raises(ConfigError, match="shape"):
        found.place(np.zeros(20, np.float32))
    with pytest.raises(ConfigError, match="UMAP"):
        make_map(clusters, "UMAP")  # type: ignore[arg-type]


def test_progress_counts_to_the_end(clusters: Features) -> None:
    told: list[tuple[int, int]] = []
    make_map(clusters, "t-SNE", threads=1, progress=lambda done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert done[0] == 0
    assert done[-1] == totals[-1]
