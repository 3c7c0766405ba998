import json
from pathlib import Path

import pandas as pd
import pytest

from tests.commands.command_line import refused, run_cli, succeed

THREE_FOLDS = ("--folds", "3")


def test_compare_prints_the_table_and_writes_the_report(folder: Path) -> None:
    two = ("compare", "--heads", "logreg,dummy", *THREE_FOLDS, "--output", "results/two")
    done = succeed(folder, *two)
    assert "150 samples in" in done.stdout
    heading, _, *lines = done.stdout.partition("\n\n")[2].splitlines()
    assert heading.split("  ")[0] == "head"
    assert [line.split("  ")[0] for line in lines[:2]] == ["logreg", "dummy"]
    assert "logreg is better than dummy" in lines
    assert lines[-2].startswith("results: results/two ")
    assert lines[-1] == "page: results/two/page.html"
    assert "\x1b" not in done.stdout
    results = folder / "results" / "two"
    names = {path.name for path in results.iterdir()}
    assert {"comparison.json", "predictions.parquet", "confusion_logreg.png", "recall_per_class.png"} <= names
    assert len(pd.read_parquet(results / "predictions.parquet")) == 2 * 150

    again = succeed(folder, *two)
    assert again.stdout == done.stdout
    assert again.stderr.count("3 of 3 folds from an earlier run") == 2

    fresh = succeed(folder, "compare", "--heads", "dummy", *THREE_FOLDS, "--output", "results/two", "--fresh")
    assert "from an earlier run" not in fresh.stderr
    # The figure of a head that is no longer compared would pass for one of this comparison.
    assert "metrics_logreg.json, confusion_logreg.png" in fresh.stderr
    assert not list(results.glob("*_logreg*"))


@pytest.mark.slow
def test_tuning_says_its_cost_first_and_the_choices_last(folder: Path) -> None:
    arguments = (*THREE_FOLDS, "--tune", "4", "--output", "results/tuned")
    done = succeed(folder, "compare", "--heads", "knn,dummy", *arguments)
    first, *rest = (line for line in done.stderr.splitlines() if line.startswith("knn: "))
    assert all(noun in first for noun in ("knn", "4 settings", "3 folds", "36 fits"))
    assert any(line.startswith("knn: 4 settings, 3 folds") for line in rest)
    assert any(line.startswith("knn: ") and " of 3 folds" in line for line in done.stdout.splitlines())
    record = json.loads((folder / "results" / "tuned" / "comparison.json").read_text())
    assert record["design"]["tune"] == 4
    (knn,) = (metrics for metrics in record["heads"] if metrics["head"] == "knn")
    assert len(knn["tuning"]["per_fold"]) == 3
    fitted = succeed(folder, "fit", "--head", "knn", *arguments[:-1], "results/tuned/knn")
    assert "knn, all samples: " in fitted.stdout
    assert "final" in json.loads((folder / "results" / "tuned" / "knn" / "metrics.json").read_text())["tuning"]


