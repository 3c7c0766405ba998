"""Folders of images in which the settings find nothing: the advice fits the files at hand."""

import re
from collections.abc import Mapping

import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.config_files import parse_assignment
from cellfeat.errors import ManifestError, MissingFileError
from cellfeat.samples.layouts.hints import fitting_pattern
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader

GREY, RGB, TWO = (6, 6), (6, 6, 3), (6, 6, 2)


def images_of(message: str) -> dict[str, object]:
    """The settings that a message proposes."""
    pairs = [parse_assignment(text.strip("'")) for text in re.findall(r"--set ('[^']*'|\S+)", message)]
    return {key.removeprefix("images."): value for key, value in pairs if key.startswith("images.")}


FOLDERS: dict[str, tuple[Mapping[str, tuple[int, ...]], str]] = {
    "grey": ({"a.png": GREY, "b.png": GREY}, "[0]"),
    "colour": ({"cell 1.png": RGB, "cell 2.png": RGB}, "[0,1,2]"),
    "grey and opaque alpha": ({"a.png": TWO, "b.png": TWO}, "[0]"),
    "a file for each channel": ({f"{i}_{c}.png": GREY for i in "123" for c in ("dna", "er")}, "[dna, er]"),
    "channels after a minus": ({f"A0{i}-{c}.png": GREY for i in "123" for c in ("C1", "C2", "C3")}, "[C1, C2, C3]"),
    "braces in names": ({"a{1}.png": GREY, "a{2}.png": GREY}, "[0]"),
    "other padding": (
        {"001_blue.png": GREY, "001_red.png": GREY, "002_blue.png": GREY, "002_red.png": GREY},
        "[blue, red]",
    ),
}


@pytest.mark.parametrize("layout", ["auto", "pattern", "folders"])
@pytest.mark.parametrize("name", FOLDERS)
def test_advice_works(name, layout, write_pngs):
    """What the message proposes is taken as it stands, and the samples are found and can be read."""
    shapes, channels = FOLDERS[name]
    root = write_pngs({file: np.full(shape, 255, np.uint8) for file, shape in shapes.items()})
    with pytest.raises(ManifestError) as raised:
        build_manifest(ImagesSettings(root=root, layout=layout), LabelsSettings(file=None))
    message = str(raised.value)
    assert f"images.channels={channels}" in message
    assert "{sample_id:05d}_{channel}.png" not in message  # it just failed
    proposed = ImagesSettings(root=root, **{"layout": layout, **images_of(message)})
    manifest = build_manifest(proposed, LabelsSettings(file=None))
    assert len(manifest) * len(manifest.file_columns) == len(shapes)
    assert len(SampleReader.for_manifest(manifest).read(0)) == len(manifest.channels)


@pytest.mark.parametrize(
    ("names", "ids", "pattern"),
    [
        (["cell_001.png", "cell_002.png"], ["1", "2"], "cell_{sample_id:03d}.png"),
        (["cell_001.png", "cell_002.png"], ["cell_001"], "{sample_id}.png"),
        (["001.png", "002.png"], ["2"], "{sample_id:03d}.png"),
        (["1.png", "10.png"], ["10"], "{sample_id}.png"),
        (["a.png", "b.png", "c.tif"], [], "{sample_id}.png"),
        (["a.png"], ["elsewhere"], "{sample_id}.png"),
    ],
)
def test_pattern_gives_the_ids_of_the_table(names, ids, pattern):
    assert fitting_pattern(names, ids).text == pattern


def test_ids_that_fit_no_image_are_shown(build):
    with pytest.raises(ManifestError, match=r"none of their ids.*101, 102.*1, 2.*labels.id"):
        build(["1.png", "2.png"], "file_id,cell_line\n101,A\n102,B\n", {"pattern": "{sample_id}.png", "channels": [0]})


def test_class_folders_are_taken_by_themselves(build):
    manifest = build(["A/1.png", "A/2.png", "B/1.png"])
    assert manifest.table["label"].tolist() == ["A", "A", "B"]
    assert manifest.layout == "folders"
    assert "A, B" in manifest.remarks[0]
    assert "images.layout=folders" in manifest.remarks[0]


def test_class_folders_need_no_labels_table(touch):
    root = touch("A/1.png", "B/1.png")
    with pytest.raises(MissingFileError, match=r"y\.csv do not exist.*--labels none"):
        build_manifest(ImagesSettings(root=root), LabelsSettings(file="y.csv"))


@pytest.mark.parametrize(
    ("names", "images"),
    [
        (["A/1.png", "B/1.png"], {"pattern": "{sample_id}.png"}),  # a pattern that was asked for
        (["A/1.png", "A/2.png"], {}),  # a single folder is hardly a class
    ],
)
def test_other_folders_are_asked_about(build, names, images):
    with pytest.raises(ManifestError, match=r"if they are the classes: --set images\.layout=folders"):
        build(names, images=images)


def test_default_pattern_comes_before_folders(build):
    names = [f"0000{i}_{channel}.png" for i in (1, 2) for channel in ("blue", "red", "yellow")]
    manifest = build([*names, "A/1.png", "B/1.png"])
    assert manifest.layout == "pattern"
    assert len(manifest) == 2


@pytest.mark.parametrize(
    ("name", "nouns"), [("images.zip", "unpack"), ("cells.png", "name its folder"), ("none", "--images FOLDER")]
)
def test_images_that_are_no_folder_are_explained(tmp_path, name, nouns):
    if name != "none":
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(MissingFileError, match=nouns):
        build_manifest(ImagesSettings(root=tmp_path / name), LabelsSettings(file=None))


def test_without_settings_init_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match="cellfeat init"):
        build_manifest(ImagesSettings(), LabelsSettings())
