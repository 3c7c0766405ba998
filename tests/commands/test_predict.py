from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from tests.commands.command_line import EXTRACT, copy_images, refused, rows_of, succeed


@pytest.fixture(scope="module")
def cells(folder: Path, saved_knn: str) -> tuple[str, ...]:
    """Arguments of a prediction for the samples of the feature file."""
    return ("predict", "--model", saved_knn, "--features", "features/cells.h5", "--plain")


@pytest.fixture(scope="module")
def predicted(folder: Path, cells: tuple[str, ...]) -> list[list[str]]:
    """The rows of this prediction: id and class."""
    succeed(folder, *cells, "--output", "plain.csv")
    return rows_of(folder / "plain.csv")


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, str]:
    return {row[0]: row[1] for row in rows_of(folder / "labels.csv")}


@pytest.mark.slow
def test_features_and_images_give_the_same_predictions(folder, saved_knn, cells, predicted, truth) -> None:
    images = ("predict", "--model", saved_knn, "--images", "images", "--output", "by_images.csv", "--plain")
    assert "150 of 150" in succeed(folder, *images).stderr, "all are training samples"
    assert rows_of(folder / "by_images.csv") == predicted
    assert predicted[0] == ["file_id", "cell_line"]
    assert [row[0] for row in predicted[1:]] == [str(i) for i in range(1, 151)]
    assert sum(truth[name] == label for name, label in predicted[1:]) > 75


@pytest.mark.parametrize("output", ["-", "/dev/null", "predictions.xlsx"])
def test_output_that_is_no_file_of_text_is_refused(output, folder, cells) -> None:
    assert f"--output {output}: predictions are written" in refused(folder, *cells, "--output", output, code=2)


def test_samples_get_the_p_value_of_lying_apart(folder, saved_knn) -> None:
    done = succeed(folder, "predict", "--model", saved_knn, "--features", "features/cells.h5", "--output", "apart.csv")
    heading, *rows = rows_of(folder / "apart.csv")
    assert heading == ["file_id", "cell_line", "probability", "apart_p"]
    assert all(0 < float(row[3]) <= 1 for row in rows)
    assert "none of these samples could be compared" in done.stderr, "all are training samples"


@pytest.mark.slow
def test_probability_is_that_of_the_most_probable_class(folder, saved_knn) -> None:
    options = ("--features", "features/cells.h5", "--probabilities", "--min-probability", "0.9")
    succeed(folder, "predict", "--model", saved_knn, *options, "--output", "doubt.csv")
    heading, *rows = rows_of(folder / "doubt.csv")
    assert heading[:4] == ["file_id", "cell_line", "probability", "apart_p"]
    classes = heading[4:]
    for _, predicted, probability, _, *each in rows:
        assert probability == max(each, key=float)
        assert predicted in ("", classes[each.index(probability)])
        assert (predicted == "") == (float(probability) < 0.9)


def test_head_abstains_below_the_threshold(folder, cells) -> None:
    careful = succeed(folder, *cells, "--min-probability", "0.9", "--abstain-word", "unsure", "--output", "careful.csv")
    n_unsure = sum(row[1] == "unsure" for row in rows_of(folder / "careful.csv"))
    assert n_unsure > 0
    assert f"{n_unsure} of 150" in careful.stderr


def test_sets_hold_the_true_class(folder, cells, predicted, truth) -> None:
    done = succeed(folder, *cells, "--coverage", "0.75", "--output", "sets.csv")
    heading, *sets = rows_of(folder / "sets.csv")
    assert heading == ["file_id", "cell_line", "set", "set_size"]
    assert [row[:2] for row in sets] == predicted[1:]
    assert all(len(names.split("|")) == int(size) for *_, names, size in sets if size != "0")
    assert sum(truth[name] in names.split("|") for name, _, names, _ in sets) > 0.75 * 150
    mean_size = np.mean([int(row[3]) for row in sets])
    assert f"{mean_size:.2f} classes" in done.stderr


