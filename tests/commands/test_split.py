"""One feature file for training, validation and test, from the command line."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.commands.command_line import EXTRACT, refused, rows_of, succeed


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def parts(folder: Path) -> dict[str, list[str]]:
    """Ids of the samples by part: within each class, every third is for validation and every third for test."""
    seen: Counter[str] = Counter()
    found: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for sample_id, label, *_ in rows_of(folder / "labels.csv")[1:]:
        found[("train", "val", "test")[seen[label] % 3]].append(sample_id)
        seen[label] += 1
    return found


def counted(parts: dict[str, list[str]], *names: str) -> str:
    return ", ".join(f"{len(parts[name])} {name}" for name in names)


@pytest.fixture(scope="module")
def split(folder: Path, parts: dict[str, list[str]]) -> str:
    """A feature file of all samples, with their split."""
    part_of = {sample_id: name for name, ids in parts.items() for sample_id in ids}
    heading, *rows = rows_of(folder / "labels.csv")
    write(folder / "split.csv", [[*heading, "part"], *([*row, part_of[row[0]]] for row in rows)])
    extract = (*EXTRACT, "--labels", "split.csv", "--output", "features/split.h5", "--set", "labels.split=part")
    assert counted(parts, "train", "val", "test") in succeed(folder, *extract).stderr
    return "features/split.h5"


@pytest.fixture(scope="module")
def head(folder: Path, parts: dict[str, list[str]], split: str) -> str:
    """A head that is fitted on the training part."""
    done = succeed(folder, "fit", "--head", "logreg", "--folds", "2", "--features", split, "--output", "split-head")
    used, left = counted(parts, "train"), counted(parts, "val", "test")
    assert f"{used} samples are used; {left} are left out" in done.stderr
    return "split-head"


@pytest.mark.slow
def test_compare_uses_the_training_part(folder: Path, parts: dict[str, list[str]], split: str) -> None:
    compare = ("compare", "--heads", "dummy", "--folds", "2", "--features", split, "--output", "split-compared")
    n_train, n_other = len(parts["train"]), 150 - len(parts["train"])
    assert f"{n_other} in other parts" in succeed(folder, *compare).stdout
    counts = json.loads((folder / "split-compared" / "comparison.json").read_text())["counts"]
    assert (counts["n_samples"], counts["n_other_parts"]) == (n_train, n_other)
    both = succeed(folder, *compare, "--set", "comparison.parts=[train, val]")
    assert f"{counted(parts, 'train', 'val')} samples are used" in both.stderr


@pytest.mark.slow
def test_score_uses_the_test_part(folder: Path, parts: dict[str, list[str]], split: str, head: str) -> None:
    score = ("score", "--model", head, "--features", split)
    assert f"{counted(parts, 'test')} samples are used" in succeed(folder, *score, "--output", "split-scored").stderr
    record = json.loads((folder / "split-scored" / "metrics.json").read_text())
    assert record["parts"] == ["test"]
    assert record["n_samples"] + record["n_seen"] == len(parts["test"])
    assert (
        f"{counted(parts, 'val')} samples are used"
        in succeed(folder, *score, "--part", "val", "--output", "split-val").stderr
    )


@pytest.mark.slow
def test_split_of_the_images_is_used_too(folder: Path, parts: dict[str, list[str]], head: str) -> None:
    done = succeed(
        folder, "score", "--model", head, "--images", "images", "--labels", "split.csv", "--output", "split-images"
    )
    assert f"{counted(parts, 'test')} samples are used" in done.stderr


def test_split_without_a_table_is_refused(folder: Path) -> None:
    extract = (*EXTRACT, "--labels", "none", "--output", "features/no.h5", "--set", "labels.split=part")
    assert all(noun in refused(folder, *extract) for noun in ("labels.split", "'part'", "split_folders"))


def test_any_column_can_be_the_split(folder: Path, split: str) -> None:
    compare = ("compare", "--heads", "dummy", "--folds", "2", "--features", split, "--output", "split-other")
    assert "'plate'" in refused(folder, *compare, "--set", "labels.split=plate")
    assert "'nope'" in refused(folder, *compare, "--set", "labels.split=nope")


@pytest.mark.slow
def test_labels_of_other_samples_can_be_left_out(folder: Path, split: str, head: str) -> None:
    heading, *rows = rows_of(folder / "labels.csv")
    write(folder / "more.csv", [heading, *rows, ["999", "HeLa", ""]])
    ignore = ("--set", "labels.unmatched=ignore")
    compare = ("compare", "--heads", "dummy", "--folds", "2", "--features", split, "--output", "split-more")
    score = ("score", "--model", head, "--features", split, "--output", "split-more-scored")
    for command in (compare, score):
        message = refused(folder, *command, "--labels", "more.csv")
        assert all(noun in message for noun in ("999", "labels.unmatched=ignore"))
        assert "1 labels" in succeed(folder, *command, "--labels", "more.csv", *ignore).stderr
    images = ("--images", "images", "--labels", "more.csv")
    predict = ("predict", "--model", head, *images, "--output", "more_p.csv")
    assert "999" in refused(folder, *predict)
    assert "left out: 1 samples" in succeed(folder, *predict, *ignore).stderr
    assert len(rows_of(folder / "more_p.csv")) == 151
    done = succeed(folder, "score", "--model", head, *images, *ignore, "--output", "split-more-images")
    assert "left out: 1 labels" in done.stderr


@pytest.mark.slow
def test_missing_words_of_new_labels_are_said(folder: Path, split: str) -> None:
    heading, *rows = rows_of(folder / "labels.csv")
    write(folder / "na.csv", [heading, *([row[0], "NA" if i < 4 else row[1], ""] for i, row in enumerate(rows))])
    compare = ("compare", "--heads", "dummy", "--folds", "2", "--features", split, "--output", "split-na")
    done = succeed(folder, *compare, "--labels", "na.csv")
    assert "4 labels in na.csv read 'NA'" in done.stderr
    assert "without a label excluded" in done.stdout


@pytest.mark.slow
def test_layout_of_new_images_can_differ(folder: Path, laid_out: dict[str, str]) -> None:
    by_table = laid_out["table"]
    predict = ("predict", "--model", by_table, "--images", "rgb", "--output", "by_folder.csv")
    succeed(folder, *predict, "--set", "images.layout=folders")
    assert rows_of(folder / "by_folder.csv")[1][0] == "A549/1.png"
    score = ("score", "--model", by_table, "--images", "rgb", "--output", "by_folder")
    assert "20 samples are training samples" in refused(folder, *score, "--set", "images.layout=folders")


def test_settings_of_the_head_cannot_be_changed(folder: Path, saved_knn: str) -> None:
    predict = ("predict", "--model", saved_knn, "--images", "images", "--output", "no.csv")
    assert "backbone.name" in refused(folder, *predict, "--set", "backbone.name=resnet18", code=2)
    assert "--images" in refused(folder, *predict, "--set", "images.root=other", code=2)
    assert "layuot" in refused(folder, *predict, "--set", "images.layuot=folders")


@pytest.mark.slow
def test_absent_classes_are_named(folder: Path, split: str, head: str) -> None:
    heading, *rows = rows_of(folder / "labels.csv")
    classes = sorted({row[1] for row in rows})[:2]
    write(folder / "two.csv", [heading, *(row for row in rows if row[1] in classes)])
    score = ("score", "--model", head, "--features", split, "--labels", "two.csv", "--output", "two-classes")
    done = succeed(folder, *score)
    assert f"over the 2 of 9 classes that these samples have, {', '.join(classes)}" in done.stdout
    assert (folder / "two-classes" / "confusion.png").exists()


@pytest.mark.slow
def test_rare_class_does_not_stop_the_extraction(folder: Path) -> None:
    heading, *rows = rows_of(folder / "labels.csv")
    write(folder / "rare.csv", [heading, *([row[0], "rare" if i < 2 else row[1], ""] for i, row in enumerate(rows))])
    extract = (*EXTRACT, "--labels", "rare.csv", "--output", "features/rare.h5")
    assert "rare (2)" in succeed(folder, *extract).stderr
    compare = ("compare", "--heads", "dummy", "--folds", "3", "--features", "features/rare.h5", "--output", "rare")
    message = refused(folder, *compare)
    assert all(noun in message for noun in ("'rare' (2 samples", 'comparison.leave_out=["rare"]'))
    assert "2 samples" in succeed(folder, *compare, "--set", 'comparison.leave_out=["rare"]').stderr
