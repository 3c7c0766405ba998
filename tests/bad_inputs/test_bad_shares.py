"""Wrong order, wrong settings, foreign plans and spoilt folders of ``--plan``, ``--share`` and ``--consolidate``."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellfeat.extraction.store import load_features
from cellfeat.records import seal, unseal
from tests.bad_inputs.conftest import write_cells

N_SAMPLES = 12


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes, and their labels."""
    return write_cells(tmp_path_factory.mktemp("cells"), N_SAMPLES)


@pytest.fixture(scope="module")
def extract(cli, network):
    def run(folder: Path, *more: object) -> Any:
        return cli(
            "extract", "--images", folder / "images", "--labels", folder / "labels.csv",
            "--set", "images.layout=folders", "--set", "images.channels=[0]",
            "--set", "preprocessing.channels_as=separate", "--set", "labels.id=file", "--set", "labels.label=label",
            "--set", "labels.files=file", "--set", "extraction.part_size=4", "--set", "extraction.batch_size=4",
            "--output", folder / "features.h5", *network, *more,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def one_share_made(cells, extract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun") / "cells"
    shutil.copytree(cells, folder)
    assert extract(folder, "--share", "0/2").code == 0
    return folder


@pytest.fixture
def begun(one_share_made, tmp_path) -> Path:
    """A copy of a run whose share 0/2 is made."""
    return shutil.copytree(one_share_made, tmp_path / "cells")


def parts(folder: Path) -> Path:
    return folder / "features.h5.parts"


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in parts(folder).glob("r*") if path.is_file()}


def goes_on(extract: Callable[..., Any], folder: Path) -> None:
    for words in (("--share", "1/2"), ("--consolidate",)):
        ending = extract(folder, *words)
        assert ending.code == 0, ending.err
    assert not parts(folder).exists()


@pytest.mark.parametrize(
    ("share", "told"),
    [
        ("2/2", "0 to 1"),
        ("8", "two numbers"),
        ("1 of 2", "two numbers"),
        ("-1/2", "two numbers"),
        ("0/0", "at least one share"),
        ("", "two numbers|one of"),
    ],
)
def test_share_that_cannot_be(share, told, begun, extract):
    before = kept(begun)
    extract(begun, "--share", share).is_refusal(told)
    assert kept(begun) == before
    assert not (begun / "features.h5").exists()


@pytest.mark.parametrize("other", [("--plan",), ("--consolidate",), ("--update",)])
def test_two_steps_in_one_command(other, begun, extract):
    extract(begun, "--share", "1/2", *other).is_refusal(r"--share.*expected one|and --share.*expected one")
    goes_on(extract, begun)


def test_consolidation_before_anything_was_made(cells, extract):
    extract(cells, "--consolidate").is_refusal(r"features\.h5\.parts: there is no plan.*--plan.*--share I/N")
    assert sorted(path.name for path in cells.iterdir()) == ["images", "labels.csv"]


def test_consolidation_before_all_shares(begun, extract):
    before = kept(begun)
    extract(begun, "--consolidate").is_refusal(r"1 of 3 parts are missing:\npart 1 \(rows 4 to 7\).*no share.*again")
    assert kept(begun) == before
    goes_on(extract, begun)


@pytest.mark.parametrize("step", [("--share", "1/2"), ("--consolidate",)])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--views", "4"), "views: 1 -> 4"),
        (("--set", "preprocessing.input_size=64"), "input_size: 48 -> 64"),
        (("--set", "images.intensity={range: [0, 100], percentile: null, over: image}"), "intensity"),
    ],
)
def test_other_settings_than_the_plan(change, told, step, begun, extract):
    before = kept(begun)
    extract(begun, *step, *change).is_refusal(rf"features\.h5\.parts: was planned with other.*{told}.*--output")
    assert kept(begun) == before
    goes_on(extract, begun)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "told"),
    [(("--batch-size", "2"), "batch_size: 4 -> 2"), (("--set", "extraction.part_size=6"), "part_size: 4 -> 6")],
)
def test_other_parts_than_the_plan(change, told, begun, extract):
    before = kept(begun)
    extract(begun, "--share", "1/2", *change).is_refusal(rf"features\.h5\.parts: .*other.*{told}")
    assert kept(begun) == before
    goes_on(extract, begun)


def test_sample_that_was_added_between_shares(begun, extract):
    before = kept(begun)
    shutil.copy(begun / "images" / "00.png", begun / "images" / "99.png")
    with (begun / "labels.csv").open("a") as table:
        table.write("99.png,RT4\n")
    for step in (("--share", "1/2"), ("--consolidate",)):
        extract(begun, *step).is_refusal("was planned with other settings or samples.*samples: sha256")
    assert kept(begun) == before


def test_plan_of_another_version(begun, extract):
    path = parts(begun) / "run.json"
    record = unseal(json.loads(path.read_text()))
    record["plan"]["cellfeat"] = "0.9"
    path.write_text(json.dumps(seal(record)))
    before = kept(begun)
    for step in (("--plan",), ("--share", "1/2"), ("--consolidate",), ()):
        extract(begun, *step).is_refusal(r"planned by cellfeat 0\.9.*--output")
    assert kept(begun) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rows-000000004.h5", "run.json"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_in_the_folder_of_parts(kind, name, begun, extract):
    path = parts(begun) / name
    content = path.read_bytes() if path.exists() else None
    path.unlink(missing_ok=True)
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    extract(begun, "--share", "1/2").is_refusal(rf"{name}: is not a file: move it")
    path.rmdir() if kind == "folder" else path.unlink()
    if content is not None:
        path.write_bytes(content)
    goes_on(extract, begun)