def test_samples_unlike_the_training_samples_are_told_before_the_prediction(folder, saved_knn) -> None:
    copy_images(folder, folder / "dark", {i: i for i in range(1, 13)})
    for path in (folder / "dark").iterdir():
        path.write_bytes(imagecodecs.png_encode(imagecodecs.imread(path).astype(np.uint16)))
    images = ("--images", "dark", "--output", "dark.csv")
    lines = succeed(folder, "predict", "--model", saved_knn, *images).stderr.splitlines()
    assert any("type: uint16" in line and "fitted on uint8" in line for line in lines)
    assert any("mean intensity of channel blue" in line for line in lines)


def test_features_of_another_recipe_are_refused(folder, saved_knn) -> None:
    copy_images(folder, folder / "few", {1: 1})
    few = ("--images", "few", "--labels", "none", "--views", "4", "--output", "features/four.h5")
    succeed(folder, *EXTRACT, *few)
    assert "views: 1 -> 4" in refused(folder, "predict", "--model", saved_knn, "--features", "features/four.h5")


@pytest.mark.slow
def test_each_folder_of_images_has_its_own_predictions(folder, saved_knn) -> None:
    copy_images(folder, folder / "straight", {1: 1, 2: 2})
    copy_images(folder, folder / "swapped", {1: 2, 2: 1})
    rows = []
    for images in ("straight", "swapped"):
        succeed(folder, "predict", "--model", saved_knn, "--images", images, "--probabilities")
        rows.append([row[1:] for row in rows_of(folder / "predictions.csv")[1:]])
    straight, swapped = rows
    assert len(straight) == 2
    assert swapped == straight[::-1]


@pytest.mark.slow
def test_only_new_images_are_extracted(folder, saved_knn) -> None:
    arguments = ("predict", "--model", saved_knn, "--images", "growing", "--output", "growing.csv")
    copy_images(folder, folder / "growing", {1: 1})
    succeed(folder, *arguments)
    copy_images(folder, folder / "growing", {2: 2})
    second = " ".join(succeed(folder, *arguments).stderr.split())
    assert [row[0] for row in rows_of(folder / "growing.csv")] == ["file_id", "1", "2"]
    assert all(noun in second for noun in ("1 new", "0 changed", "0 gone"))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["folders", "table"])
def test_images_are_read_in_every_layout(folder, laid_out, layout) -> None:
    labels = ("--labels", "table.csv") if layout == "table" else ()
    images = "rgb/HeLa" if layout == "folders" else "rgb"
    output = f"in_{layout}.csv"
    succeed(folder, "predict", "--model", laid_out[layout], "--images", images, *labels, "--output", output)
    assert len(rows_of(folder / output)) == (11 if layout == "folders" else 21)


def test_predictions_of_class_folders_are_headed_file_and_label(folder: Path, laid_out: dict[str, str]) -> None:
    model = ("predict", "--model", laid_out["folders"], "--features", "features/folders.h5")
    succeed(folder, *model, "--output", "of-folders.csv", "--plain")
    heading, first, *_ = rows_of(folder / "of-folders.csv")
    assert heading == ["file", "label"]
    assert first[0].startswith("A549/")


@pytest.mark.slow
def test_labels_given_at_fitting_name_the_columns(folder: Path, laid_out: dict[str, str]) -> None:
    rows = [f"{label}/{i}.png,{label}" for i in range(20) for label in [("HeLa", "A549")[i % 2]]]
    (folder / "paths.csv").write_text("\n".join(["path,phenotype", *rows]) + "\n")
    named = ("--labels", "paths.csv", "--set", "labels.id=path", "--set", "labels.label=phenotype")
    features = ("--features", "features/folders.h5")
    succeed(folder, "fit", "--head", "dummy", "--folds", "2", *features, *named, "--output", "named-dummy")
    succeed(folder, "predict", "--model", "named-dummy", *features, "--output", "named_predictions.csv", "--plain")
    assert rows_of(folder / "named_predictions.csv")[0] == ["path", "phenotype"]


@pytest.mark.slow
def test_predictions_of_other_samples_are_kept(folder: Path, saved_knn: str) -> None:
    for number, images in enumerate(("first", "second")):
        copy_images(folder, folder / images, {i + 10 * number: i for i in (1, 2)})
    predict = ("predict", "--model", saved_knn, "--output", "kept.csv", "--images")
    succeed(folder, *predict, "first")
    before = (folder / "kept.csv").read_bytes()
    succeed(folder, *predict, "first")
    message = refused(folder, *predict, "second")
    assert all(noun in message for noun in ("kept.csv", "2 other samples", "--replace"))
    assert (folder / "kept.csv").read_bytes() == before
    succeed(folder, *predict, "second", "--replace")
    assert [row[0] for row in rows_of(folder / "kept.csv")] == ["file_id", "11", "12"]


