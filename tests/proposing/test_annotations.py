"""What `init` says of files of annotations, one for each image."""

import json
from itertools import product
from pathlib import Path

import pytest

from cellfeat import propose
from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.proposing.proposal import Proposal
from cellfeat.samples.manifest.build import build_manifest
from tests.proposing.layout_folders import LAYOUTS, pixels, save, write_csv

N = 4
VOC = "<annotation><object><name>cell</name></object></annotation>"
LEICA = '<?xml version="1.0"?><Data><Image><Attachment Name="HardwareSetting"><Object/></Attachment></Image></Data>'
MICRO_MANAGER = json.dumps({"Summary": {"Positions": [{"Label": "Pos0"}]}, "TIFilter-Label": "2-GFP"})
ANNOTATIONS = [
    ("{}.txt", "0 0.5 0.5 0.1 0.1\n"),
    ("labels/{}.txt", "0 0.5 0.5 0.1 0.1\n"),
    ("{}_cp_outlines.txt", "1,2,3,4,5,6\n"),
    ("{}.json", '{"version": "5.0", "shapes": []}'),
    ("ann/{}.png.json", '{"size": {}, "objects": []}'),
    ("{}.json", '{"microscope": "x", "cell_line": "HeLa"}'),
    ("{}.geojson", "{}"),
    ("{}.xml", VOC),
    ("Annotations/{}.xml", VOC),
    ("CellCounter_{}.xml", "<CellCounter_Marker_File>"),
    ("{}.xml", '<Annotations MicronsPerPixel="0.25">'),
    ("{}_RoiSet.zip", "PK"),
    ("RoiSet_{}.zip", "PK"),
    ("rois/{}.roi", "Iout"),
    ("{}.mat", "MATLAB 5.0"),
    ("{}.yaml", "id: 3\nclass: HeLa\n"),
]


def fill(folder: Path, of_each: str, text: str, image: str = "im{}.png") -> Path:
    """Some images, and a file of its own for each."""
    for number in range(N):
        save(folder, image.format(number))
        file = folder / of_each.format(f"im{number}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def told(found: Proposal) -> list[str]:
    return [line for line in found.remarks if "named like images" in line]


@pytest.mark.parametrize(("name", "text"), ANNOTATIONS)
def test_files_of_single_images_are_named_once(tmp_path: Path, name: str, text: str) -> None:
    found = propose(fill(tmp_path, name, text))
    (line,) = told(found)
    assert line.startswith(f"{N} files")
    assert name.format("im0") in line
    assert not any("may hold the labels" in line for line in found.remarks)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("{}.xml", LEICA),
        ("MetaData/{}.xml", LEICA),
        ("{}.json", MICRO_MANAGER),
        ("{}.png.aux.xml", "<PAMDataset></PAMDataset>"),
        ("{}.tfl", "x"),
        ("{}.nd", '"NDInfoFile", Version 1.0'),
        ("{}.htd", '"HTSInfoFile", Version 1.0'),
        ("{}.mtb", "x"),
    ],
)
def test_files_of_microscopes_are_no_annotations(tmp_path: Path, name: str, text: str) -> None:
    assert told(propose(fill(tmp_path, name, text))) == []


def test_one_file_is_not_one_for_each_image(tmp_path: Path) -> None:
    fill(tmp_path, "{}.geojson", "{}")
    for number in range(1, N):
        (tmp_path / f"im{number}.geojson").unlink()
    assert told(propose(tmp_path)) == []


def test_files_of_fields_whose_channels_have_files(tmp_path: Path) -> None:
    for number, channel in product(range(1, 5), ("DAPI", "GFP")):
        save(tmp_path, f"P1_A0{number}_s1_{channel}.tif")
        (tmp_path / f"P1_A0{number}_s1_RoiSet.zip").write_text("PK")
    (line,) = told(propose(tmp_path))
    assert "P1_A01_s1_RoiSet.zip" in line


def test_files_of_ome_images(tmp_path: Path) -> None:
    assert told(propose(fill(tmp_path, "{}.geojson", "{}", "im{}.ome.tif")))


def test_files_beside_the_folder_of_images(tmp_path: Path) -> None:
    fill(tmp_path / "images", "../labels/{}.txt", "0 0.5 0.5 0.1 0.1\n")
    (line,) = told(propose(tmp_path / "images"))
    assert "../labels/im0.txt" in line


def test_outlines_are_named_where_images_have_classes(tmp_path: Path) -> None:
    for label in "AB":
        fill(tmp_path / label, "{}.roi", "Iout")
    found = propose(tmp_path)
    assert set(found.manifest.table["label"]) == {"A", "B"}
    assert told(found)[0].startswith(f"{2 * N} files")


def test_outlines_beside_masks_are_not_named(tmp_path: Path) -> None:
    LAYOUTS["fields_with_masks"](tmp_path)
    for image in list((tmp_path / "images").rglob("*.tif")):
        image.with_name(f"{image.stem}_cp_outlines.txt").write_text("1,2,3,4\n")
    (tmp_path / "platemap.csv").unlink()
    found = propose(tmp_path)
    assert found.manifest.crops is not None
    assert told(found) == []


def test_positions_and_classes_as_the_message_says_are_read(tmp_path: Path) -> None:
    rows = [(f"im{n}.png", 20 + 8 * k, 30, "ab"[k % 2]) for n, k in product(range(N), range(4))]
    for number in range(N):
        save(tmp_path, f"im{number}.png", pixels(64, 64))
        (tmp_path / f"im{number}.geojson").write_text("{}")
    write_csv(tmp_path / "cells.csv", "image,x,y,class", rows)
    found = propose(tmp_path, labels=tmp_path / "cells.csv")
    assert found.settings.images.layout == "fields"
    assert found.manifest.table["label"].value_counts().to_dict() == {"a": 2 * N, "b": 2 * N}


def test_annotations_are_no_images_that_were_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "A", "{}.geojson", "{}")
    images = ImagesSettings(root=tmp_path, layout="folders", channels=[0])
    assert build_manifest(images, LabelsSettings(file=None)).remarks == ()
