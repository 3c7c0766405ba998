"""Settings proposed for files of scPortrait."""

from pathlib import Path

import pytest

from cellfeat import propose
from cellfeat.errors import ManifestError
from tests.proposing.layout_folders import save, write_csv
from tests.samples.formats.h5sc_files import N_CELLS, write_h5sc

IMAGES = ["DAPI", "Alexa488_long_name", "mCherry"]
AREAS = {"area": [i + 0.5 for i in range(N_CELLS)]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    wells = [f"B0{i // 2 + 1}" for i in range(N_CELLS)]
    columns = {"condition": ["ctrl", "drug"] * (N_CELLS // 2), "well": wells}
    return write_h5sc(tmp_path / "single_cells.h5sc", columns=columns)


@pytest.mark.slow
def test_channels_are_those_that_are_no_masks(file):
    found = propose(file)
    assert found.settings.images.layout == "h5sc"
    assert found.settings.images.channels == IMAGES
    assert any("masks: seg_all_nucleus" in line for line in found.seen)


@pytest.mark.slow
def test_label_and_group_are_columns_of_obs(file):
    found = propose(file)
    assert found.settings.labels.file is None
    assert found.settings.labels.label == "condition"
    assert found.settings.labels.group == "well"
    assert set(found.manifest.table["label"]) == {"ctrl", "drug"}


@pytest.mark.slow
def test_folder_of_files_with_a_table(tmp_path):
    for plate in (1, 2):
        write_h5sc(tmp_path / f"plate{plate}.h5sc", columns=AREAS)
    rows = [(f"plate{plate}/{i}", "XY"[i % 2]) for plate in (1, 2) for i in range(1, N_CELLS + 1)]
    write_csv(tmp_path / "classes.csv", "cell,cell_type", rows)
    found = propose(tmp_path)
    assert found.settings.labels.file == tmp_path / "classes.csv"
    assert found.settings.labels.label == "cell_type"
    assert len(found.manifest) == 2 * N_CELLS


@pytest.mark.slow
def test_given_table_comes_before_obs(file):
    write_csv(file.parent / "own.csv", "cell,stage", [(i, "GS"[i % 2]) for i in range(1, N_CELLS + 1)])
    found = propose(file, labels=file.parent / "own.csv")
    assert set(found.manifest.table["label"]) == {"G", "S"}


def test_given_table_of_other_cells_is_refused(file):
    write_csv(file.parent / "own.csv", "cell,stage", [("x", "G"), ("y", "S")])
    with pytest.raises(ManifestError, match="ids of the cells"):
        propose(file, labels=file.parent / "own.csv")


@pytest.mark.slow
def test_cells_without_labels(tmp_path):
    found = propose(write_h5sc(tmp_path / "a.h5sc", columns=AREAS), labels="none")
    assert found.settings.labels.label is None
    assert any("no labels were found" in line for line in found.remarks)


def test_images_with_such_a_file_in_a_folder_below_stay_images(tmp_path):
    for i in range(6):
        save(tmp_path, f"{'AB'[i % 2]}/{i}.png")
    (tmp_path / "old").mkdir()
    write_h5sc(tmp_path / "old" / "a.h5sc")
    assert propose(tmp_path).settings.images.layout == "folders"