@pytest.mark.parametrize("name", ["labels.csv", "features/cells.h5", "notes.csv", "picture.csv"])
def test_predictions_are_not_written_over_another_file(name: str, folder: Path, saved_knn: str) -> None:
    (folder / "notes.csv").write_text("day,what\n1,years of work\n")
    (folder / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    before = (folder / name).read_bytes()
    predict = ("predict", "--model", saved_knn, "--features", "features/cells.h5", "--output", name)
    assert name in refused(folder, *predict)
    assert (folder / name).read_bytes() == before


@pytest.mark.parametrize("output", ["s3://bucket/predictions.csv", "https://host/predictions.csv"])
def test_address_as_output_is_not_supported_yet(output: str, folder: Path, saved_knn: str) -> None:
    predict = ("predict", "--model", saved_knn, "--features", "features/cells.h5", "--output", output)
    assert "not supported yet" in refused(folder, *predict)
    assert not list(folder.glob("s3*"))


@pytest.mark.parametrize("columns", [("file_id", "path"), ("path", "file_id")])
def test_table_may_name_ids_and_files(folder, laid_out, columns) -> None:
    rows = [{"file_id": "new", "path": "A549/1.png"}, {"file_id": "old", "path": "HeLa/0.png"}]
    lines = [columns, *([row[column] for column in columns] for row in rows)]
    (folder / "named_files.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    arguments = ("--images", "rgb", "--labels", "named_files.csv", "--output", "named_files_p.csv")
    done = succeed(folder, "predict", "--model", laid_out["table"], *arguments)
    assert [row[0] for row in rows_of(folder / "named_files_p.csv")[1:]] == ["new", "old"]
    assert "18 of 20 images in rgb" in done.stderr


@pytest.mark.slow
def test_each_row_of_a_table_is_answered_in_order(folder, saved_knn) -> None:
    predict = ("predict", "--model", saved_knn, "--images", "images", "--output", "asked.csv", "--plain", "--labels")
    (folder / "ids.csv").write_text("file_id\n6\n2\n")
    done = succeed(folder, *predict, "ids.csv")
    rows = rows_of(folder / "asked.csv")
    assert rows[0] == ["file_id", "cell_line"]
    assert [row[0] for row in rows[1:]] == ["6", "2"]
    assert all(row[1] for row in rows[1:])
    assert "148 samples" in done.stderr
    assert "ids.csv: 1, 3, 4" in done.stderr
    (folder / "more.csv").write_text("file_id\n6\n2\n1\n")
    succeed(folder, *predict, "more.csv")
    assert [row[0] for row in rows_of(folder / "asked.csv")[1:]] == ["6", "2", "1"]


def test_rows_without_an_image_are_refused(folder, saved_knn) -> None:
    (folder / "bare.csv").write_text("file_id\n6\n999\n")
    arguments = ("--images", "images", "--labels", "bare.csv", "--output", "bare_p.csv")
    message = refused(folder, "predict", "--model", saved_knn, *arguments)
    assert all(noun in message for noun in ("1 of 2", "bare.csv", "999 (line 3)"))
    assert not (folder / "bare_p.csv").exists()


def test_samples_without_a_prediction_are_named(folder, saved_knn) -> None:
    torn = folder / "torn"
    copy_images(folder, torn, {1: 1, 2: 2})
    (torn / "00002_red.png").write_bytes(b"torn")
    (torn / "overview.png").write_bytes(b"")
    arguments = ("--images", "torn", "--on-error", "quarantine", "--output", "torn.csv")
    done = succeed(folder, "predict", "--model", saved_knn, *arguments)
    assert "1 samples could not be read and have no prediction: 2\n" in done.stderr
    assert "1 of 7 images in torn" in done.stderr
    assert [row[0] for row in rows_of(folder / "torn.csv")[1:]] == ["1", "2"]
