"""Results of one data set are not replaced by those of another, unless the user says so."""

import json
from pathlib import Path

import pytest

from tests.commands.command_line import EXTRACT, refused, succeed

DUMMY = ("--folds", "2")
SLOW = pytest.mark.slow
NAMES = ["compare", pytest.param("fit", marks=SLOW), pytest.param("audit", marks=SLOW)]


def write_labels(file: Path, samples: range) -> None:
    rows = [f"{sample},{('HeLa', 'RT4')[sample % 2]}" for sample in samples]
    file.write_text("\n".join(["file_id,cell_line", *rows]) + "\n")


@pytest.fixture(scope="module")
def user(folder: Path) -> Path:
    """The folder with two data sets: ``a/cells.h5`` has the first 60 samples of ``features/cells.h5``, ``b`` others."""
    for name, samples in (("a", range(1, 61)), ("b", range(61, 121))):
        write_labels(folder / f"{name}.csv", samples)
        listed = ("--labels", f"{name}.csv", "--set", "labels.unmatched=listed")
        succeed(folder, *EXTRACT, *listed, "--output", f"{name}/cells.h5")
        (folder / f"{name}.h5").write_bytes((folder / name / "cells.h5").read_bytes())
    return folder


def command_of(name: str) -> tuple[str, ...]:
    return {
        "compare": ("compare", "--heads", "dummy", *DUMMY),
        "fit": ("fit", "--head", "dummy", *DUMMY),
        "audit": ("audit", *DUMMY),
    }[name]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_default_folder_is_named_after_the_feature_file(name: str, user: Path) -> None:
    below = {"compare": "", "fit": "dummy", "audit": "audit"}[name]
    for features in ("a.h5", "b.h5"):
        succeed(user, *command_of(name), "--features", features)
    kept = [json.loads((user / "results" / stem / below / "samples.json").read_text()) for stem in "ab"]
    assert [record["source"] for record in kept] == ["a.h5", "b.h5"]
    assert kept[0]["samples"] != kept[1]["samples"]


@pytest.mark.parametrize("name", NAMES)
def test_results_of_other_samples_are_kept(name: str, user: Path) -> None:
    into = ("--output", f"of-{name}")
    succeed(user, *command_of(name), "--features", "a/cells.h5", *into)
    before = contents(user / f"of-{name}")
    message = refused(user, *command_of(name), "--features", "b/cells.h5", *into)
    assert all(noun in message for noun in (f"of-{name}", "60 of a/cells.h5", "--output", "--replace"))
    assert contents(user / f"of-{name}") == before
    succeed(user, *command_of(name), "--features", "a.h5", *into)  # a copy of the file has the same samples
    succeed(user, *command_of(name), "--features", "b/cells.h5", *into, "--replace")
    assert json.loads((user / f"of-{name}" / "samples.json").read_text())["source"] == "b/cells.h5"


@pytest.mark.slow
def test_feature_files_of_one_name_do_not_share_a_folder(user: Path) -> None:
    """Their default folder is one, because it has the name of the file."""
    for name in ("a", "b"):
        (user / name / "twin.h5").write_bytes((user / f"{name}.h5").read_bytes())
    succeed(user, *command_of("compare"), "--features", "a/twin.h5")
    for name in ("compare", "fit"):
        assert "results/twin" in refused(user, *command_of(name), "--features", "b/twin.h5")
    assert not (user / "results" / "twin" / "dummy").exists()


@pytest.mark.parametrize(
    ("name", "file_name"),
    [("compare", "predictions.parquet"), ("compare", "metrics_mlp.json"), ("audit", "groups.csv")],
)
def test_files_of_unknown_origin_are_kept(name: str, file_name: str, user: Path) -> None:
    """They may be results of cellfeat 0.1, or files of the user that happen to have these names."""
    file = user / f"own-{file_name}" / file_name
    file.parent.mkdir()
    file.write_text("years of work")
    message = refused(user, *command_of(name), "--features", "a.h5", "--output", file.parent.name)
    assert file.name in message
    assert file.read_text() == "years of work"


@pytest.mark.slow
def test_comparison_does_not_replace_the_files_of_a_saved_head(user: Path) -> None:
    succeed(user, *command_of("fit"), "--features", "a.h5", "--output", "head")
    before = contents(user / "head")
    assert "saved head" in refused(user, *command_of("compare"), "--features", "a.h5", "--output", "head")
    assert contents(user / "head") == before


@pytest.mark.slow
def test_scores_on_other_samples_are_kept(user: Path) -> None:
    # Exact duplicates of training samples would be excluded, so another head is fitted on each half.
    for name in ("a", "b"):
        succeed(user, *command_of("fit"), "--features", f"{name}.h5", "--output", f"head-{name}")
    succeed(user, "score", "--model", "head-a", "--features", "b.h5", "--output", "scores")
    before = contents(user / "scores")
    score = ("score", "--model", "head-b", "--features", "a.h5", "--output", "scores")
    assert "60 of b.h5" in refused(user, *score)
    assert contents(user / "scores") == before
    succeed(user, *score, "--replace")


@pytest.mark.slow
def test_updated_file_replaces_its_own_results(user: Path) -> None:
    growing = ("--set", "labels.unmatched=listed", "--output", "growing.h5")
    for n_samples in (60, 80):
        write_labels(user / "growing_labels.csv", range(1, n_samples + 1))
        succeed(user, *EXTRACT, "--labels", "growing_labels.csv", *growing, "--update")
        for name in ("compare", "fit", "audit"):
            succeed(user, *command_of(name), "--features", "growing.h5")
    record = json.loads((user / "results" / "growing" / "samples.json").read_text())
    assert record["n_samples"] == 80
    assert "results/growing" in refused(
        user, *command_of("compare"), "--features", "a.h5", "--output", "results/growing"
    )


@pytest.mark.slow
def test_run_keeps_results_of_other_samples(user: Path) -> None:
    succeed(user, *command_of("compare"), "--features", "b.h5", "--output", "of-run")
    config = {
        "images": {"root": "images"},
        "labels": {"file": "a.csv", "unmatched": "listed"},
        "preprocessing": {"input_size": 48, "crop": "none"},
        "backbone": {"name": "mobilenet_v3_small", "weights": "weights.pth"},
        "extraction": {"output": "a.h5", "device": "cpu", "precision": "fp32", "workers": 0},
        "comparison": {"heads": ["dummy"], "folds": 2, "output": "of-run"},
    }
    (user / "run-a.json").write_text(json.dumps(config))
    assert "of-run" in refused(user, "run", "--config", "run-a.json")
    succeed(user, "run", "--config", "run-a.json", "--replace")
    assert json.loads((user / "of-run" / "samples.json").read_text())["source"] == "a.h5"


@pytest.mark.slow
def test_images_alone_are_audited_into_a_folder_of_their_name(user: Path) -> None:
    listed = ("--set", "labels.unmatched=listed")
    succeed(user, "audit", "--images", "images", "--labels", "a.csv", *listed)
    assert (user / "results" / "images" / "audit" / "samples.json").exists()
    assert "results/images/audit" in refused(user, "audit", "--images", "images", "--labels", "b.csv", *listed)


@pytest.mark.slow
def test_results_may_lie_behind_a_link(user: Path) -> None:
    (user / "disk").mkdir()
    (user / "link").symlink_to("disk")
    for command in (command_of("fit"), command_of("fit")):
        succeed(user, *command, "--features", "a.h5", "--output", "link")
    assert (user / "link").is_symlink()
    assert (user / "disk" / "bundle.json").exists()
