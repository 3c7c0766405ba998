"""Bad inputs of ``export``: one message, and nothing is written or replaced."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.bad_inputs.conftest import Cli, run_cli


@dataclass(frozen=True)
class Place:
    """A folder with features and results, for one test to break."""

    folder: Path

    def export(self, *arguments: object, to: str = "parquet"):
        output = () if "--output" in arguments else ("--output", self.folder / f"out.{to}")
        return run_cli("export", *arguments, "--to", to, *output)

    @property
    def features(self) -> Path:
        return self.folder / "cells.h5"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def holds_nothing_new(self) -> bool:
        return {path.name for path in self.folder.iterdir()} <= {
            *("cells.h5", "cells.view", "other.h5", "other.view", "results", "model")
        }


def write_images(folder: Path, n_samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for i in range(n_samples):
        target = folder / ("a", "b")[i % 2]
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (12, 12), np.uint8)).save(target / f"{i}.png")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, network: tuple[str, ...]) -> Path:
    root = tmp_path_factory.mktemp("made")
    layout = (
        "--labels", "none", "--set", "images.layout=folders", "--set", "images.channels=[0]",
        "--set", "preprocessing.channels_as=separate",
    )  # fmt: skip
    place = root / "place"
    for name, seed in (("cells", 0), ("other", 1)):
        write_images(root / name, 20, seed)
        done = run_cli("extract", "--images", root / name, *layout, *network, "--output", place / f"{name}.h5")
        assert done.code == 0, done.err
    features = ("--features", place / "cells.h5")
    output = ("--set", f"comparison.output={place / 'results'}")
    done = run_cli("compare", *features, "--heads", "knn", "--folds", "2", *output)
    assert done.code == 0, done.err
    done = run_cli("fit", *features, "--head", "knn", "--folds", "2", "--output", place / "model", *output)
    assert done.code == 0, done.err
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Place:
    shutil.copytree(made, tmp_path / "place")
    return Place(tmp_path / "place")


def test_missing_features(place: Place) -> None:
    place.export(place.folder / "none.h5").is_refusal(r"none\.h5")
    assert place.holds_nothing_new()


def test_table_in_place_of_features(place: Place) -> None:
    place.export(place.results / "predictions.parquet").is_refusal(r"predictions\.parquet")


def test_missing_results(place: Place) -> None:
    place.export(place.features, "--results", place.folder / "none").is_refusal(r"none.*predictions\.parquet.*compare")
    assert place.holds_nothing_new()


def test_results_of_other_samples(place: Place) -> None:
    place.export(place.folder / "other.h5", "--results", place.results).is_refusal(r"results.*other samples.*other\.h5")
    assert place.holds_nothing_new()


def test_results_that_do_not_say_of_which_samples(place: Place) -> None:
    (place.results / "samples.json").unlink()
    place.export(place.features, "--results", place.results).is_refusal(r"samples\.json.*compare again")


def test_results_of_another_recipe(place: Place) -> None:
    path = place.results / "comparison.json"
    record = json.loads(path.read_text())
    record["provenance"]["fingerprint"] = "sha256:0"
    path.write_text(json.dumps(record))
    place.export(place.features, "--results", place.results).is_refusal(r"another recipe.*sha256:0")


@pytest.mark.parametrize("content", [b"", b"PAR1 cut short", b"\x89PNG"])
def test_damaged_predictions(place: Place, content: bytes) -> None:
    (place.results / "predictions.parquet").write_bytes(content)
    place.export(place.features, "--results", place.results).is_refusal(r"predictions\.parquet.*Parquet")
    assert place.holds_nothing_new()


def test_predictions_without_a_column(place: Place) -> None:
    path = place.results / "predictions.parquet"
    pd.read_parquet(path).drop(columns="predicted").to_parquet(path)
    place.export(place.features, "--results", place.results).is_refusal(r"predictions\.parquet.*'predicted'")


@pytest.mark.parametrize("content", ["[]", "{", '{"heads": NaN, '])
def test_damaged_scores(place: Place, content: str) -> None:
    (place.results / "comparison.json").write_text(content)
    place.export(place.features, "--results", place.results).is_refusal(r"comparison\.json.*JSON")


def test_output_that_exists(place: Place) -> None:
    output = place.folder / "results" / "mine.parquet"
    output.write_text("years of work")
    place.export(place.features, "--output", output).is_refusal(r"mine\.parquet.*--replace")
    assert output.read_text() == "years of work"


def test_output_that_is_read(place: Place) -> None:
    output = place.results / "predictions.parquet"
    before = output.read_bytes()
    arguments = ("--results", place.results, "--output", output, "--replace")
    place.export(place.features, *arguments).is_refusal(r"predictions\.parquet.*choose another")
    assert output.read_bytes() == before


def test_features_as_output(place: Place) -> None:
    before = place.features.read_bytes()
    place.export(place.features, "--output", place.features, "--replace", to="h5ad").is_refusal(r"cells\.h5.*\.h5ad")
    assert place.features.read_bytes() == before


def test_output_in_the_folder_of_a_saved_head(place: Place) -> None:
    pytest.importorskip("onnx")
    output = ("--output", place.folder / "model" / "head.onnx")
    place.export("--model", place.folder / "model", *output, to="onnx").is_refusal(r"head\.onnx.*saved head")


def test_head_that_has_no_such_form(place: Place) -> None:
    pytest.importorskip("onnx")
    place.export("--model", place.folder / "model", to="onnx").is_refusal(r"knn.*mlp")
    assert place.holds_nothing_new()


def test_package_of_an_extra_that_is_missing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("cellfeat.interop.exports.onnx_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    place.export("--model", place.folder / "model", to="onnx").is_refusal(r"onnx.*pip install 'cellfeat\[onnx\]'")


def test_folder_that_is_no_saved_head(place: Place) -> None:
    place.export("--model", place.results, to="onnx").is_refusal(r"bundle\.json.*saved head")


def test_output_where_a_file_is_in_the_way(place: Place, cli: Cli) -> None:
    output = place.features / "sub" / "out.parquet"
    place.export(place.features, "--output", output).is_refusal(r"cells\.h5")
