"""Settings proposed for folders of images as laboratories keep them."""

from itertools import product
from pathlib import Path

import pytest

from cellfeat.config_sources import load_settings
from cellfeat.errors import ManifestError
from cellfeat.proposing.config_text import config_text
from cellfeat.proposing.proposal import Answers, Proposal, Question
from cellfeat.proposing.propose import FilesTarget, propose
from cellfeat.proposing.survey import survey_folder
from tests.proposing import layout_folders, other_folders
from tests.proposing.layout_folders import CLASSES, Expected, plate_well_field, save, write_csv

LAYOUTS = layout_folders.LAYOUTS | other_folders.LAYOUTS


def proposal_for(folder: Path, answers: Answers | None = None, labels: str | None = None) -> Proposal:
    return propose(survey_folder(folder), labels, answers or Answers({}), FilesTarget(folder / "cellfeat_files.csv"))


def check(found: Proposal, expected: Expected) -> None:
    table = found.manifest.table
    assert len(table) == expected.n_samples
    assert {label for label in table["label"] if label} == set(expected.labels)
    assert tuple(found.settings.images.channels) == expected.channels
    if expected.n_groups is not None:
        assert table.loc[table["group"] != "", "group"].nunique() == expected.n_groups


@pytest.mark.parametrize("name", LAYOUTS)
def test_samples_labels_groups_and_channels_are_found(name: str, tmp_path: Path) -> None:
    expected = LAYOUTS[name](tmp_path / "data")
    check(proposal_for(tmp_path / "data"), expected)


@pytest.mark.parametrize("name", ["plate_well_field", "mixed_bits", "fields_with_masks", "windows_copies"])
def test_file_of_settings_gives_the_settings_again(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path)
    found = proposal_for(tmp_path)
    file = tmp_path / "cellfeat.yaml"
    file.write_text(config_text(found), encoding="utf-8")
    assert load_settings(file) == found.settings


def test_what_may_be_wrong_is_called_a_guess(tmp_path: Path) -> None:
    LAYOUTS["plate_well_field"](tmp_path)
    found = proposal_for(tmp_path)
    guessed = {choice.key for choice in found.guesses}
    assert {"labels.label", "labels.group", "images.pattern"} <= guessed
    assert not {"images.root", "images.channels", "labels.file"} & guessed


def test_mixed_bits_get_a_rule_that_fits_both(tmp_path: Path) -> None:
    LAYOUTS["mixed_bits"](tmp_path)
    found = proposal_for(tmp_path)
    assert found.settings.images.intensity.percentile == (0.1, 99.9)
    assert found.settings.images.intensity.over == "image"


def two_label_columns(folder: Path) -> None:
    for i in range(12):
        save(folder, f"{i}.png")
    rows = [(i, CLASSES[i % 2], "ctrl" if i < 6 else "drug") for i in range(12)]
    write_csv(folder / "labels.csv", "id,cell_line,treatment", rows)


def test_question_is_asked_where_two_columns_may_be_the_label(tmp_path: Path) -> None:
    two_label_columns(tmp_path)
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return "treatment"

    found = proposal_for(tmp_path, Answers({}, ask))
    assert [question.key for question in asked] == ["labels.label"]
    assert set(found.manifest.table["label"]) == {"ctrl", "drug"}


def test_given_answers_are_kept_and_not_asked_for(tmp_path: Path) -> None:
    two_label_columns(tmp_path)

    def ask(question: Question) -> str:
        raise AssertionError(question)

    found = proposal_for(tmp_path, Answers({"labels.label": "treatment", "images.channels": [0]}, ask))
    assert found.settings.labels.label == "treatment"
    assert set(found.manifest.table["label"]) == {"ctrl", "drug"}


def test_labels_none_ignores_tables(tmp_path: Path) -> None:
    two_label_columns(tmp_path)
    found = proposal_for(tmp_path, labels="none")
    assert found.settings.labels.file is None
    assert len(found.manifest) == 12


def test_wells_are_groups_where_each_class_has_its_own_plate(tmp_path: Path) -> None:
    for name, plate in (("HeLa", "P1"), ("A549", "P2")):
        for i in range(12):
            save(tmp_path, f"{name}/{plate}_B0{i // 2 + 1}_c{i}.png")
    found = proposal_for(tmp_path)
    assert found.settings.labels.group == ["plate", "well"]
    assert "one plate alone" in group_reason(found)
    assert "--group" not in group_reason(found)


