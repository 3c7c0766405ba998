"""Folders and tables that ``cellfeat init`` cannot use: one message, and no file written."""

import os
import sys
import time
from pathlib import Path

import pytest

from cellfeat.config_files import read_mapping
from cellfeat.proposing.candidates import candidates
from cellfeat.proposing.proposal import Answers
from cellfeat.proposing.propose import FilesTarget, propose
from cellfeat.proposing.survey import survey_folder
from tests.proposing.layout_folders import pixels, save


def images(folder: Path, n: int = 6) -> None:
    for i in range(n):
        save(folder, f"{i}.png", pixels(8, 8, 3))


@pytest.fixture
def data(inside: Path) -> Path:
    """The folder ``data``, in the working directory."""
    (inside / "data").mkdir()
    return inside / "data"


def test_missing_folder(inside, cli):
    cli("init", "nowhere", "--yes").is_refusal("nowhere: no such folder")


def test_file_in_place_of_a_folder(inside, cli):
    save(inside, "a.png")
    cli("init", "a.png", "--yes").is_refusal("a.png: no such folder: it is a file")


def test_empty_folder(data, cli):
    cli("init", "data", "--yes").is_refusal("data: the folder is empty")
    assert not (data.parent / "cellfeat.yaml").exists()


def test_folder_of_texts(data, cli):
    (data / "notes.txt").write_text("nothing")
    (data / "table.csv").write_text("a,b\n1,2\n")
    cli("init", "data", "--yes").is_refusal("none of its 2 files is a PNG, JPEG, TIFF or BMP")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not bind root")
def test_unreadable_folder(data, cli):
    images(data)
    data.chmod(0)
    try:
        cli("init", "data", "--yes").is_refusal("data: the folder cannot be listed")
    finally:
        data.chmod(0o755)


def test_table_of_other_images(data, cli):
    images(data)
    (data / "labels.csv").write_text("id,label\nx1,HeLa\nx2,A549\n")
    cli("init", "data", "--labels", "data/labels.csv", "--yes").is_refusal(
        "labels.csv: no column holds the ids.*id, label"
    )


def test_missing_table(data, cli):
    images(data)
    cli("init", "data", "--labels", "none.csv", "--yes").is_refusal("none.csv do not exist")


def test_damaged_table_beside_images_is_named_and_left_out(data, cli):
    images(data)
    (data / "labels.csv").write_bytes(b"id,label\n1,\xff\xfe\n")
    done = cli("init", "data", "--yes")
    assert done.code == 0
    assert "labels.csv: line 2: not UTF-8" in done.err


def test_of_two_tables_that_which_fits_is_taken(data, cli):
    images(data)
    (data / "a.csv").write_text("id,label\n0,HeLa\n1,A549\n")
    (data / "b.csv").write_text("id,label\n" + "".join(f"{i},{'XY'[i % 2]}\n" for i in range(6)))
    assert cli("init", "data", "--yes").code == 0
    assert read_mapping(data.parent / "cellfeat.yaml")["labels"]["file"] == "data/b.csv"


def test_images_of_two_kinds_are_named(data, cli):
    images(data, 8)
    for i in range(3):
        save(data, f"grey{i}.png")
    done = cli("init", "data", "--yes")
    assert done.code == 0
    assert "different kinds are mixed: 8 of 11" in done.err


def test_unreadable_images_are_quarantined(data, cli):
    images(data, 8)
    (data / "9.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    done = cli("init", "data", "--yes")
    assert done.code == 0
    assert "9.png" in done.err
    assert read_mapping(data.parent / "cellfeat.yaml")["extraction"]["on_error"] == "quarantine"


def test_settings_that_exist_are_kept(data, cli):
    images(data)
    (data.parent / "cellfeat.yaml").write_text("comparison: {folds: 3}\n")
    cli("init", "data", "--yes").is_refusal("cellfeat.yaml exists.*--force")
    assert (data.parent / "cellfeat.yaml").read_text() == "comparison: {folds: 3}\n"


def test_settings_file_of_another_kind(data, cli):
    images(data)
    assert cli("init", "data", "--output", "settings.txt", "--yes").code == 2


def test_setting_that_is_unknown(data, cli):
    images(data)
    cli("init", "data", "--yes", "--set", "extraction.veiws=4").is_refusal("extraction.views")
    assert not (data.parent / "cellfeat.yaml").exists()


def test_broken_settings_in_the_folder_are_named(inside, cli):
    (inside / "cellfeat.yaml").write_text("images: [")
    done = cli("extract")
    assert done.code == 1
    assert "cellfeat.yaml: not valid YAML" in done.err


HOSTILE = ("a: {b", "x\n- y", "{sample_id}", "'\"#&*!|>%@`", "\u202eevil\u2028", "\x1b[2J", "$(rm)", "{0.__class__}")


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows refuses")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name, data, cli):
    for label in (name, f"{name}2"):
        for i in range(6):
            save(data, f"{label}/{name}_{i}_w1.png")
            save(data, f"{label}/{name}_{i}_w2.png")
    done = cli("init", "data", "--yes")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err
    text = (data.parent / "cellfeat.yaml").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert set(read_mapping(data.parent / "cellfeat.yaml")) <= {
        "images", "labels", "preprocessing", "backbone", "extraction", "comparison"
    }  # fmt: skip


@pytest.mark.slow
def test_many_files_take_seconds(data):
    one = pixels(8, 8)
    save(data, "x.png", one)
    content = (data / "x.png").read_bytes()
    (data / "x.png").unlink()
    for i in range(33_000):
        for channel in ("w1", "w2", "w3"):
            (data / f"P{i % 7}_B{i % 12 + 1:02d}_s{i:05d}_{channel}.png").write_bytes(content)
    start = time.process_time()
    found = propose(survey_folder(data), None, Answers({}), FilesTarget(data / "files.csv"))
    assert time.process_time() - start < 30
    assert len(found.manifest) == 33_000


def test_names_are_read_quickly(data):
    """The slow part for many files, without writing them."""
    images(data, 3)
    survey = survey_folder(data)
    names = tuple(f"P{i % 7}_B{i % 12 + 1:02d}_s{i:05d}_{one}.png" for i in range(3_000) for one in ("w1", "w2", "w3"))
    start = time.process_time()
    assert candidates(type(survey)(**{**vars(survey), "names": names}))
    assert time.process_time() - start < 5
