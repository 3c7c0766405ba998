import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.commands.command_line import Ended, refused, rows_of, succeed

SCORE = ("score", "--model", "early")
LATE = (*SCORE, "--images", "images", "--labels", "late.csv")


def record_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_training_samples_are_excluded(early: Path, scored: tuple[Ended, Path]) -> None:
    done, _ = scored
    record = record_of(early / "early_on_late")
    n_seen = record["n_seen"]
    assert 10 <= n_seen < 20  # ten are training samples, and others are copies, which generated cells have
    assert record["n_samples"] == 60 - n_seen
    first, second, third, fourth, *_ = done.stdout.splitlines()
    assert first.startswith(f"logreg: balanced accuracy {record['balanced_accuracy']:.3f} [")
    assert f"{60 - n_seen} held-out samples" in first
    assert f"{n_seen} exact duplicates" in second
    assert f"{record['balanced_accuracy_with_all']:.3f}" in second
    assert "--fitted-on FEATURES" in third
    assert fourth == record["out_of_fold"]["verdict"]
    names = {path.name for path in (early / "early_on_late").iterdir()}
    assert {"metrics.json", "predictions.parquet", "confusion.png", "reliability.png"} < names


@pytest.mark.slow
def test_feature_file_gives_the_same_score(early: Path, scored: tuple[Ended, Path]) -> None:
    done, features = scored
    assert f"features: early_on_late/{features.name}" in done.stdout
    arguments = ("--features", str(features), "--labels", "late.csv", "--output", "again")
    assert succeed(early, *SCORE, *arguments).stdout.splitlines()[:4] == done.stdout.splitlines()[:4]


@pytest.mark.slow
def test_near_copies_of_training_samples_are_excluded(early: Path, scored: tuple[Ended, Path]) -> None:
    arguments = (
        *SCORE, "--features", str(scored[1]), "--labels", "late.csv", "--output", "strict",
        "--fitted-on", "features/early.h5",
    )  # fmt: skip
    done = succeed(early, *arguments)
    record = record_of(early / "strict")
    assert f"{record['n_seen']} exact duplicates" in done.stdout
    assert f"{record['n_near_copies']} near copies" in done.stdout
    assert record["n_seen"] + record["n_near_copies"] + record["n_samples"] == 60
    (early / "images").rename(early / "moved")
    try:
        message = refused(early, *arguments)
    finally:
        (early / "moved").rename(early / "images")
    assert all(noun in message for noun in ("early.h5", "images", "--fitted-images"))


def test_unknown_or_missing_labels_are_refused_before_extraction(early: Path) -> None:
    (early / "renamed.csv").write_text((early / "late.csv").read_text().replace("HeLa", "Hela"))
    images = (*SCORE, "--images", "images", "--output", "no")
    message = refused(early, *images, "--labels", "renamed.csv")
    assert all(noun in message for noun in ("renamed.csv", "Hela", "'HeLa'"))
    assert "no sample has a label" in refused(early, *images)
    assert not list((early / "no").glob("*"))


@pytest.mark.slow
def test_corrected_labels_are_read_without_extracting_again(early: Path) -> None:
    arguments = (*SCORE, "--images", "images", "--labels", "corrected.csv", "--output", "twice")
    (early / "corrected.csv").write_text((early / "late.csv").read_text())
    succeed(early, *arguments)
    late = rows_of(early / "late.csv")
    late[-1][1], late[-2][1] = late[-2][1], late[-1][1]
    with (early / "corrected.csv").open("w", newline="") as file:
        csv.writer(file).writerows(late)
    assert "nothing to extract" in succeed(early, *arguments).stderr
    assert len(list((early / "twice").glob("*.features.h5"))) == 1
    truth = pd.read_parquet(early / "twice" / "predictions.parquet").set_index("sample_id")["label"]
    assert truth.iloc[-1] == late[-1][1]