def test_float_images_beyond_one_get_percentiles(tmp_path: Path) -> None:
    for i in range(6):
        save(tmp_path, f"{CLASSES[i % 2]}/{i}.tif", layout_folders.pixels(12, 12).astype("float32"))
    assert proposal_for(tmp_path).settings.images.intensity.over == "dataset"


def test_two_scales_of_floats_are_named_and_scaled_by_themselves(tmp_path: Path) -> None:
    for i in range(6):
        values = layout_folders.pixels(12, 12).astype("float32")
        save(tmp_path, f"{CLASSES[i % 2]}/{i}.tif", values / 65_535 if i < 2 else values)
    (choice,) = (one for one in proposal_for(tmp_path).choices if one.key == "images.intensity")
    assert choice.value == {"percentile": [0.1, 99.9], "over": "image"}
    assert choice.is_guess
    assert choice.reason.startswith("2 of 6 samples have values from 0 to 1 and the others up to")


def test_given_pattern_says_how_names_are_read(tmp_path: Path) -> None:
    LAYOUTS["plate_well_field"](tmp_path)
    pattern = "{barcode}_{position}_{wave}_{channel}.tif"
    found = proposal_for(tmp_path, Answers({"images.pattern": pattern}))
    assert found.settings.images.pattern == pattern
    assert found.settings.images.channels == ["w1", "w2", "w3"]
    assert set(found.manifest.table["barcode"]) == {"P1", "P2", "P3", "P4", "P5", "P6"}


def test_given_layout_is_taken(tmp_path: Path) -> None:
    LAYOUTS["classes_in_plates"](tmp_path)
    found = proposal_for(tmp_path, Answers({"images.layout": "folders"}))
    assert set(found.manifest.table["label"]) == {f"Plate{number}" for number in range(1, 7)}


def test_samples_without_labels_are_said(tmp_path: Path) -> None:
    LAYOUTS["yokogawa"](tmp_path)
    assert any("--labels TABLE" in line for line in proposal_for(tmp_path).remarks)


def test_table_beside_the_folder_is_found_and_called_a_guess(tmp_path: Path) -> None:
    two_label_columns(tmp_path / "data")
    (tmp_path / "data" / "labels.csv").rename(tmp_path / "labels.csv")
    write_csv(tmp_path / "other.csv", "a,b", [("x", "y")])
    found = proposal_for(tmp_path / "data")
    assert found.settings.labels.file == tmp_path / "labels.csv"
    assert "labels.file" in {choice.key for choice in found.guesses}
    assert not any("other.csv" in line for line in (*found.seen, *found.remarks))


def test_predictions_are_no_labels(tmp_path: Path) -> None:
    two_label_columns(tmp_path / "data")
    table = tmp_path / "data" / "labels.csv"
    ids = [line.partition(",")[0] for line in table.read_text().splitlines()[1:]]
    table.unlink()
    write_csv(tmp_path / "predictions.csv", "file_id,label,apart_p", [(one, "HeLa", "0.5") for one in ids])
    assert proposal_for(tmp_path / "data").settings.labels.file is None
    (tmp_path / "predictions.csv").rename(tmp_path / "data" / "predictions.csv")
    found = proposal_for(tmp_path / "data")
    assert found.settings.labels.file is None
    assert any("predictions.csv" in line for line in found.remarks)


def test_table_of_an_earlier_call_is_made_anew(tmp_path: Path) -> None:
    LAYOUTS["metaxpress_guids"](tmp_path / "data")
    target = FilesTarget(tmp_path / "cellfeat_files.csv", replaces=True)
    survey = survey_folder(tmp_path / "data")
    first = propose(survey, None, Answers({}), target)
    again = propose(survey, None, Answers({}), target)
    assert first.settings == again.settings
    assert "labels.file" not in {choice.key for choice in again.guesses}


def train_and_test(folder: Path) -> None:
    for i in range(1, 19):
        for channel in ("DAPI", "GFP"):
            save(folder, f"images_{'train' if i <= 12 else 'test'}/{i:03d}_{channel}.png")
    write_csv(folder / "labels.csv", "id,class", [(i, CLASSES[i % 2]) for i in range(1, 13)])


def test_folder_that_the_table_labels_is_the_root(tmp_path: Path) -> None:
    train_and_test(tmp_path)
    found = proposal_for(tmp_path)
    assert found.settings.images.root == tmp_path / "images_train"
    assert found.settings.images.pattern == "{sample_id:03d}_{channel}.png"
    assert len(found.manifest) == 12
    assert any("12 images" in line and "images_test" in line for line in found.remarks)


