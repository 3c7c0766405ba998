"""Images under any ending are found by their content, in every layout; what is left out is named and counted."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.samples.folders.file_kinds import FileKinds
from cellfeat.samples.folders.local import LocalFolder
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.images import SampleReader
from tests.samples.image_files import noise, tiff

GREY = noise(8, 9)
PNG = imagecodecs.png_encode(GREY)
JPEG = imagecodecs.jpeg_encode(GREY)
TIFF = tiff(GREY)
READABLE = {
    "a.png": PNG, "b.PNG": PNG, "c.jpg": JPEG, "d.JPEG": JPEG, "e.tif": TIFF, "f.TIFF": TIFF,
    "g.jfif": JPEG, "h.jpe": JPEG, "i.lsm": TIFF, "j.btf": tiff(GREY, bigtiff=True), "k.tf8": tiff(GREY, bigtiff=True),
    "l.tf2": TIFF, "m.stk": tiff(GREY, metadata=None), "n.scn": TIFF, "o.qptiff": TIFF, "p.svs": TIFF, "q.pjpeg": JPEG,
    "r": PNG, "s.17": PNG, "t.ome.btf": TIFF, "u.JFIF": JPEG, "bitmap.BMP": imagecodecs.bmp_encode(GREY),
}  # fmt: skip
OTHERS = {
    "v.vsi": b"MM" + bytes(60),
    "w.oib": b"\xd0\xcf\x11\xe0",
    "x.dat": b"",
    "BMI": b"BMI and other words",
    "y.png.bak": PNG,
    "z.tif~": TIFF,
}
SILENT = {
    "labels.csv": b"file\n", "notes.txt": b"", "meta.json": b"{}", "meta.xml": b"<a/>", "set.yaml": b"", "f.h5": b"",
    "Thumbs.db": PNG, "desktop.ini": b"", ".DS_Store": b"", "._a.png": b"\0\5\x16\7", ".hidden": PNG,
}  # fmt: skip

Fill = Callable[..., Path]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Writes files, by name, into a folder below the folder of images; returns the folder of images."""

    def write(files: Mapping[str, bytes], *, folder: str = "") -> Path:
        root = tmp_path / "images"
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (root / folder / name).write_bytes(content)
        return root

    return write


def folders(root: Path, **labels: object) -> Manifest:
    images = ImagesSettings(root=root, layout="folders", channels=[0])
    return build_manifest(images, LabelsSettings(file=None, **labels))


def test_image_of_any_ending_in_a_class_folder_is_read(fill):
    manifest = folders(fill(READABLE, folder="A"))

    assert sorted(manifest.table["sample_id"]) == sorted(f"A/{name}" for name in READABLE)
    assert manifest.remarks == ()
    reader = SampleReader.for_manifest(manifest)
    for row, name in enumerate(manifest.table["file"]):
        pixels = reader.read(row)
        assert pixels.shape == (1, 8, 9)
        if READABLE[Path(name).name] is not JPEG:
            np.testing.assert_array_equal(pixels[0], GREY)


def test_other_files_in_a_class_folder_are_named_and_counted(fill):
    fill(OTHERS | SILENT, folder="B")

    remark = folders(fill({"a.png": PNG}, folder="A")).remarks[0]

    assert remark.startswith("left out: 6 files in")
    assert all(name in remark for name in OTHERS)


def test_tables_texts_and_hidden_files_are_left_out_in_silence(fill):
    fill(SILENT)

    assert folders(fill({"a.png": PNG, **SILENT}, folder="A")).remarks == ()


def test_images_that_do_not_fit_a_pattern_are_named_and_counted(fill):
    root = fill(READABLE | OTHERS | SILENT)
    images = ImagesSettings(root=root, pattern="{sample_id}.png", channels=[0])

    unused, others = build_manifest(images, LabelsSettings(file=None)).remarks

    assert unused.startswith("left out: 21 of 22 images in")
    assert all(name in unused for name in ("b.PNG", "g.jfif", "i.lsm", "j.btf"))
    assert others.startswith("left out: 6 files in")


def test_images_that_a_table_does_not_name_are_named_and_counted(fill, labels_csv):
    root = fill(READABLE | OTHERS | SILENT, folder="wells")
    file = labels_csv("file_id,label,path\n1,A,wells/a.png\n2,A,wells/g.jfif\n")
    labels = LabelsSettings(file=file, label="label", files="path")

    manifest = build_manifest(ImagesSettings(root=root, channels=[0]), labels)

    assert list(manifest.table["file"]) == ["wells/a.png", "wells/g.jfif"]
    unused, others = manifest.remarks
    assert unused.startswith("left out: 20 of 22 images in")
    assert others.startswith("left out: 6 files in")


def test_files_of_known_endings_are_not_opened(fill, monkeypatch):
    root = fill(READABLE | OTHERS | SILENT, folder="A")
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *mode: opened.append(path.name) or real(path, *mode))

    folders(root)

    unknown = {"n.scn", "o.qptiff", "p.svs", "q.pjpeg", "r", "s.17", "v.vsi", "w.oib", "x.dat", "BMI"}
    assert sorted(opened) == sorted(unknown)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and symbolic links")
def test_pipe_and_dangling_link_are_no_images(fill):
    root = fill({"a.png": PNG})
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("nowhere")
    kinds = FileKinds(LocalFolder(root))

    assert [name for name in ("a.png", "pipe", "link") if kinds.is_image(name)] == ["a.png"]
