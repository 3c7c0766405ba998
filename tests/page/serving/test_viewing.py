import os
from pathlib import Path

from cellfeat.maps import find_map
from cellfeat.page.serving.viewing import make_missing_map, newest_results
from tests.feature_fixtures import build_clusters


def results(folder: Path, name: str, age: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("{}")
    os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))
    return folder


def test_newest_results_are_found_and_a_comparison_comes_first(tmp_path: Path) -> None:
    assert newest_results(tmp_path / "nothing") is None
    assert newest_results(tmp_path) is None
    old = results(tmp_path / "mlp", "metrics.json", 20)
    assert newest_results(tmp_path) == old
    newer = results(tmp_path / "audit", "audit.csv", 10)
    assert newest_results(tmp_path) == newer
    assert newest_results(results(tmp_path, "comparison.json", 30)) == tmp_path


def test_missing_map_is_made_once_and_kept(tmp_path: Path) -> None:
    features = build_clusters(n=40).save(tmp_path / "cells.h5")
    said: list[str] = []

    def prepare(choice: str) -> None:
        make_missing_map(features, choice, lambda *_: None, said.append)

    prepare("none")
    assert find_map(features) is None
    prepare("pca")
    assert find_map(features).method == "PCA"
    prepare("tsne")
    assert find_map(features).method == "t-SNE"
    n_lines = len(said)
    for choice in ("tsne", "pca", "none"):
        prepare(choice)
    assert len(said) == n_lines


def test_few_samples_have_their_principal_components(tmp_path: Path) -> None:
    features = build_clusters(n=6).save(tmp_path / "cells.h5")
    make_missing_map(features, "tsne", lambda *_: None, lambda _: None)
    assert find_map(features).method == "PCA"
    make_missing_map(None, "tsne", lambda *_: None, lambda _: None)