def test_folders_stay_together_where_the_table_labels_several(tmp_path: Path) -> None:
    train_and_test(tmp_path)
    write_csv(tmp_path / "labels.csv", "id,class", [(i, CLASSES[i % 2]) for i in range(3, 17)])
    found = proposal_for(tmp_path)
    assert found.settings.images.root == tmp_path
    assert len(found.manifest) == 14


@pytest.mark.parametrize("column", ["file", "id"])
def test_largest_of_several_tables_is_a_guess(column: str, tmp_path: Path) -> None:
    for i in range(20):
        save(tmp_path, f"images/cell{i}.png")
    for name, numbers in (("a_test.csv", range(14, 20)), ("b_train.csv", range(14))):
        ending = ".png" if column == "file" else ""
        write_csv(tmp_path / name, f"{column},class", [(f"cell{i}{ending}", CLASSES[i % 2]) for i in numbers])
    found = proposal_for(tmp_path)
    assert found.settings.labels.file == tmp_path / "b_train.csv"
    guess = next(choice for choice in found.guesses if choice.key == "labels.file")
    assert "a_test.csv" in guess.reason


def test_table_that_is_not_used_is_named(tmp_path: Path) -> None:
    for i in range(12):
        save(tmp_path, f"crop{i}.png")
    write_csv(tmp_path / "labels.csv", "id,class", [(f"other{i}", CLASSES[i % 2]) for i in range(12)])
    assert any("labels.csv is not used" in line and "class" in line for line in proposal_for(tmp_path).remarks)


def test_samples_of_which_none_can_be_read_are_refused(tmp_path: Path) -> None:
    for i in range(12):
        save(tmp_path, f"{i}_DAPI.tif")
        save(tmp_path, f"{i}_GFP.tif", layout_folders.pixels(12, 12, dtype="uint16"))
    with pytest.raises(ManifestError, match=r"none of 12 samples .* uint16"):
        proposal_for(tmp_path)


def test_images_of_two_endings_are_written_into_a_table(tmp_path: Path) -> None:
    for i in range(24):
        save(tmp_path, f"{CLASSES[i % 2]} ({i}).{'png' if i % 3 else 'jpg'}", layout_folders.pixels(12, 12))
    check(proposal_for(tmp_path), Expected(24, channels=(0,)))


def test_german_names_of_columns_and_folders_are_known(tmp_path: Path) -> None:
    for donor in range(1, 7):
        for i in range(4):
            save(tmp_path, f"{CLASSES[i % 2]}/Spender {donor}/Zelle {i}.png")
    check(proposal_for(tmp_path), Expected(24, n_groups=6, channels=(0,)))


def test_no_group_is_a_guess(tmp_path: Path) -> None:
    two_label_columns(tmp_path)
    assert "labels.group" in {choice.key for choice in proposal_for(tmp_path).guesses}


@pytest.mark.parametrize("key", ["id", "label", "split"])
def test_named_column_that_no_table_has_is_refused(key: str, tmp_path: Path) -> None:
    two_label_columns(tmp_path)
    with pytest.raises(ManifestError, match=rf"--{key}.*'Treatment'.*'treatment'"):
        proposal_for(tmp_path, Answers({f"labels.{key}": "Treatment"}))


def test_fields_as_groups_say_that_wells_are_split(tmp_path: Path) -> None:
    for well, site, cell in product(("A01", "A02", "B01", "B02"), range(1, 7), (1, 2)):
        save(tmp_path, f"images/P1_{well}_s{site}_cell{cell}.png")
    classes = {"A": CLASSES[0], "B": CLASSES[1]}
    rows = [(well, classes[well[0]]) for well in ("A01", "A02", "B01", "B02")]
    write_csv(tmp_path / "labels.csv", "well,cell_line", rows)
    found = proposal_for(tmp_path)
    assert found.settings.labels.group[-2:] == ["well", "site"]
    assert "2 wells alone" in group_reason(found)
    assert "new well" in group_reason(found)
    assert "--group " in group_reason(found)


def test_groups_that_split_nothing_coarser_have_no_price(tmp_path: Path) -> None:
    plate_well_field(tmp_path)
    assert "alone" not in group_reason(proposal_for(tmp_path))


def group_reason(found: Proposal) -> str:
    return next(choice.reason for choice in found.choices if choice.key == "labels.group")
