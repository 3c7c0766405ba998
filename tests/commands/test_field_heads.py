"""A head fitted on cells of whole fields predicts and is scored on other fields."""

from pathlib import Path

import pytest

from tests.commands.command_line import EXTRACT, refused, succeed
from tests.samples.fields.field_files import write_csv, write_fields

FIELDS = (
    "--set", "images.layout=fields", "--set", "images.pattern={plate}/{well}_s{site}_{channel}.png",
    "--set", "images.channels=[DNA,ER]", "--set", "preprocessing.channels_as=separate",
    "--set", "images.fields.masks_root=train/masks", "--set", "images.fields.crop_size=9",
    "--set", "labels.label=treatment",
)  # fmt: skip


@pytest.fixture(scope="module")
def user(folder: Path) -> Path:
    """The folder with fields ``train`` and ``new``, and a saved head of the first."""
    for name in ("train", "new"):
        write_fields(folder / name, n_sites=2)
        write_csv(folder / name / "layout.csv", "Plate,Well,treatment", ["P1,A1,x", "P1,B2,y", "P2,A1,x", "P2,B2,y"])
    images = ("--images", "train/images", "--labels", "train/layout.csv", "--output", "fields.h5")
    succeed(folder, *EXTRACT, *FIELDS, *images)
    succeed(folder, "fit", "--features", "fields.h5", "--head", "dummy", "--folds", "2", "--output", "field-head")
    return folder


@pytest.mark.slow
def test_labels_of_wells_score_a_head(user: Path) -> None:
    new = (
        "--images",
        "new/images",
        "--labels",
        "new/layout.csv",
        "--output",
        "field-scores",
        "--weights",
        "weights.pth",
    )
    ended = succeed(user, "score", "--model", "field-head", *new)
    assert "32 held-out samples in 8 groups" in ended.stdout


def fit_grouped(user: Path, group: str) -> tuple[str, ...]:
    """Fit a head on fields with another group; returns the options that apply it to new fields."""
    rows = ["P1,A1,x,b1", "P1,B2,y,b1", "P2,A1,x,b2", "P2,B2,y,b2"]
    write_csv(user / "batches.csv", "Plate,Well,treatment,batch", rows)
    images = ("--images", "train/images", "--labels", "batches.csv", "--output", f"{group}.h5")
    succeed(user, *EXTRACT, *FIELDS, *images, "--set", f"labels.group={group}")
    fitting = ("--features", f"{group}.h5", "--head", "dummy", "--folds", "2", "--output", f"head-{group}")
    succeed(user, "fit", *fitting)
    return "--model", f"head-{group}", "--images", "new/images", "--weights", "weights.pth"


@pytest.mark.slow
@pytest.mark.parametrize(("group", "n_groups"), [("[plate,well]", 4), ("Plate", 2)])
def test_new_fields_are_grouped_as_those_of_the_head(user: Path, group: str, n_groups: int) -> None:
    new = fit_grouped(user, group)
    ended = succeed(user, "score", *new, "--labels", "new/layout.csv", "--output", f"scores-{n_groups}")
    assert f"32 held-out samples in {n_groups} groups" in ended.stdout


@pytest.mark.slow
def test_new_fields_need_no_group_to_be_predicted(user: Path) -> None:
    succeed(user, "predict", *fit_grouped(user, "batch"), "--output", "batch.csv")


@pytest.mark.slow
def test_cells_of_new_fields_are_predicted(user: Path) -> None:
    new = ("--images", "new/images", "--output", "field-cells.csv", "--weights", "weights.pth")
    succeed(user, "predict", "--model", "field-head", *new)
    lines = (user / "field-cells.csv").read_text().splitlines()
    assert len(lines) == 33
    assert lines[1].startswith("P1/A01/1:1,")


def test_new_fields_without_masks_are_refused(user: Path) -> None:
    (user / "bare").mkdir()
    (user / "new" / "images").rename(user / "bare" / "images")
    new = ("--images", "bare/images", "--output", "bare.csv", "--weights", "weights.pth")
    assert "images.fields.masks_root" in refused(user, "predict", "--model", "field-head", *new)