@pytest.mark.slow
def test_repeats_and_learning_curves_survive_a_failed_head(folder: Path) -> None:
    done = succeed(
        folder, "compare", "--heads", "mlp,knn,dummy", "--set", "mlp.learning_rate=0", *THREE_FOLDS,
        "--fractions", "0.5,1", "--repeats", "2", "--output", "results/more",
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert any("2 sets of 3 folds" in line for line in lines)
    assert any(line.startswith("knn: 0.") for line in lines)
    place = next(number for number, line in enumerate(lines) if "t-test" in line)
    assert {"knn", "dummy"} <= set(lines[place + 1].replace(":", "").split())
    assert "would more images help?" in lines
    assert any(all(noun in line for noun in ("mlp", "seed 0, 1", "fold 1 of 3")) for line in lines)
    assert any(all(noun in line for noun in ("mlp", "at 0.5", "fold 1 of 3")) for line in lines)
    results = folder / "results" / "more"
    names = {path.name for path in results.iterdir()}
    assert {"learning_curve.json", "learning_curve.csv", "learning_curve.png", "repeats.json"} <= names
    curve = (results / "learning_curve.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curve] == ["head", "knn", "knn", "dummy", "dummy"]


@pytest.mark.slow
def test_repeats_of_one_head_have_no_test(folder: Path) -> None:
    alone = succeed(folder, "compare", "--heads", "dummy", *THREE_FOLDS, "--repeats", "2", "--output", "results/alone")
    assert "2 sets of 3 folds" in alone.stdout
    assert "t-test" not in alone.stdout


@pytest.mark.slow
def test_fresh_applies_to_further_repeats(folder: Path) -> None:
    command = ("compare", "--heads", "dummy", *THREE_FOLDS, "--repeats", "2", "--output", "results/repeated")
    succeed(folder, *command)
    entries = list((folder / "results" / "repeated" / ".cache").iterdir())
    before = {path.name: path.stat().st_ino for path in entries}
    succeed(folder, *command, "--fresh")
    # Each entry is written anew: those of the comparison, and those of the further repeat.
    assert all(path.stat().st_ino != before[path.name] for path in entries)
    assert len(entries) == 6


@pytest.mark.slow
def test_labels_are_replaced_without_extracting_again(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    labels["cell_line"] = labels["cell_line"].where(labels["cell_line"] != "HeLa", "A549")
    labels.to_csv(folder / "merged.csv", index=False)
    done = succeed(folder, "compare", "--heads", "dummy", "--labels", "merged.csv", "--output", "results/merged")
    assert "8 classes" in done.stdout


@pytest.mark.slow
def test_column_of_the_labels_serves_as_groups(folder: Path) -> None:
    done = succeed(
        folder, "compare", "--heads", "dummy", "--groups", "plate", "--folds", "2", "--repeats", "2",
        "--output", "results/plates",
    )  # fmt: skip
    n_groups = int(done.stdout.partition(" samples in ")[2].split()[0])
    assert n_groups <= 31
    # Once for the comparison, and once for all its repeats.
    assert done.stderr.count("1 of 150 samples have no plate") == 2


@pytest.mark.slow
def test_interrupted_comparison_leaves_an_earlier_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = folder / "results" / "kept"
    arguments = ("compare", *THREE_FOLDS, "--output", "results/kept", "--heads", "dummy,knn")
    succeed(folder, *arguments)
    before = {path.name: path.read_bytes() for path in results.glob("[a-z]*.*")}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cellfeat.heads.baselines.knn.KNNHead._fit", interrupted)
    done = run_cli(folder, *arguments, "--seed", "7")
    assert done.returncode == 130
    assert "results/kept" in done.stderr
    assert "earlier comparison" in " ".join(done.stderr.split())
    assert "dummy" in done.stdout
    assert {path.name: path.read_bytes() for path in results.glob("[a-z]*.*")} == before
    first = run_cli(folder, *arguments, "--seed", "7", "--output", "results/first")
    assert first.returncode == 130
    assert (folder / "results" / "first" / "metrics_dummy.json").exists(), "where there is none, what is done is kept"


@pytest.mark.slow
def test_each_plate_is_left_out_beside_the_comparison(folder: Path) -> None:
    done = succeed(
        folder, "compare", "--heads", "dummy", "--folds", "2", "--across", "plate", "--output", "results/across",
    )  # fmt: skip
    record = json.loads((folder / "results/across/across.json").read_text())
    assert 20 < len(record["heads"][0]["plates"]) <= 30  # plates that share copies are left out together
    worst = record["heads"][0]["worst"]
    assert f"worst plate: {worst}" in done.stdout
    assert "'plat'" in refused(folder, "compare", "--heads", "dummy", "--across", "plat")


@pytest.mark.slow
def test_plates_in_training_and_test_folds_are_pointed_at(folder: Path) -> None:
    done = succeed(folder, "compare", "--heads", "dummy", "--folds", "2", "--output", "results/hint")
    assert "--across plate" in done.stderr
