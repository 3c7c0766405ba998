"""Settings proposed for stacks, and for files of microscopes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellfeat import propose
from cellfeat.config_sources import load_settings
from cellfeat.proposing.proposal import Proposal
from tests.proposing.layout_folders import CLASSES, pixels, save, write_csv
from tests.samples.formats.microscope_files import write_czi, write_lif, write_nd2, write_zarr

N = 6


def stack(*shape: int) -> np.ndarray:
    return pixels(*shape, 16, 18, dtype="uint16", top=4095)


def labelled(folder: Path, write: Callable[[Path], object], ending: str) -> Path:
    """Files of two classes, with a table of labels."""
    folder.mkdir()
    for i in range(N):
        write(folder / f"cell_{i}{ending}")
    write_csv(folder / "labels.csv", "id,cell_line", [(f"cell_{i}", CLASSES[i % 2]) for i in range(N)])
    return folder


def ome(path: Path, size: float = 0.325) -> None:
    told = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    told |= {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    save(path.parent, path.name, stack(5, 2), metadata=told)


def guessed(found: Proposal) -> set[str]:
    return {choice.key for choice in found.guesses}


def test_depths_are_projected_and_called_a_guess(tmp_path):
    found = propose(labelled(tmp_path / "data", ome, ".ome.tif"))
    assert found.settings.images.plane.z == "max"
    assert found.settings.images.plane.t is None
    assert "images.plane.z" in guessed(found)
    assert found.settings.images.channels == ["DAPI", "GFP"]
    assert "stacks: 5 depths in a file" in found.seen
    assert "pixel size: 0.325 micrometres" in found.seen


def test_first_time_is_taken_of_imagej_stacks(tmp_path):
    def write(path: Path) -> None:
        save(path.parent, path.name, stack(3, 4, 2), imagej=True, metadata={"axes": "TZCYX"})

    found = propose(labelled(tmp_path / "data", write, ".tif"))
    assert found.settings.images.plane.t == 0
    assert found.settings.images.plane.z == "max"


def test_stacks_beside_flat_images_are_told(tmp_path):
    data = labelled(tmp_path / "data", ome, ".ome.tif")
    save(data, "cell_0.ome.tif", stack(2), metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}})
    found = propose(data)
    assert "stacks: one depth to 5 depths in a file" in found.seen
    assert len(found.manifest) == N


@pytest.mark.parametrize("given", [{"images.plane": {"z": 3}}, {"images.plane.z": 3}])
def test_given_plane_is_kept(given, tmp_path):
    found = propose(labelled(tmp_path / "data", ome, ".ome.tif"), settings=given)
    assert found.settings.images.plane.z == 3
    assert "images.plane.z" not in guessed(found)
    assert load_settings(found.save(tmp_path / "cellfeat.yaml")) == found.settings


def test_pages_without_axes_are_channels_by_a_guess(tmp_path):
    def write(path: Path) -> None:
        save(path.parent, path.name, stack(4), photometric="minisblack", metadata=None)

    data = labelled(tmp_path / "data", write, ".tif")
    found = propose(data)
    assert "images.channels" in guessed(found)
    assert any("images.plane={z: max}" in choice.reason for choice in found.choices)
    assert propose(data, settings={"images.plane.z": "max"}).settings.images.channels == [0]


def test_different_pixel_sizes_are_told(tmp_path):
    data = labelled(tmp_path / "data", ome, ".ome.tif")
    for i in range(3):
        ome(data / f"cell_{i}.ome.tif", 0.65)
    found = propose(data)
    assert any("2 sizes, from 0.325 to 0.65 micrometres" in line for line in found.remarks)
    assert not found.offers


def test_resolution_is_offered_for_fields_of_different_pixel_sizes(tmp_path):
    for i, size in enumerate((0.325, 0.65, 0.325)):
        told = {"axes": "YX"} | {f"PhysicalSize{axis}": size for axis in "XY"}
        save(tmp_path / "data", f"f{i}.ome.tif", pixels(64, 64, dtype="uint16", top=4095), metadata=told)
    rows = [(f"f{i}.ome.tif", n, 20 + 5 * n, 30, CLASSES[n % 2]) for i in range(3) for n in range(4)]
    write_csv(tmp_path / "data" / "cells.csv", "file,object,x,y,cell_line", rows)
    found = propose(tmp_path / "data")
    assert found.settings.images.layout == "fields"
    assert [(offer.key, offer.value) for offer in found.offers] == [("images.fields.resolution", 0.65)]
    file = found.save(tmp_path / "cellfeat.yaml")
    assert "#   --set images.fields.resolution=0.65" in file.read_text()
    assert load_settings(file) == found.settings


def test_positions_of_nd2_are_told_and_the_first_is_read(tmp_path):
    pytest.importorskip("nd2")

    def write(path: Path) -> None:
        write_nd2(path, stack(2 * 3, 2), {"P": 2, "Z": 3}, names=("DAPI", "GFP"))

    found = propose(labelled(tmp_path / "data", write, ".nd2"))
    assert found.settings.images.plane.series == 0
    assert found.settings.images.plane.z == "max"
    assert found.settings.images.channels == ["DAPI", "GFP"]
    assert set(found.manifest.table["label"]) == set(CLASSES)


def test_czi_needs_no_further_setting(tmp_path):
    pytest.importorskip("czifile")
    found = propose(labelled(tmp_path / "data", lambda path: write_czi(path, stack(1, 1, 1, 2)), ".czi"))
    assert not any(key.startswith("images.plane") for key in guessed(found))
    assert len(found.manifest) == N


def test_images_of_lif_are_told(tmp_path):
    pytest.importorskip("liffile")

    def write(path: Path) -> None:
        write_lif(path, {"a": stack(2, 3, 2), "b": stack(2, 3, 2)}, names=("Blue", "Green"))

    found = propose(labelled(tmp_path / "data", write, ".lif"))
    assert found.settings.images.plane.model_dump() == {"z": "max", "t": 0, "series": 0}
    assert found.settings.images.channels == ["Blue", "Green"]
    assert "stacks: 3 depths, 2 times, 2 images in a file" in found.seen


@pytest.mark.slow
def test_folder_of_zarr_is_one_image(tmp_path):
    pytest.importorskip("zarr")
    for i in range(N):
        (tmp_path / "data" / CLASSES[i % 2]).mkdir(parents=True, exist_ok=True)
        write_zarr(tmp_path / "data" / CLASSES[i % 2] / f"{i}.ome.zarr", stack(2, 3), "czyx", names=("DAPI", "GFP"))
    found = propose(tmp_path / "data")
    assert len(found.manifest) == N
    assert found.settings.images.plane.z == "max"
    assert found.settings.images.channels == ["DAPI", "GFP"]