def test_file_in_place_of_the_folder_of_parts(cells, extract, tmp_path):
    folder = shutil.copytree(cells, tmp_path / "cells")
    parts(folder).write_text("notes")
    for step in (("--plan",), ("--share", "0/2")):
        extract(folder, *step).is_refusal(r"features\.h5.*there is a file where its folder should be")
    assert parts(folder).read_text() == "notes"


@pytest.mark.slow
def test_output_that_holds_other_features(begun, extract):
    goes_on(extract, begun)
    whole = (begun / "features.h5").read_bytes()
    for step in (("--plan",), ("--share", "0/2"), ("--consolidate",)):
        extract(begun, *step, "--views", "4").is_refusal(r"features\.h5: holds features of other.*views: 1 -> 4")
    assert (begun / "features.h5").read_bytes() == whole
    assert not parts(begun).exists()


@pytest.mark.slow
def test_steps_after_the_end_change_nothing(begun, extract):
    goes_on(extract, begun)
    whole = (begun / "features.h5").read_bytes()
    for step in (("--plan",), ("--share", "1/2"), ("--consolidate",)):
        ending = extract(begun, *step)
        assert ending.code == 0, ending.err
        assert "finished already" in ending.out + ending.err
    assert (begun / "features.h5").read_bytes() == whole
    assert not parts(begun).exists()


def test_image_that_is_spoilt_between_shares(begun, extract):
    (begun / "images" / "05.png").write_bytes(b"sorry")
    before = kept(begun)
    extract(begun, "--share", "1/2").is_refusal(r"share 1/2 on .*05\.png")
    assert kept(begun) == before
    extract(begun, "--consolidate").is_refusal(r"part 1 .*share 1/2 on .*failed: .*05\.png")


@pytest.mark.slow
def test_output_that_is_missing_its_disk(cells, extract, tmp_path):
    folder = shutil.copytree(cells, tmp_path / "cells")
    (folder / "features.h5").symlink_to(tmp_path / "not_mounted" / "features.h5")
    for step in (("--plan",), ("--share", "0/2"), ("--consolidate",)):
        extract(folder, *step).is_refusal(r"features\.h5: is a link to .*not_mounted")
    assert not (tmp_path / "not_mounted").exists()


def test_labels_that_change_between_shares_and_consolidation(begun, extract):
    assert extract(begun, "--share", "1/2").code == 0
    table = (begun / "labels.csv").read_text().replace("RT4", "A549")
    (begun / "labels.csv").write_text(table)
    ending = extract(begun, "--consolidate")
    assert ending.code == 0, ending.err
    assert set(load_features(begun / "features.h5").samples.labels) == {"HeLa", "A549"}


def test_folder_that_is_moved_between_shares(begun, extract, tmp_path):
    begun.rename(tmp_path / "moved")
    goes_on(extract, tmp_path / "moved")


@pytest.mark.slow
def test_shares_of_other_counts_and_folders(begun, extract, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(begun)
    ending = extract(tmp_path / "link", "--share", "1/3")
    assert ending.code == 0, ending.err
    monkeypatch.chdir(begun / "images")
    ending = extract(Path(".."), "--share", "2/3")
    assert ending.code == 0, ending.err
    assert "1 of them were there" in ending.out
    ending = extract(begun, "--consolidate")
    assert ending.code == 0, ending.err


@pytest.mark.slow
def test_output_that_is_a_link(cells, extract, tmp_path):
    folder = shutil.copytree(cells, tmp_path / "cells")
    (tmp_path / "disk").mkdir()
    (folder / "features.h5").symlink_to(tmp_path / "disk" / "cells.h5")
    for words in (("--share", "0/2"), ("--share", "1/2"), ("--consolidate",)):
        ending = extract(folder, *words)
        assert ending.code == 0, ending.err
    assert (folder / "features.h5").is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["cells.h5"]


def after_the_first_part(folder: Path, disturb: Callable[[], None]) -> threading.Thread:
    def wait_and_disturb() -> None:
        deadline = time.monotonic() + 60
        while not list(parts(folder).glob("rows-*")) and time.monotonic() < deadline:
            time.sleep(0.001)
        disturb()

    thread = threading.Thread(target=wait_and_disturb)
    thread.start()
    return thread


@pytest.mark.slow
def test_disk_that_fills_up_during_a_share(small_disk, cells, extract):
    folder = small_disk / "cells"
    shutil.copytree(cells, folder)
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    extract(folder, "--share", "0/1").is_refusal("the disk is full|disk is full")
    (small_disk / "filler").unlink()
    assert extract(folder, "--share", "0/2").code == 0
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    before = kept(folder)
    for step in (("--share", "1/2"), ("--plan",)):
        extract(folder, *step).is_refusal("the disk is full.*kept")
    assert kept(folder) == before
    (small_disk / "filler").unlink()
    goes_on(extract, folder)


@pytest.mark.slow
def test_read_only_disk(small_disk, cells, extract):
    folder = small_disk / "cells"
    shutil.copytree(cells, folder)
    assert extract(folder, "--share", "0/2").code == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for step in (("--share", "1/2"), ("--consolidate",)):
        extract(folder, *step).is_refusal("features.h5.*read-only.*--output")
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    goes_on(extract, folder)


@pytest.mark.slow
def test_folder_of_parts_removed_during_a_share(cells, extract, tmp_path):
    folder = shutil.copytree(cells, tmp_path / "cells")
    removing = after_the_first_part(folder, lambda: shutil.rmtree(parts(folder), ignore_errors=True))
    ending = extract(folder, "--share", "0/1")
    removing.join()
    ending.is_refusal(r"share 0/1 on .*features\.h5\S*: .*removed.*start the same command again")
    shutil.rmtree(parts(folder), ignore_errors=True)
    assert extract(folder, "--share", "0/2").code == 0
    goes_on(extract, folder)
