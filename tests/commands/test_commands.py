"""The command line as its user types it: exit codes, streams, and the whole way from images to predictions."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import torch
from torchvision import models

from cellfeat.commands import COMMANDS, exit_code
from cellfeat.samples.synthetic import CHANNELS, write_synthetic_cells

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, labels and a checkpoint; extracted once for the module."""
    folder = tmp_path_factory.mktemp("user")
    write_synthetic_cells(folder, n_samples=150, seed=1, size=32)
    torch.manual_seed(0)
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), folder / "weights.pth")
    done = run_process(folder, *EXTRACT)
    assert done.returncode == 0, done.stderr
    return folder


EXTRACT = (
    "extract", "--images", "images", "--labels", "labels.csv", "--backbone", "mobilenet_v3_small",
    "--weights", "weights.pth", "--device", "cpu", "--precision", "fp32",
    "--set", "preprocessing.input_size=48", "--set", "preprocessing.crop=none",
)  # fmt: skip


def run_cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as `cli.py` does, but for the seconds that a new process takes to import torch."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = exit_code(list(arguments), ROOT / "configs" / "default.yaml")
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def run_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_extract_prints_the_file_to_stdout_and_all_else_to_stderr(folder: Path) -> None:
    done = run_cli(folder, *EXTRACT)
    assert done.stdout == "features/cells.h5\n"
    assert "finished already" in done.stderr


def test_compare_prints_the_table_and_writes_the_report(folder: Path) -> None:
    done = run_cli(folder, "compare", "--heads", "logreg,dummy", "--folds", "3", "--output", "results/two")
    assert done.returncode == 0, done.stderr
    assert "150 samples in" in done.stdout
    heading, _, *lines = done.stdout.partition("\n\n")[2].splitlines()
    assert heading.split("  ")[0] == "head"
    assert [line.split("  ")[0] for line in lines[:2]] == ["logreg", "dummy"]
    assert lines[2:] == [
        "",
        "logreg is better than dummy",
        "",
        "results: results/two (comparison.json: every figure; and pictures)",
    ]
    assert "\x1b" not in done.stdout
    names = {path.name for path in (folder / "results" / "two").iterdir()}
    assert {"comparison.json", "predictions.parquet", "confusion_logreg.png", "recall_per_class.png"} <= names
    predictions = pd.read_parquet(folder / "results" / "two" / "predictions.parquet")
    assert len(predictions) == 2 * 150
    again = run_cli(folder, "compare", "--heads", "logreg,dummy", "--folds", "3", "--output", "results/two")
    assert again.stdout == done.stdout
    assert again.stderr.count("3 of 3 folds from an earlier run") == 2
    fresh = run_cli(folder, "compare", "--heads", "dummy", "--folds", "3", "--output", "results/two", "--fresh")
    assert "from an earlier run" not in fresh.stderr
    # The picture of a head that is no longer compared would pass for one of this comparison.
    assert "earlier comparison had left: metrics_logreg.json, confusion_logreg.png\n" in fresh.stderr
    assert {path.name for path in (folder / "results" / "two").glob("*_logreg*")} == set()


