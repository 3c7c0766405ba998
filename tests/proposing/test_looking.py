"""``cellfeat.propose``, and tables of numbers in place of images."""

from pathlib import Path

import numpy as np
import pytest

import cellfeat
from cellfeat.config_sources import load_settings
from cellfeat.errors import ConfigError, ManifestError, MissingFileError
from tests.proposing.layout_folders import LAYOUTS, save, write_csv

NUMBERS = [(f"B0{i}", f"{i}.5", 2.25, i * 3.1, -1e-3) for i in range(1, 9)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> cellfeat.Proposal:
    folder = tmp_path_factory.mktemp("looked") / "data"
    LAYOUTS["plate_well_field"](folder)
    return cellfeat.propose(folder, settings={"backbone.name": "resnet18"})


def test_repr_is_one_line_with_the_guesses(found):
    assert repr(found).startswith("<Proposal for 24 samples in ")
    assert "labels.label" in repr(found)
    assert "\n" not in repr(found)


def test_table_has_a_row_for_each_setting(found):
    table = found.table().set_index("setting")
    assert table.loc["images.channels", "value"] == "[w1, w2, w3]"
    assert table.loc["labels.label", "is_guess"]
    assert table.loc["backbone.name", "reason"] == "as you said"


def test_saved_file_gives_the_settings(found, tmp_path):
    file = found.save(tmp_path / "cellfeat.yaml")
    assert load_settings(file) == found.settings
    with pytest.raises(ConfigError, match="force=True"):
        found.save(file)
    assert found.save(file, force=True) == file


def test_save_refuses_another_ending(found, tmp_path):
    with pytest.raises(ConfigError, match=r"\.yaml"):
        found.save(tmp_path / "cellfeat.json")


def test_seen_begins_with_the_images(found):
    assert found.seen[0].startswith("images: 72 in ")


def test_missing_folder(tmp_path):
    with pytest.raises(MissingFileError, match="no such folder"):
        cellfeat.propose(tmp_path / "none")


def numbers_csv(folder: Path) -> Path:
    write_csv(folder / "profiles.csv", "Metadata_Well,a,b,c,d", NUMBERS)
    return folder / "profiles.csv"


def numbers_windows_1252(folder: Path) -> Path:
    rows = [(*row, f"{i} µm") for i, row in enumerate(NUMBERS)]
    write_csv(folder / "profiles.csv", "Metadata_Well,a,b,c,d,Größe", rows)
    file = folder / "profiles.csv"
    file.write_bytes(file.read_text().encode("cp1252"))
    return file


def numbers_parquet(folder: Path) -> Path:
    import pandas as pd

    pd.DataFrame(NUMBERS, columns=list("wabcd")).astype({"a": float}).to_parquet(folder / "profiles.parquet")
    return folder / "profiles.parquet"


def numbers_npz(folder: Path) -> Path:
    np.savez(folder / "profiles.npz", X=np.zeros((3, 4)))
    return folder / "profiles.npz"


@pytest.mark.parametrize("write", [numbers_csv, numbers_windows_1252, numbers_parquet, numbers_npz])
@pytest.mark.parametrize("names_file", [True, False])
def test_table_of_numbers_is_for_import(write, names_file, tmp_path):
    file = write(tmp_path)
    with pytest.raises(ManifestError, match=rf"cellfeat import \S*{file.name}"):
        cellfeat.propose(file if names_file else tmp_path)


@pytest.mark.parametrize("shape", [(3, 64, 64), (20, 48, 48, 3)])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_array_of_images_is_no_table(shape, ending, tmp_path):
    images = np.zeros(shape, np.uint8)
    file = tmp_path / f"cells.{ending}"
    np.save(file, images) if ending == "npy" else np.savez(file, labels=np.arange(len(images)), images=images)
    for path in (file, tmp_path):
        with pytest.raises(ManifestError, match=r"array of images .*save each as a TIFF") as caught:
            cellfeat.propose(path)
        assert "cellfeat import" not in str(caught.value)


def test_damaged_array_is_left_to_import(tmp_path):
    (tmp_path / "cells.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(ManifestError, match="cellfeat import"):
        cellfeat.propose(tmp_path)


def test_table_of_labels_is_none_of_numbers(tmp_path):
    write_csv(tmp_path / "labels.csv", "id,cell_line,plate,x,y", [(i, "HeLa", 1, 20, 30) for i in range(9)])
    with pytest.raises(ManifestError, match="none of its 1 files"):
        cellfeat.propose(tmp_path)


def test_table_of_numbers_beside_images_is_passed_over(tmp_path):
    for i in range(6):
        save(tmp_path, f"{'AB'[i % 2]}/{i}.png")
    numbers_csv(tmp_path)
    assert len(cellfeat.propose(tmp_path).manifest) == 6
