"""Layout h5sc: ids, labels, columns, channels and pixels of scPortrait's cells."""

from pathlib import Path

import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ImageError, ManifestError
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.images import SampleReader
from cellfeat.samples.reading.worker_pool import Workers
from tests.samples.formats.h5sc_files import N_CELLS, NAMES, crops, write_h5sc

COLUMNS = {
    "condition": ["ctrl", "drug", None] * (N_CELLS // 3),
    "donor": ["a", "b", "c", "d"] * (N_CELLS // 4),
    "area": [10.5, float("nan"), 3.0] * (N_CELLS // 3),
    "count": [1, None] * (N_CELLS // 2),
}


def manifest_of(root: Path, *, channels: tuple = ("DAPI", "mCherry"), layout: str = "auto", **labels) -> Manifest:
    settings = LabelsSettings(**{"file": None, "label": "condition"} | labels)
    return build_manifest(ImagesSettings(root=root, channels=list(channels), layout=layout), settings)


def test_each_cell_is_a_sample_with_the_columns_of_its_table(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc", columns=COLUMNS)

    manifest = manifest_of(path, group="donor")

    assert manifest.layout == "h5sc"
    assert list(manifest.table["sample_id"]) == [str(i) for i in range(1, N_CELLS + 1)]
    assert list(manifest.table["label"][:3]) == ["ctrl", "drug", ""]
    assert list(manifest.table["group"][:2]) == ["a", "b"]
    assert list(manifest.table["area"][:3]) == ["10.5", "", "3"]
    assert list(manifest.table["count"][:2]) == ["1", ""]


@pytest.mark.slow
def test_pixels_are_those_of_the_channels_by_their_whole_names(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc")
    reader = SampleReader.for_manifest(manifest_of(path, channels=("Alexa488_long_name", 1)))

    with Workers() as workers:
        sample = workers.read_sample(reader, 5)

    np.testing.assert_array_equal(sample.pixels, crops()[5][[2, 1]])
    assert (sample.properties.file_format, sample.properties.dtype) == ("h5sc", "float16")


@pytest.mark.slow
def test_cells_of_several_files_have_their_names_before_the_id(tmp_path):
    for name in ("plate1.h5sc", "PLATE2.H5SC"):
        write_h5sc(tmp_path / name)

    manifest = manifest_of(tmp_path)

    assert set(manifest.table["sample_id"]) == {f"{plate}/{i}" for plate in ("plate1", "PLATE2") for i in range(1, 13)}


def test_labels_table_is_joined_by_cell_id(tmp_path, labels_csv):
    path = write_h5sc(tmp_path / "cells.h5sc", columns=COLUMNS)
    file = labels_csv("cell,kind\n" + "".join(f"{i},k{i % 2}\n" for i in range(1, N_CELLS + 1)))

    manifest = manifest_of(path, file=file, id="cell", label="kind")

    assert list(manifest.table["label"][:2]) == ["k1", "k0"]
    assert list(manifest.table["donor"][:2]) == ["a", "b"]
    with pytest.raises(ManifestError, match="99"):
        manifest_of(path, file=labels_csv("cell,kind\n99,a\n"), id="cell", label="kind")


def test_masks_among_the_channels_are_named(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc")

    assert any("masked and normalised" in line for line in manifest_of(path).remarks)
    (warning,) = (line for line in manifest_of(path, channels=(0, "DAPI")).remarks if "warning" in line)
    assert "masks" in warning
    assert "mCherry" in warning


def test_column_that_does_not_exist_is_named_with_those_that_do(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc", columns=COLUMNS)

    manifest = manifest_of(path, label="cell_line")

    assert set(manifest.table["label"]) == {""}
    assert any("cell_line" in line and "condition" in line for line in manifest.remarks)
    with pytest.raises(ManifestError, match=r"plate.*labels.group"):
        manifest_of(path, group="plate")


def test_columns_of_reserved_names_are_kept_under_others(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc", columns={"label": ["a", "b"] * 6, "split": ["train", "test"] * 6})

    table = manifest_of(path, label="label").table

    assert list(table["label"][:2]) == ["a", "b"]
    assert list(table["obs_split"][:2]) == ["train", "test"]


def test_repeated_ids_are_refused(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc", ids=[1] * N_CELLS)

    with pytest.raises(ManifestError, match=r"scportrait_cell_id.*several cells: 1"):
        manifest_of(path)


def test_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"\*\.h5sc"):
        manifest_of(tmp_path, layout="h5sc")


def test_unwritten_crop_is_refused_and_others_are_read(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc", written=5)
    reader = SampleReader.for_manifest(manifest_of(path))

    assert reader.read(4).shape == (2, *crops().shape[2:])
    with pytest.raises(ImageError, match="row 5 was never written"):
        reader.read(5)


def test_unknown_channel_is_refused_with_those_that_exist(tmp_path):
    path = write_h5sc(tmp_path / "cells.h5sc")

    with pytest.raises(ImageError, match=NAMES[2]):
        SampleReader.for_manifest(manifest_of(path, channels=("blue",))).read(0)
