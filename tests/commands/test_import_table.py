"""``cellfeat import``, and the commands after it, on tables as people have them."""

from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pandas as pd
import pytest

from tests.commands.command_line import refused, run_cli, succeed
from tests.interop.tables.measured import cellprofiler, labels, numbers, write_anndata

FAST = ("--folds", "3", "--set", "comparison.draws=100")
FITTED = "results/first/logreg"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: two tables, the first one imported, and a head fitted on it."""
    folder = tmp_path_factory.mktemp("tables")
    cellprofiler(180).to_csv(folder / "first.csv", index=False)
    cellprofiler(90, seed=4).iloc[:, ::-1].to_parquet(folder / "second.parquet")
    succeed(folder, "import", "first.csv")
    succeed(folder, "fit", "--features", "features/first.h5", "--head", "logreg", *FAST)
    return folder


def test_import_says_guesses_and_the_next_command(user):
    done = succeed(user, "import", "first.csv", "--output", "features/again.h5")
    assert "cellfeat compare --features features/again.h5" in done.stdout
    assert "a guess" in done.stderr
    assert "Nuclei_Location_Center_X" in done.stderr


@pytest.mark.slow
def test_imported_file_is_compared_verified_and_inspected(user):
    done = succeed(user, "compare", "--features", "features/first.h5", "--heads", "logreg,dummy", *FAST)
    assert "near copies" not in done.stdout
    succeed(user, "verify", "features/first.h5")
    shown = succeed(user, "inspect", "features/first.h5").stdout
    assert "Cells_AreaShape_Area" in shown
    assert "robust" in shown


def test_second_table_is_predicted_in_one_command(user):
    succeed(user, "predict", "--model", FITTED, "--table", "second.parquet", "--output", "p.csv")
    lines = (user / "p.csv").read_text().splitlines()
    assert lines[0] == "ImageNumber+ObjectNumber,Metadata_Compound,probability,apart_p"
    assert len(lines) == 91


def test_columns_in_other_units_are_named_and_counted(user):
    table = cellprofiler(90, seed=4)
    measured = list(table.columns[-6:])
    table[measured] *= 1e4
    table.to_csv(user / "units.csv", index=False)
    done = succeed(user, "predict", "--model", FITTED, "--table", "units.csv", "--output", "units.pred.csv")
    told = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(told) == 5
    assert "6 of 6 columns" in told[-2]
    assert "lie apart" in told[-1]
    same = succeed(user, "predict", "--model", FITTED, "--table", "second.parquet", "--output", "same.pred.csv")
    assert "warning" not in same.stderr


@pytest.mark.slow
def test_second_table_is_scored_in_one_command(user):
    done = succeed(user, "score", "--model", FITTED, "--table", "second.parquet", "--output", "scored")
    assert "90 held-out samples" in done.stdout
    assert "near copies" not in done.stdout
    assert (user / "scored" / "metrics.json").is_file()


def test_predictions_without_labels_are_exported(user):
    cellprofiler(90, seed=6).drop(columns="Metadata_Compound").to_csv(user / "new.csv", index=False)
    succeed(user, "import", "new.csv", "--like", FITTED, "--output", "new.h5")
    succeed(user, "predict", "--model", FITTED, "--features", "new.h5", "--output", "new.pred.csv")
    done = succeed(user, "export", "new.h5", "--to", "profiles", "--model", FITTED, "--output", "new.parquet")
    assert "training samples" not in done.stderr
    profiles = pd.read_parquet(user / "new.parquet")
    predicted = pd.read_csv(user / "new.pred.csv")["Metadata_Compound"]
    assert profiles["Metadata_logreg_predicted"].tolist() == predicted.tolist()
    seen = succeed(user, "export", "features/first.h5", "--to", "csv", "--model", FITTED, "--output", "seen.csv")
    assert "180 of 180 samples" in seen.stderr


@pytest.mark.slow
def test_plates_are_left_out_one_after_the_other(user):
    plates = ("--features", "features/first.h5", "--folds", "leave-one-out")
    assert "Metadata_Plate" in refused(user, "compare", *plates, "--groups", "plaet")
    heads = "logreg,dummy,knn,sklearn:GaussianNB"
    done = succeed(user, "compare", *plates, "--groups", "plate", "--heads", heads, "--output", "plates", *FAST[2:])
    assert "rough with fewer than 10" in done.stderr
    assert "scores of single groups" not in done.stderr
    assert "scores of each fold for dummy: comparison.json" in done.stdout


def test_column_of_labels_of_another_name_is_asked_for(user):
    cellprofiler(30, seed=5).rename(columns={"Metadata_Compound": "Metadata_Drug"}).to_csv(user / "drug.csv")
    done = refused(user, "score", "--model", FITTED, "--table", "drug.csv")
    assert "--label-column COLUMN" in done
    assert "Metadata_Compound" in done
    succeed(
        user, "score", "--model", FITTED, "--table", "drug.csv", "--label-column", "Metadata_Drug", "--output", "drug"
    )


@pytest.mark.parametrize("like", [FITTED, "features/first.h5"])
def test_import_like_gives_the_same_predictions(user, like):
    succeed(user, "import", "second.parquet", "--like", like, "--output", "b.h5", "--replace")
    succeed(user, "predict", "--model", FITTED, "--table", "second.parquet", "--output", "a.csv")
    succeed(user, "predict", "--model", FITTED, "--features", "b.h5", "--output", "b.csv")
    assert (user / "a.csv").read_text() == (user / "b.csv").read_text()


def test_training_rows_are_not_scored(user):
    assert "held out" in refused(user, "score", "--model", FITTED, "--table", "first.csv")


@pytest.mark.slow
def test_audit_without_images_goes_on(user):
    done = succeed(user, "audit", "--features", "features/first.h5", "--images", ".", "--folds", "3")
    assert "images is left out" in done.stderr
    assert "embeddings (logreg)" in done.stdout


@pytest.mark.slow
def test_near_copies_of_rows_are_not_searched_for(user):
    done = succeed(
        user, "score", "--model", FITTED, "--table", "second.parquet", "--fitted-on", "features/first.h5",
        "--output", "scored", "--replace",
    )  # fmt: skip
    assert "not searched for" in done.stderr


@pytest.mark.parametrize("arguments", [("--images",), ("--sample", "2")])
def test_verification_of_images_says_that_there_are_none(user, arguments):
    assert "no images" in refused(user, "verify", *arguments, "features/first.h5")


def test_head_of_a_table_takes_no_images(user):
    assert "--table" in refused(user, "predict", "--model", FITTED, "--images", ".", "--output", "c.csv")


def write_table(path: Path) -> None:
    table = cellprofiler(30)
    if ".csv" in path.name:
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".npy":
        np.save(path, numbers(30))
    elif path.suffix == ".npz":
        np.savez(path, X=numbers(30), y=labels(30))
    elif path.suffix == ".h5ad":
        write_anndata(path, n=30)
    else:
        with h5py.File(path, "w") as file:
            file["deep/features"] = numbers(30)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz", "t.npy", "t.npz", "t.h5ad", "t.h5"])
def test_tables_given_as_features_are_told_the_command(user, name):
    write_table(user / name)
    for arguments in (
        ("compare", "--features", name),
        ("fit", "--head", "logreg", "--features", name),
        ("audit", "--features", name),
        ("predict", "--model", FITTED, "--features", name),
        ("score", "--model", FITTED, "--features", name),
        ("verify", name),
        ("inspect", name),
    ):
        message = refused(user, *arguments)
        assert f"cellfeat import {name}" in message
        assert "damaged" not in message
        assert "delete" not in message


def test_command_for_a_foreign_dataset_works_as_it_is_told(user):
    write_table(user / "my table.h5")
    told = refused(user, "compare", "--features", "my table.h5")
    assert "cellfeat import 'my table.h5' --dataset /deep/features" in told
    succeed(user, "import", "my table.h5", "--dataset", "/deep/features")


def test_extraction_into_an_imported_file_is_refused(user):
    (user / "pictures").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        (user / "pictures" / f"{number}.png").write_bytes(imagecodecs.png_encode(pixels))
    before = (user / "features" / "first.h5").read_bytes()
    for update in ((), ("--update",)):
        done = run_cli(
            user, "extract", "--images", "pictures", "--labels", "none", "--output", "features/first.h5", *update,
            "--set", "images.pattern={sample_id}.png", "--set", "images.channels=[0]",
        )  # fmt: skip
        assert done.returncode == 1
        assert "imported from a table" in done.stderr
    assert (user / "features" / "first.h5").read_bytes() == before
