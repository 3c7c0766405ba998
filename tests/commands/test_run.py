import json
from pathlib import Path

import pytest

from tests.commands.command_line import refused, run_process, succeed


@pytest.mark.slow
def test_run_extracts_compares_and_saves_the_best(folder: Path) -> None:
    config = {
        "images": {"root": "images"},
        "labels": {"file": "labels.csv"},
        "preprocessing": {"input_size": 48, "crop": "none"},
        "backbone": {"name": "mobilenet_v3_small", "weights": "weights.pth"},
        "extraction": {"output": "features/run.h5", "device": "cpu", "precision": "fp32"},
        "heads": {"knn": {"n_neighbors": 5}},
        "comparison": {"heads": ["knn", "dummy"], "folds": 3, "output": "results/run"},
    }
    (folder / "run.json").write_text(json.dumps(config))
    succeed(folder, "run", "--config", "run.json")
    assert (folder / "features" / "run.h5").exists()
    assert (folder / "results" / "run" / "comparison.json").exists()
    assert (folder / "results" / "run" / "knn" / "bundle.json").exists()


def test_misspelt_head_is_refused_before_extraction(folder: Path) -> None:
    wrong = ("--set", "comparison.heads=[mpl]", "--set", "extraction.output=features/never.h5")
    assert "'mlp'" in refused(folder, "run", *wrong)
    assert not list((folder / "features").glob("never*"))


@pytest.mark.parametrize("name", ["labels.csv", "images/00001_blue.png"])
def test_demo_writes_over_nothing(name: str, tmp_path: Path) -> None:
    file = tmp_path / "data" / name
    file.parent.mkdir(parents=True)
    file.write_text("years of work")
    assert "another --output" in refused(tmp_path, "demo", "--samples", "200", "--output", "data")
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["years of work"]


@pytest.mark.slow
def test_demo_goes_the_whole_way(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    done = run_process(tmp_path, "demo", "--samples", "300", "--output", "small")
    assert done.returncode == 0, done.stderr
    assert "the images are generated" in done.stdout
    assert "saved head" in done.stdout
    assert (tmp_path / "small" / "results" / "comparison.json").exists()
