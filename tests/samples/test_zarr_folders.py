"""A folder of OME-Zarr is one image in every layout, and its files are none."""

from pathlib import Path

import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader
from tests.samples.formats.microscope_files import fill_zarr, write_zarr

zarr = pytest.importorskip("zarr")
PIXELS = np.random.default_rng(0).integers(0, 4096, (2, 12, 14), dtype=np.uint16)


def images(root: Path, **settings) -> ImagesSettings:
    return ImagesSettings(root=root, **({"channels": [1]} | settings))


def read_all(settings: ImagesSettings, **labels) -> tuple[list[str], np.ndarray]:
    manifest = build_manifest(settings, LabelsSettings(**{"file": None} | labels))
    reader = SampleReader.for_manifest(manifest)
    return list(manifest.table["file"]), np.stack([reader.read(row) for row in range(len(manifest))])


def test_folders_of_zarr_are_samples_of_class_folders(tmp_path):
    for name in ("A/1.ome.zarr", "A/2.zarr", "B/1.OME.ZARR"):
        write_zarr(tmp_path / name, PIXELS, "cyx")

    files, pixels = read_all(images(tmp_path, layout="folders"))

    assert files == ["A/1.ome.zarr", "A/2.zarr", "B/1.OME.ZARR"]
    np.testing.assert_array_equal(pixels[0], PIXELS[1:])


def test_folders_of_zarr_fit_a_pattern(tmp_path):
    for number in range(3):
        write_zarr(tmp_path / f"cell_{number}.ome.zarr", PIXELS, "cyx")

    files, _ = read_all(images(tmp_path, pattern="cell_{sample_id}.ome.zarr"))

    assert files == [f"cell_{number}.ome.zarr" for number in range(3)]


def test_images_of_a_plate_are_named_by_a_table(tmp_path, labels_csv):
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": []}
    for well in ("A/1", "B/2"):
        fill_zarr(plate.create_group(f"{well}/0"), PIXELS, "cyx")
    file = labels_csv("id,kind,path\n1,a,plate.zarr/A/1/0\n2,b,plate.zarr/B/2/0\n")

    files, pixels = read_all(images(tmp_path), file=file, id="id", label="kind", files="path")

    assert files == ["plate.zarr/A/1/0", "plate.zarr/B/2/0"]
    np.testing.assert_array_equal(pixels[1], PIXELS[1:])