@pytest.mark.slow
def test_column_of_the_labels_is_that_of_fitting(early: Path) -> None:
    for name in ("early", "late"):
        table = pd.read_csv(early / f"{name}.csv", dtype=str)
        table["phase"] = np.where(np.arange(len(table)) % 2, "odd", "even")
        table.to_csv(early / f"{name}_phase.csv", index=False)
    succeed(
        early, "fit", "--head", "dummy", "--folds", "3", "--features", "features/early.h5",
        "--labels", "early_phase.csv", "--set", "labels.label=phase", "--output", "phase",
    )  # fmt: skip
    late = ("--model", "phase", "--images", "images", "--labels", "late_phase.csv")
    succeed(early, "score", *late)
    assert "--set labels.label=NAME" in refused(early, "score", *late, "--label-column", "klass")
    succeed(early, "predict", *late, "--output", "phase.csv")
    assert rows_of(early / "phase.csv")[0] == ["file_id", "phase", "probability", "apart_p"]


@pytest.mark.slow
def test_columns_of_the_labels_are_asked_for_where_the_head_was_fitted_without_a_table(early: Path) -> None:
    late = pd.read_csv(early / "late.csv", dtype=str)
    late.rename(columns={"file_id": "file", "cell_line": "line"}).to_csv(early / "truth.csv", index=False)
    score = (*SCORE, "--images", "images", "--labels", "truth.csv", "--set", "labels.label=null", "--output", "asked")
    message = refused(early, *score, code=2)
    assert "--label-column NAME" in message
    assert "--set labels.id=NAME" in message
    succeed(early, *score, "--label-column", "line", "--set", "labels.id=file")


@pytest.mark.parametrize(("groups", "noun"), [("label", "'label'"), ("nope", "'nope'"), ("gone.csv", "gone.csv")])
def test_wrong_groups_are_refused_before_extraction(early: Path, groups: str, noun: str) -> None:
    message = refused(early, *LATE, "--output", "never", "--groups", groups)
    assert "groups" in message
    assert noun in message
    assert not list((early / "never").glob("*"))


@pytest.mark.slow
def test_groups_asked_for_are_used(early: Path, scored: tuple[Ended, Path]) -> None:
    arguments = ("--features", str(scored[1]), "--labels", "late.csv", "--output", "by_plate", "--groups", "plate")
    succeed(early, *SCORE, *arguments)
    record = record_of(early / "by_plate")
    assert record["groups"] == "plate"
    assert record["n_groups"] <= 30 < record["n_samples"]


@pytest.mark.slow
def test_plates_of_training_samples_are_told(early: Path, scored: tuple[Ended, Path]) -> None:
    arguments = (*SCORE, "--features", str(scored[1]), "--labels", "late.csv", "--groups", "plate")
    alone = succeed(early, *arguments, "--output", "plates_alone")
    beside = succeed(early, *arguments, "--output", "plates_beside", "--fitted-on", "features/early.h5")
    assert "among the training samples" not in alone.stderr
    assert "among the training samples" in beside.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["head", "comparison"])
def test_other_results_are_not_overwritten(early: Path, kind: str) -> None:
    name = {"head": "early", "comparison": "compared"}[kind]
    if kind == "comparison":
        dummy = ("compare", "--heads", "dummy", "--folds", "3", "--features", "features/early.h5")
        succeed(early, *dummy, "--output", name)
    before = {path: path.read_bytes() for path in (early / name).iterdir() if path.is_file()}
    message = refused(early, *LATE, "--output", name)
    assert all(noun in message for noun in (name, kind, "--output"))
    assert {path: path.read_bytes() for path in (early / name).iterdir() if path.is_file()} == before


def test_training_samples_alone_are_refused(folder: Path, saved_knn: str) -> None:
    message = refused(folder, "score", "--model", saved_knn, "--features", "features/cells.h5")
    assert all(noun in message for noun in ("cells.h5", "150 samples", "training samples"))


@pytest.mark.parametrize("labels", [(), ("--labels", "none")])
def test_folders_serve_as_labels_where_training_used_them(
    folder: Path, laid_out: dict[str, str], labels: tuple[str, ...]
) -> None:
    fitted = ("score", "--model", laid_out["folders"], "--images", "rgb")
    message = refused(folder, *fitted, *labels, "--output", "of_folders")
    assert "20 samples are training samples" in message
