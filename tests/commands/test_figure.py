"""``cellfeat figure`` on results of generated pictures: each kind, and what it refuses."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.extraction.store import load_features
from cellfeat.reporting.files import write_report
from cellfeat.saved_results.results_folder import ResultsFolder
from tests.commands.command_line import refused, run_cli, succeed
from tests.feature_fixtures import SMALL, build_clusters, save_pictures

CLASSES = ("A549", "HeLa", "<script>alert(1)</script>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feature file of pictures, a comparison and an audit of it; shared, so leave it as it is."""
    path = tmp_path_factory.mktemp("figure")
    rng = np.random.default_rng(0)
    clusters = build_clusters(n=60, separation=0.6, classes=CLASSES)
    pictured = save_pictures(clusters, rng.integers(0, 255, (60, 12, 12), dtype=np.uint8), path / "images")
    pictured = replace(pictured, samples=replace(pictured.samples, columns={"plate": np.array(["p1", "p2"] * 30)}))
    pictured.save(path / "features" / "cells.h5")
    results = path / "results"
    features = load_features(path / "features" / "cells.h5")
    write_report(compare(features, ["logreg", "dummy"], design=SMALL), results, figures=[])
    (path / "results" / "audit").mkdir()
    with (path / "results" / "audit" / "audit.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("sample", "finding", "partner", "detail"), ("s1", "copy", "s2", ""), ("s4", "near copy", "s7", "")]
        )
    # As it is written where `compare` runs in the folder.
    record = ResultsFolder.of(results, features)
    replace(record, source="features/cells.h5").record()
    return path


@pytest.mark.parametrize("kind", ["heads", "confusion", "recalls", "reliability", "mistakes", "class", "pairs"])
def test_figure_is_written(folder: Path, tmp_path: Path, kind: str) -> None:
    done = succeed(folder, "figure", kind, "results", "-o", str(tmp_path / "x.png"), "--width", "one")
    assert str(tmp_path / "x.png") in done.stdout
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_features_are_found_from_another_folder(folder: Path, tmp_path: Path) -> None:
    succeed(tmp_path, "figure", "class", str(folder / "results"), "-o", "x.svg", "--true", "HeLa", "--rows", "1")
    assert "HeLa" in (tmp_path / "x.svg").read_text()


@pytest.mark.slow
def test_map_is_kept_and_coloured_by_any_column(folder: Path, tmp_path: Path) -> None:
    first = succeed(folder, "figure", "map", "results", "-o", str(tmp_path / "a.svg"))
    assert "t-SNE: 100 of 500" in first.stderr
    text = (tmp_path / "a.svg").read_text()
    assert "Distances between clusters mean nothing" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    for colour, word in [("plate", "p2"), ("correct", "wrong"), ("confidence", "confidence"), ("fold", "3")]:
        again = succeed(folder, "figure", "map", "results", "-o", str(tmp_path / "b.svg"), "--colour", colour)
        assert "t-SNE" not in again.stderr
        assert word in (tmp_path / "b.svg").read_text()
    alone = succeed(folder, "figure", "map", "--features", "features/cells.h5", "-o", str(tmp_path / "c.svg"))
    assert alone.returncode == 0
    in_place = succeed(folder, "figure", "map", "features/cells.h5", "-o", str(tmp_path / "d.svg"))
    assert in_place.returncode == 0


@pytest.mark.slow
def test_map_is_a_tsne_though_a_page_kept_components(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "features" / "cells.h5", tmp_path / "own.h5")
    succeed(tmp_path, "figure", "map", "own.h5", "-o", "pca.svg", "--method", "PCA")
    succeed(tmp_path, "figure", "map", "own.h5", "-o", "default.svg")
    assert "t-SNE" in (tmp_path / "default.svg").read_text()


def test_mistakes_are_those_asked_for(folder: Path, tmp_path: Path) -> None:
    succeed(folder, "figure", "mistakes", "results", "--true", "HeLa", "--head", "dummy", "-o", str(tmp_path / "x.svg"))
    text = (tmp_path / "x.svg").read_text()
    assert "HeLa →" in text
    assert "A549 →" not in text


def test_default_file_lies_in_the_results(folder: Path) -> None:
    succeed(folder, "figure", "heads", "results")
    assert (folder / "results" / "figure_heads.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("heads", "gone"), ("gone", "does not exist", "cellfeat compare")),
        (("heads", "features"), ("holds no results",)),
        (("confusion", "results", "--head", "mpl"), ("'mpl'", "logreg")),
        (("mistakes", "results", "--true", "Hela"), ("'Hela'", "HeLa")),
        (("mistakes", "results", "--true", "HeLa", "--predicted", "HeLa"), ("no mistake",)),
        (("class", "results", "--true", "RT4"), ("'RT4'", "A549")),
        (("map", "results", "--colour", "plat"), ("'plat'", "plate")),
        (("map", "--features", "features/cells.h5", "--colour", "correct"), ("needs the results",)),
        (("curve", "results"), ("learning_curve.json", "--fractions")),
        (("pairs", "features"), ("audit", "cellfeat audit")),
        (("class", "results", "--images", "nowhere"), ("nowhere",)),
        (("heads", "results", "-o", "no/such.png/x.png/"), ("x.png",)),
    ],
)
def test_bad_input_is_explained(folder: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    if arguments[-1].endswith("/"):
        (folder / "no" / "such.png" / "x.png").mkdir(parents=True)
    message = refused(folder, "figure", *arguments)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("heads", "results", "-o", "x.jpg"), ".pdf"),
        (("heads", "results", "--true", "HeLa"), "--true"),
        (("confusion", "results", "--each-channel"), "--each-channel"),
        (("histogram", "results"), "heads"),
        (("heads", "results", "--width", "three"), "two"),
        (("class", "results", "--rows", "0"), "rows"),
    ],
)
def test_wrong_use_is_explained(folder: Path, arguments: tuple[str, ...], word: str) -> None:
    assert word in refused(folder, "figure", *arguments, code=2)


def test_damaged_and_foreign_results_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(folder / "results", copy)
    record = json.loads((copy / "samples.json").read_text())
    (copy / "samples.json").write_text(json.dumps(record | {"source": "other.h5"}))
    assert "samples.json" in refused(tmp_path, "figure", "mistakes", str(copy))
    (copy / "samples.json").unlink()
    assert "--features" in refused(tmp_path, "figure", "mistakes", str(copy))
    (copy / "comparison.json").write_text("{")
    assert "comparison.json" in refused(tmp_path, "figure", "heads", str(copy))


def test_moved_feature_file_is_named(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(folder / "results", copy)
    message = refused(tmp_path, "figure", "map", str(copy))
    assert "features/cells.h5" in message
    assert "--features" in message
    features = str(folder / "features" / "cells.h5")
    succeed(tmp_path, "figure", "mistakes", str(copy), "--features", features, "-o", "x.png")


def test_changed_image_is_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(folder / "images", images)
    shutil.copy(images / "s1_dapi.png", images / "s2_dapi.png")
    arguments = ("figure", "pairs", "results", "--images", str(images), "-o", str(tmp_path / "x.svg"))
    assert "'s2'" in succeed(folder, *arguments).stderr
    assert "cannot be read" in (tmp_path / "x.svg").read_text()
    for path in images.iterdir():
        shutil.copy(folder / "images" / "s0_dapi.png", path)
    done = run_cli(folder, *arguments)
    assert done.returncode == 1
    assert "has changed" in done.stderr