def test_tuning_tells_its_cost_first_and_what_was_chosen_last(folder: Path) -> None:
    arguments = ("--folds", "3", "--tune", "4", "--output", "results/tuned")
    done = run_cli(folder, "compare", "--heads", "knn,dummy", *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "knn: 4 settings in each of 3 folds, 36 fits on parts of them"
    assert any(line.startswith("knn: 4 settings, 3 folds, about ") for line in lines[1:])
    assert any(line.startswith("knn: ") and " of 3 folds" in line for line in done.stdout.splitlines())
    record = json.loads((folder / "results" / "tuned" / "comparison.json").read_text())
    assert record["design"]["tune"] == 4
    (knn,) = (metrics for metrics in record["heads"] if metrics["head"] == "knn")
    assert len(knn["tuning"]["per_fold"]) == 3
    fitted = run_cli(folder, "fit", "--head", "knn", *arguments[:-1], "results/tuned/knn")
    assert fitted.returncode == 0, fitted.stderr
    assert "knn, all samples: " in fitted.stdout
    assert "final" in json.loads((folder / "results" / "tuned" / "knn" / "metrics.json").read_text())["tuning"]


def test_compare_answers_whether_more_images_and_other_folds_would_matter(folder: Path) -> None:
    done = run_cli(
        folder, "compare", "--heads", "knn,dummy", "--folds", "3", "--fractions", "0.5,1", "--repeats", "2",
        "--output", "results/more",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 sets of 3 folds, balanced accuracy ± its standard deviation over the sets:\nknn: 0." in done.stdout
    _, _, rest = done.stdout.partition("differences over all folds, corrected resampled t-test:\n")
    assert {"knn", "dummy"} <= set(rest.partition("\n")[0].split())
    assert "would more images help?" in done.stdout
    names = {path.name for path in (folder / "results" / "more").iterdir()}
    assert {"learning_curve.json", "learning_curve.csv", "learning_curve.png", "repeats.json"} <= names


def test_a_head_that_fails_takes_neither_curves_nor_repeats_of_the_others_with_it(folder: Path) -> None:
    done = run_cli(
        folder, "compare", "--heads", "mlp,dummy", "--set", "mlp.learning_rate=0", "--folds", "3", "--fractions",
        "0.5,1", "--repeats", "2", "--output", "results/broken",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\nmlp is left out, it failed on the folds of seed 0, 1: mlp failed in fold 1 of 3" in done.stdout
    assert "\nat 0.5 of the training samples, mlp failed in fold 1 of 3" in done.stdout
    curve = (folder / "results" / "broken" / "learning_curve.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curve] == ["head", "dummy", "dummy"]
    alone = run_cli(
        folder, "compare", "--heads", "dummy", "--folds", "3", "--repeats", "2", "--output", "results/alone"
    )
    assert alone.returncode == 0, alone.stderr
    assert "t-test" not in alone.stdout


def test_audit_finds_an_overlap_and_compare_keeps_it_together(folder: Path) -> None:
    (folder / "doubled").mkdir()
    for path in (folder / "images").iterdir():
        (folder / "doubled" / path.name).write_bytes(path.read_bytes())
    for channel in CHANNELS:
        shifted = np.roll(imagecodecs.imread(folder / "images" / f"00001_{channel}.png"), 3, axis=1)
        (folder / "doubled" / f"00002_{channel}.png").write_bytes(imagecodecs.png_encode(shifted))
    run_cli(folder, *EXTRACT, "--images", "doubled", "--output", "features/doubled.h5")
    done = run_cli(folder, "audit", "--features", "features/doubled.h5", "--folds", "3", "--output", "audit")
    assert done.returncode == 0, done.stderr
    assert "keep copies and near copies together from now on: features/doubled.audit.json" in done.stdout
    assert "random folds would have claimed" in done.stdout
    rows = list(csv.reader((folder / "audit" / "audit.csv").open()))
    assert ["2", "near copy", "1"] in [row[:3] for row in rows]
    compared = run_cli(
        folder, "compare", "--features", "features/doubled.h5", "--heads", "dummy", "--folds", "3",
        "--output", "results/doubled",
    )  # fmt: skip
    assert compared.returncode == 0, compared.stderr
    assert "near copies kept together, as audited" in compared.stdout
    groups = pd.read_csv(folder / "audit" / "groups.csv", dtype=str).set_index("sample_id")["group"]
    assert groups["2"] == groups["1"]
    predictions = pd.read_parquet(folder / "results" / "doubled" / "predictions.parquet").set_index("sample_id")
    assert predictions["fold"]["1"] == predictions["fold"]["2"]


def test_images_are_audited_alone_before_any_extraction(folder: Path) -> None:
    # The default feature file is there, and is of no concern.
    arguments = ("audit", "--output", "alone", "--images", "images")
    done = run_cli(folder, *arguments, "--labels", "labels.csv")
    assert done.returncode == 0, done.stderr
    assert "the images are audited alone" in done.stderr
    assert "claimed" not in done.stdout
    assert len(list(csv.reader((folder / "alone" / "groups.csv").open()))) > 30
    assert not (folder / "features" / "cells.audit.json").exists()
    without = run_cli(folder, *arguments, "--labels", "none")
    assert without.returncode == 0, without.stderr


def test_audit_says_what_it_leaves_out_without_images(folder: Path) -> None:
    (folder / "images").rename(folder / "moved")
    try:
        done = run_cli(folder, "audit", "--folds", "3", "--output", "blind")
    finally:
        (folder / "moved").rename(folder / "images")
    assert done.returncode == 0, done.stderr
    assert "near copies and channels are left out; say where they are by --features FILE --images DIR" in done.stderr
    assert "near copy" not in done.stdout


def test_fit_saves_the_head_with_its_scores_and_predict_uses_it(folder: Path) -> None:
    done = run_cli(folder, "fit", "--head", "logreg", "--folds", "3")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("logreg: balanced accuracy 0.")
    assert last == "saved head: results/cells/logreg (metrics.json: every figure; and pictures)"
    assert len(done.stdout.splitlines()) < 20
    model = folder / "results" / "cells" / "logreg"
    metrics = json.loads((model / "metrics.json").read_text())
    assert metrics["ci_low"] <= metrics["balanced_accuracy"] <= metrics["ci_high"]
    assert len(metrics["per_fold"]) == 3
    assert (metrics["provenance"]["features"], metrics["provenance"]["n_samples"]) == ("cells.h5", 150)
    assert {"per_class_recall", "macro_f1", "confusion_matrix", "classes", "n_samples", "n_groups"} <= metrics.keys()

    by_features = run_cli(
        folder, "predict", "--model", str(model), "--features", "features/cells.h5", "--output", "a.csv"
    )
    by_images = run_cli(folder, "predict", "--model", str(model), "--images", "images", "--output", "b.csv")
    assert (by_features.returncode, by_images.returncode) == (0, 0), by_features.stderr + by_images.stderr
    assert "150 of 150 samples have the very pixels of samples that the head was fitted on" in by_features.stderr
    assert (folder / "a.csv").read_text() == (folder / "b.csv").read_text()
    rows = list(csv.reader((folder / "a.csv").open()))
    assert rows[0] == ["file_id", "cell_line"]
    truth = dict(csv.reader((folder / "labels.csv").open()))
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(1, 151)]
    assert sum(truth[name] == label for name, label in rows[1:]) > 100

    careful = run_cli(
        folder, "predict", "--model", str(model), "--features", "features/cells.h5", "--min-probability", "0.9",
        "--abstain-word", "unsure", "--output", "c.csv",
    )  # fmt: skip
    n_unsure = sum(row[1] == "unsure" for row in csv.reader((folder / "c.csv").open()))
    assert f"abstained on {n_unsure} of 150" in careful.stderr

    with_sets = run_cli(
        folder, "predict", "--model", str(model), "--features", "features/cells.h5", "--coverage", "0.75",
        "--output", "d.csv",
    )  # fmt: skip
    heading, *sets = csv.reader((folder / "d.csv").open())
    assert heading == ["file_id", "cell_line", "set", "set_size"]
    assert [row[:2] for row in sets] == rows[1:]
    assert all(len(names.split("|")) == int(size) for *_, names, size in sets if size != "0")
    assert sum(truth[name] in names.split("|") for name, _, names, _ in sets) > 0.75 * 150
    mean_size = np.mean([int(row[3]) for row in sets])
    assert f"sets of coverage 0.75: {mean_size:.2f} classes a set" in with_sets.stderr

    shown = run_cli(folder, "inspect", str(model))
    assert "logreg" in shown.stdout
    assert "fingerprint" in shown.stdout


def test_predict_refuses_features_of_another_recipe(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "dummy", "--folds", "2", "--output", "dummy")
    run_cli(folder, *EXTRACT, "--views", "4", "--output", "features/four.h5")
    done = run_cli(folder, "predict", "--model", "dummy", "--features", "features/four.h5")
    assert done.returncode == 1
    assert "views: 1 -> 4" in done.stderr


def test_labels_can_be_replaced_without_extracting_again(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    labels["cell_line"] = labels["cell_line"].where(labels["cell_line"] != "HeLa", "A549")
    labels.to_csv(folder / "merged.csv", index=False)
    done = run_cli(folder, "compare", "--heads", "dummy", "--labels", "merged.csv", "--output", "results/merged")
    assert "8 classes" in done.stdout


def test_a_name_that_the_pipe_cannot_encode_is_escaped_and_ends_nothing(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    labels["cell_line"] = labels["cell_line"].replace("HeLa", "細胞")
    labels.to_csv(folder / "named.csv", index=False)
    arguments = ("fit", "--head", "knn", "--folds", "2", "--labels", "named.csv", "--output", "named")
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        cwd=folder, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rb"\u7d30\u80de" in done.stdout


def test_a_column_of_the_labels_serves_as_groups(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    labels["plate"] = [f"plate {i % 30}" if i else "" for i in range(150)]
    labels.to_csv(folder / "plates.csv", index=False)
    run_cli(folder, *EXTRACT, "--labels", "plates.csv", "--output", "features/plates.h5")
    done = run_cli(
        folder, "compare", "--heads", "dummy", "--features", "features/plates.h5", "--groups", "plate", "--folds", "2",
        "--repeats", "2", "--output", "results/plates",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    n_groups = int(done.stdout.partition(" samples in ")[2].split()[0])
    assert n_groups <= 31
    # Once for the comparison, and once for all its repeats.
    assert done.stderr.count("groups: 1 of 150 samples have no plate: each is a group of its own") == 2


def test_run_goes_the_whole_way_from_one_config(folder: Path) -> None:
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
    done = run_process(folder, "run", "--config", "run.json")
    assert done.returncode == 0, done.stderr
    assert (folder / "results" / "run" / "knn" / "bundle.json").exists()


def test_verify_finds_a_changed_byte(folder: Path) -> None:
    whole = run_cli(folder, "verify", "features/cells.h5")
    assert "whole; 150 samples" in whole.stdout
    data = bytearray((folder / "features" / "cells.h5").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / "damaged.h5").write_bytes(data)
    damaged = run_cli(folder, "verify", "damaged.h5")
    assert damaged.returncode == 1
    assert "do not match their checksum" in damaged.stderr


def test_verify_holds_the_file_against_its_images_and_its_recipe(folder: Path) -> None:
    done = run_cli(folder, "verify", "features/cells.h5", "--images", "--sample", "2")
    assert done.returncode == 0, done.stderr
    assert "the pixels of all 150 samples are those that were extracted" in done.stdout
    assert "2 samples extracted again: the largest difference is" in done.stdout


def test_verify_confirms_a_saved_head(folder: Path) -> None:
    assert run_cli(folder, "fit", "--head", "dummy", "--output", "results/verified").returncode == 0
    whole = run_cli(folder, "verify", "results/verified")
    assert "results/verified: whole; dummy, 9 classes" in whole.stdout
    arrays = folder / "results" / "verified" / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    assert "damaged or changed" in run_cli(folder, "verify", "results/verified").stderr


ENDINGS = {
    "an unknown command": (("extrcat",), 2, "No such command"),
    "an unknown option": (("extract", "--imags", "x"), 2, "No such option"),
    "both sources of predict": (("predict", "--model", "m", "--features", "a", "--images", "b"), 2, "give one of"),
    "a missing folder": (("extract", "--images", "nowhere"), 1, "nowhere does not exist"),
    "a misspelt setting": (("extract", "--set", "extraction.veiws=4"), 1, "did you mean 'views'"),
    "a misspelt head": (("fit", "--head", "lihgtgbm"), 1, "did you mean 'lightgbm'"),
    "a misspelt backbone": (("inspect", "convnext_bass"), 1, "did you mean 'convnext_base'"),
    "fractions that are none": (("compare", "--fractions", "a half"), 1, "expected numbers, got 'a half'"),
    "a table beside features": (
        ("predict", "--model", "m", "--features", "a", "--labels", "b"),
        2,
        "--labels goes with --images",
    ),
    "a coverage of 1": (("predict", "--model", "m", "--features", "a", "--coverage", "1"), 2, "not in the range 0<x<1"),
    "no model": (("predict", "--model", "nowhere", "--features", "features/cells.h5"), 1, "nowhere"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_mistake_ends_with_its_code_and_one_message(folder: Path, name: str) -> None:
    arguments, code, message = ENDINGS[name]
    done = run_cli(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_fit_refuses_a_folder_that_holds_anything_else(folder: Path) -> None:
    (folder / "precious").mkdir()
    (folder / "precious" / "notes.txt").write_text("years of work")
    done = run_cli(folder, "fit", "--head", "dummy", "--output", "precious")
    assert done.returncode == 1
    assert "notes.txt" in done.stderr
    assert (folder / "precious" / "notes.txt").read_text() == "years of work"


def test_run_refuses_a_misspelt_head_before_it_extracts(folder: Path) -> None:
    done = run_cli(folder, "run", "--set", "comparison.heads=[mpl]", "--set", "extraction.output=features/never.h5")
    assert done.returncode == 1
    assert "did you mean 'mlp'" in done.stderr


def test_an_output_below_a_file_is_one_message(folder: Path) -> None:
    done = run_cli(folder, *EXTRACT, "--output", "labels.csv/cells.h5")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "labels.csv" in done.stderr


def test_each_folder_of_images_has_its_own_predictions(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--output", "knn")
    other = folder / "other"
    other.mkdir()
    for sample in (1, 2):
        for channel in ("blue", "red", "yellow"):
            name = f"{sample:05d}_{channel}.png"
            (other / name).write_bytes((folder / "images" / f"{3 - sample:05d}_{channel}.png").read_bytes())
    first = run_cli(folder, "predict", "--model", "knn", "--images", "images", "--probabilities")
    straight = list(csv.reader((folder / "predictions.csv").open()))[1:3]
    second = run_cli(folder, "predict", "--model", "knn", "--images", "other", "--probabilities")
    swapped = list(csv.reader((folder / "predictions.csv").open()))[1:3]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [row[1:] for row in swapped] == [row[1:] for row in straight[::-1]]


def test_predict_answers_for_images_that_came_since_and_extracts_no_others(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--output", "knn")
    growing = folder / "growing"
    growing.mkdir()
    said = []
    for sample in (1, 2):
        for channel in CHANNELS:
            name = f"{sample:05d}_{channel}.png"
            (growing / name).write_bytes((folder / "images" / name).read_bytes())
        done = run_cli(folder, "predict", "--model", "knn", "--images", "growing", "--output", "growing.csv")
        assert done.returncode == 0, done.stderr
        said.append(done.stderr)
    assert [row[0] for row in csv.reader((folder / "growing.csv").open())] == ["file_id", "1", "2"]
    assert "1 new, 0 changed, 0 gone, 1 carried over" in " ".join(said[1].split())


def test_an_interrupted_comparison_leaves_an_earlier_one_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("compare", "--folds", "3", "--output", "results/kept", "--heads", "dummy,knn")
    assert run_cli(folder, *arguments).returncode == 0
    before = {path.name: path.read_bytes() for path in (folder / "results" / "kept").glob("[a-z]*.*")}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cellfeat.heads.knn.KNNHead._fit", interrupted)
    done = run_cli(folder, *arguments, "--seed", "7")
    assert done.returncode == 130
    assert "holds the earlier comparison still" in " ".join(done.stderr.split())
    assert "dummy" in done.stdout
    assert {path.name: path.read_bytes() for path in (folder / "results" / "kept").glob("[a-z]*.*")} == before
    first = run_cli(folder, *arguments, "--seed", "7", "--output", "results/first")
    assert first.returncode == 130
    assert (folder / "results" / "first" / "metrics_dummy.json").exists(), "where there is none, what is done is kept"


LAYOUTS = {
    "folders": ("--labels", "none", "--set", "images.layout=folders"),
    "table": ("--labels", "table.csv", "--set", "labels.files=path"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_predict_reads_images_in_every_layout(folder: Path, layout: str) -> None:
    lay_out(folder)
    run_cli(
        folder, *EXTRACT, "--images", "rgb", *LAYOUTS[layout], "--set", "images.channels=[0,1,2]", "--output",
        f"features/{layout}.h5",
    )  # fmt: skip
    fitted = run_cli(
        folder,
        "fit",
        "--head",
        "knn",
        "--folds",
        "2",
        "--features",
        f"features/{layout}.h5",
        "--output",
        f"{layout}-knn",
    )
    assert fitted.returncode == 0, fitted.stderr
    labels = ("--labels", "table.csv") if layout == "table" else ()
    images = "rgb/HeLa" if layout == "folders" else "rgb"
    done = run_cli(
        folder, "predict", "--model", f"{layout}-knn", "--images", images, *labels, "--output", f"{layout}.csv"
    )
    assert done.returncode == 0, done.stderr
    assert len(list(csv.reader((folder / f"{layout}.csv").open()))) == (11 if layout == "folders" else 21)


@pytest.fixture(scope="module")
def fitted_on_part(folder: Path) -> Path:
    """A head that was fitted on the first 100 samples; ``late.csv`` has the labels of the last 60."""
    heading, *rows = rows_of(folder / "labels.csv")
    for name, part in (("early.csv", rows[:100]), ("late.csv", rows[90:])):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([heading, *part])
    early = ("--labels", "early.csv", "--set", "labels.unmatched=listed", "--set", "comparison.folds=3")
    assert run_cli(folder, *EXTRACT, *early, "--output", "features/early.h5").returncode == 0
    done = run_cli(
        folder, "fit", "--head", "logreg", "--folds", "3", "--features", "features/early.h5", "--output", "early"
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_score_leaves_out_what_the_head_was_fitted_on(fitted_on_part: Path) -> None:
    done = run_cli(fitted_on_part, "score", "--model", "early", "--images", "images", "--labels", "late.csv")
    assert done.returncode == 0, done.stderr
    record = json.loads((fitted_on_part / "early_on_late" / "metrics.json").read_text())
    n_seen = record["n_seen"]
    assert 10 <= n_seen < 20  # the ten, and copies of others that synthetic cells hold
    assert record["n_samples"] == 60 - n_seen
    first, second, third, fourth, *_ = done.stdout.splitlines()
    assert first.startswith(f"logreg: balanced accuracy {record['balanced_accuracy']:.3f} [")
    assert f" on {60 - n_seen} held-out samples in " in first
    assert second.startswith(f"left out: {n_seen} with the very pixels of samples that it was fitted on; with all ")
    assert "were not looked for (--fitted-on FEATURES)" in third
    assert fourth == record["out_of_fold"]["verdict"]
    names = {path.name for path in (fitted_on_part / "early_on_late").iterdir()}
    assert {"metrics.json", "predictions.parquet", "confusion.png", "reliability.png"} < names

    (features,) = (line for line in done.stdout.splitlines() if line.startswith("features: "))
    file = features.removeprefix("features: ").partition(" (")[0]
    by_file = ("--features", file, "--labels", "late.csv", "--output", "again")
    again = run_cli(fitted_on_part, "score", "--model", "early", *by_file)
    assert again.stdout.splitlines()[:4] == [first, second, third, fourth]
    strict = run_cli(fitted_on_part, "score", "--model", "early", *by_file, "--fitted-on", "features/early.h5")
    assert strict.returncode == 0, strict.stderr
    assert f"left out: {n_seen} with the very pixels of samples that it was fitted on and " in strict.stdout
    record = json.loads((fitted_on_part / "again" / "metrics.json").read_text())
    assert record["n_near_copies"] + record["n_samples"] == 60 - n_seen

    (fitted_on_part / "images").rename(fitted_on_part / "moved")
    try:
        for_fitted = run_cli(fitted_on_part, "score", "--model", "early", *by_file, "--fitted-on", "features/early.h5")
    finally:
        (fitted_on_part / "moved").rename(fitted_on_part / "images")
    assert for_fitted.returncode == 1
    assert "early.h5 was made from are not in images any more" in for_fitted.stderr
    assert "--fitted-images" in for_fitted.stderr


def test_score_refuses_labels_that_the_head_does_not_know_before_it_extracts(fitted_on_part: Path) -> None:
    text = (fitted_on_part / "late.csv").read_text()
    (fitted_on_part / "renamed.csv").write_text(text.replace("HeLa", "Hela"))
    done = run_cli(
        fitted_on_part, "score", "--model", "early", "--images", "images", "--labels", "renamed.csv", "--output", "no"
    )
    assert done.returncode == 1
    assert "renamed.csv: labels that the head does not know: Hela; did you mean 'HeLa'?" in done.stderr
    assert not list((fitted_on_part / "no").glob("*"))
    without = run_cli(fitted_on_part, "score", "--model", "early", "--images", "images", "--output", "no")
    assert (without.returncode, "no sample is labelled" in without.stderr) == (1, True)


def test_score_reads_corrected_labels_without_extracting_again(fitted_on_part: Path) -> None:
    late = rows_of(fitted_on_part / "late.csv")
    late[-1][1], late[-2][1] = late[-2][1], late[-1][1]
    arguments = ("score", "--model", "early", "--images", "images", "--labels", "corrected.csv", "--output", "twice")
    (fitted_on_part / "corrected.csv").write_text((fitted_on_part / "late.csv").read_text())
    before = run_cli(fitted_on_part, *arguments)
    with (fitted_on_part / "corrected.csv").open("w", newline="") as file:
        csv.writer(file).writerows(late)
    after = run_cli(fitted_on_part, *arguments)
    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr
    assert "nothing to extract" in after.stderr
    assert len(list((fitted_on_part / "twice").glob("*.features.h5"))) == 1
    truth = pd.read_parquet(fitted_on_part / "twice" / "predictions.parquet").set_index("sample_id")["label"]
    assert truth.iloc[-1] == late[-1][1]


def test_score_finds_the_column_that_labels_had_at_fitting(fitted_on_part: Path) -> None:
    for name in ("early", "late"):
        table = pd.read_csv(fitted_on_part / f"{name}.csv", dtype=str)
        table["phase"] = np.where(np.arange(len(table)) % 2, "odd", "even")
        table.to_csv(fitted_on_part / f"{name}_phase.csv", index=False)
    fitted = run_cli(
        fitted_on_part, "fit", "--head", "dummy", "--folds", "3", "--features", "features/early.h5",
        "--labels", "early_phase.csv", "--set", "labels.label=phase", "--output", "phase",
    )  # fmt: skip
    assert fitted.returncode == 0, fitted.stderr
    late = ("--images", "images", "--labels", "late_phase.csv")
    done = run_cli(fitted_on_part, "score", "--model", "phase", *late)
    assert done.returncode == 0, done.stderr
    wrong = run_cli(fitted_on_part, "score", "--model", "phase", *late, "--label-column", "klass")
    assert (wrong.returncode, "no column 'klass'" in wrong.stderr) == (1, True)
    predicted = run_cli(fitted_on_part, "predict", "--model", "phase", *late, "--output", "phase.csv")
    assert predicted.returncode == 0, predicted.stderr
    assert rows_of(fitted_on_part / "phase.csv")[0] == ["file_id", "phase"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [("label", "cuts across the classes"), ("nope", "no column is named 'nope'"), ("gone.csv", "does not exist")],
)
def test_score_refuses_groups_that_are_none_before_it_extracts(fitted_on_part: Path, groups: str, message: str) -> None:
    done = run_cli(
        fitted_on_part, "score", "--model", "early", "--images", "images", "--labels", "late.csv", "--output", "never",
        "--groups", groups,
    )  # fmt: skip
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert not list((fitted_on_part / "never").glob("*"))


def test_score_takes_the_groups_that_are_asked_for(fitted_on_part: Path) -> None:
    table = pd.read_csv(fitted_on_part / "late.csv", dtype=str)
    table["plate"] = np.arange(len(table)) // 5
    table.to_csv(fitted_on_part / "plates.csv", index=False)
    late = ("--images", "images", "--labels", "plates.csv", "--output", "by_plate")
    done = run_cli(fitted_on_part, "score", "--model", "early", *late, "--groups", "plate")
    record = json.loads((fitted_on_part / "by_plate" / "metrics.json").read_text())
    assert record["groups"] == "plate", done.stderr
    assert record["n_groups"] <= 12


def test_score_leaves_saved_heads_and_comparisons_alone(fitted_on_part: Path) -> None:
    run_cli(fitted_on_part, "compare", "--heads", "dummy", "--folds", "3", "--features", "features/early.h5",
            "--output", "compared")  # fmt: skip
    for name, kind in (("early", "a saved head"), ("compared", "a comparison")):
        before = {path: path.read_bytes() for path in (fitted_on_part / name).iterdir() if path.is_file()}
        done = run_cli(
            fitted_on_part, "score", "--model", "early", "--images", "images", "--labels", "late.csv", "--output", name
        )
        assert (done.returncode, f"{name}: holds {kind}" in done.stderr) == (1, True), done.stderr
        assert {path: path.read_bytes() for path in (fitted_on_part / name).iterdir() if path.is_file()} == before


def test_score_refuses_what_is_no_test(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "knn", "--folds", "3", "--output", "all")
    done = run_cli(folder, "score", "--model", "all", "--features", "features/cells.h5")
    assert done.returncode == 1
    assert "the head was fitted on all of these 150 samples" in done.stderr


def test_score_takes_folders_for_labels_where_training_did(folder: Path) -> None:
    lay_out(folder)
    layout = (*LAYOUTS["folders"], "--set", "images.channels=[0,1,2]", "--output", "features/in_folders.h5")
    run_cli(folder, *EXTRACT, "--images", "rgb", *layout)
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--features", "features/in_folders.h5", "--output", "kept")
    done = run_cli(folder, "score", "--model", "kept", "--images", "rgb", "--output", "of_folders")
    assert "the head was fitted on all of these 20 samples" in done.stderr


def rows_of(file: Path) -> list[list[str]]:
    return list(csv.reader(file.open()))


def test_predict_answers_each_row_of_a_table_without_labels(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--output", "asked-knn")
    predict = ("predict", "--model", "asked-knn", "--images", "images", "--output", "asked.csv", "--labels")
    (folder / "ids.csv").write_text("file_id\n6\n2\n")
    done = run_cli(folder, *predict, "ids.csv")
    assert done.returncode == 0, done.stderr
    rows = rows_of(folder / "asked.csv")
    assert rows[0] == ["file_id", "cell_line"]
    assert [row[0] for row in rows[1:]] == ["6", "2"]
    assert all(row[1] for row in rows[1:])
    assert "left out: 148 samples that have images and no row in ids.csv: 1, 3, 4" in done.stderr

    (folder / "more.csv").write_text("file_id\n6\n2\n1\n")
    done = run_cli(folder, *predict, "more.csv")
    assert done.returncode == 0, done.stderr
    assert [row[0] for row in rows_of(folder / "asked.csv")[1:]] == ["6", "2", "1"]


def test_predict_names_the_rows_of_a_table_that_have_no_image(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--output", "bare-knn")
    (folder / "bare.csv").write_text("file_id\n6\n999\n")
    done = run_cli(
        folder, "predict", "--model", "bare-knn", "--images", "images", "--labels", "bare.csv", "--output", "bare-p.csv"
    )
    assert done.returncode == 1
    assert "1 of 2 rows of bare.csv have no image: 999 (line 3)" in done.stderr
    assert not (folder / "bare-p.csv").exists()


def test_predict_names_the_samples_without_a_prediction(folder: Path) -> None:
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--output", "torn-knn")
    torn = folder / "torn"
    torn.mkdir()
    for name in ("00001_blue.png", "00001_red.png", "00001_yellow.png", "00002_blue.png", "00002_yellow.png"):
        (torn / name).write_bytes((folder / "images" / name).read_bytes())
    (torn / "00002_red.png").write_bytes(b"torn")
    (torn / "overview.png").write_bytes(b"")
    done = run_cli(
        folder, "predict", "--model", "torn-knn", "--images", "torn", "--on-error", "quarantine", "--output", "torn.csv"
    )
    assert done.returncode == 0, done.stderr
    assert "1 samples could not be read and have no prediction: 2\n" in done.stderr
    assert "left out: 1 of 7 images in torn" in done.stderr
    assert [row[0] for row in rows_of(folder / "torn.csv")[1:]] == ["1", "2"]


@pytest.mark.parametrize("columns", ["file_id,path\n", "path,file_id\n"])
def test_predict_takes_a_table_of_ids_and_files(folder: Path, columns: str) -> None:
    lay_out(folder)
    run_cli(
        folder, *EXTRACT, "--images", "rgb", *LAYOUTS["table"], "--set", "images.channels=[0,1,2]", "--output",
        "features/named.h5",
    )  # fmt: skip
    run_cli(folder, "fit", "--head", "knn", "--folds", "2", "--features", "features/named.h5", "--output", "named-knn")
    first, second = ("new", "A549/1.png"), ("old", "HeLa/0.png")
    lines = [",".join(row if columns.startswith("file_id") else row[::-1]) for row in (first, second)]
    (folder / "named.csv").write_text(columns + "\n".join(lines) + "\n")
    done = run_cli(
        folder, "predict", "--model", "named-knn", "--images", "rgb", "--labels", "named.csv", "--output", "named-p.csv"
    )
    assert done.returncode == 0, done.stderr
    assert [row[0] for row in rows_of(folder / "named-p.csv")[1:]] == ["new", "old"]
    assert "left out: 18 of 20 images in rgb" in done.stderr


def lay_out(folder: Path) -> None:
    """Twenty three-channel images, a folder for each of two classes, and a table that names them."""
    rows = ["file_id,cell_line,path"]
    for i in range(20):
        label = ("HeLa", "A549")[i % 2]
        target = folder / "rgb" / label
        target.mkdir(parents=True, exist_ok=True)
        planes = [imagecodecs.imread(folder / "images" / f"{i + 1:05d}_{channel}.png") for channel in CHANNELS]
        (target / f"{i}.png").write_bytes(imagecodecs.png_encode(np.stack(planes, axis=-1)))
        rows.append(f"{i},{label},{label}/{i}.png")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")


def test_control_characters_of_a_name_do_not_reach_the_terminal(folder: Path) -> None:
    done = run_cli(folder, "extract", "--images", "no\x1b[2Jwhere")
    assert "\x1b" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(folder: Path) -> None:
    arguments = [
        sys.executable, str(ROOT / "cli.py"), *EXTRACT, "--set", "extraction.part_size=8", "--set",
        "extraction.batch_size=8", "--views", "8", "--set", "preprocessing.channels_as=separate", "--set",
        "preprocessing.input_size=96", "--output", "features/interrupted.h5",
    ]  # fmt: skip
    # A test run in the background of a shell inherits that Ctrl-C is ignored.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(arguments, cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    parts = folder / "features" / "interrupted.h5.parts"
    deadline = time.monotonic() + 60
    while not list(parts.glob("rows-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "start the same command again, and it goes on" in stderr
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)
    assert "going on with an unfinished run" in done.stderr


INTERRUPTED_AGAIN_WHILE_ITS_OBJECTS_ARE_DROPPED = """
import os, signal
from cellfeat import commands

class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def interrupted(*_, **__):
    held = Held()
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, signal.default_int_handler)
commands.cellfeat.main = interrupted
commands.main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_second_ctrl_c_after_the_last_word_adds_no_word_to_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AGAIN_WHILE_ITS_OBJECTS_ARE_DROPPED],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("start the same command again, and it goes on)\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(name: str, folder: Path) -> None:
    done = run_cli(folder, name, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 3
    assert f"| `{name}` |" in (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_demo_goes_the_whole_way(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    done = run_process(tmp_path, "demo", "--samples", "300", "--output", "small")
    assert done.returncode == 0, done.stderr
    assert "the images are generated" in done.stdout
    assert "saved head" in done.stdout
    assert (tmp_path / "small" / "results" / "comparison.json").exists()
