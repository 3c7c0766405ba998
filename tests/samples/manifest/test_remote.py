"""Samples found at an address are those that are found on a disk, in each layout."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import MissingFileError
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import pixel_digest
from cellfeat.samples.reading.worker_pool import Workers, sample_reader
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.url import Url
from tests.object_stores import FaultyServer
from tests.samples.image_files import files_of
from tests.samples.remote_folders import upload

TABLE = "file_id,cell_line,plate,path\n1,HeLa,P1,{0}a/1.png\n2,A549,P1,{0}a/2.PNG\n3,HeLa,P2,{0}b c/3.png\n"
TABLE_FILES = ["a/1.png", "a/2.PNG", "b c/3.png", "b c/notes.txt", "b c/unused.png"]
GREY: dict[str, Any] = {"channels": [0]}
LAYOUTS: dict[str, tuple[list[str], str | None, dict[str, Any], dict[str, Any]]] = {
    "pattern": (
        [*files_of(1, 2, 3), "note.txt", "00009_blue.png.bak"],
        "file_id,cell_line\n1,HeLa\n2.0,A549\n003,HeLa\n",
        {},
        {},
    ),
    "folders": (
        ["HeLa/1.png", "HeLa/deep/2.png", "A549/no ending", "A549/.hidden.png", "A549/text.dat", "Empty/x.csv"],
        None,
        GREY | {"layout": "folders"},
        {},
    ),
    "folders found": (["HeLa/1.png", "A549/2.png"], None, GREY, {}),
    "split_folders": (
        ["train/HeLa/1.png", "train/A549/2.png", "val/HeLa/3.png", "test_set/A549/4.png"],
        None,
        GREY | {"layout": "split_folders"},
        {},
    ),
    "words": (
        ["P1/B02_s1.png", "P1/B02_s2.png", "P2/C03_s1.png"],
        None,
        GREY | {"layout": "pattern", "pattern": "{plate}/{well}_{site}.png"},
        {"group": "plate"},
    ),
    "table": (TABLE_FILES, TABLE.format(""), GREY, {"files": "path", "group": "plate"}),
    "table of Windows": (TABLE_FILES, TABLE.format(".\\\\").replace("/", "\\\\"), GREY, {"files": "path"}),
}


def write(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(imagecodecs.png_encode(np.full((4, 5), number, np.uint8)))


@pytest.fixture
def both(tmp_path: Path, bucket: str):
    """Gives the settings of one layout for a disk, and for an address with the same files."""

    def make(layout: str):
        names, table, images, labels = LAYOUTS[layout]
        write(tmp_path / "images", names)
        upload(tmp_path / "images", f"{bucket}/images")
        if table is not None:
            (tmp_path / "tables").mkdir()
            (tmp_path / "tables" / "labels.csv").write_text(table)
            upload(tmp_path / "tables", bucket)
        labels = labels | ({"label": None} if table is None else {})
        for root, file in ((tmp_path / "images", tmp_path / "tables" / "labels.csv"), (f"{bucket}/images",) * 2):
            file = None if table is None else f"{bucket}/labels.csv" if isinstance(root, str) else file
            yield ImagesSettings(root=root, **images), LabelsSettings(file=file, **labels)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_samples_are_those_of_the_disk(layout: str, both, tmp_path: Path, bucket: str) -> None:
    disk, remote = (build_manifest(*settings) for settings in both(layout))
    assert remote.table.equals(disk.table)
    assert remote.digest() == disk.digest()
    assert len(remote) >= 2
    moved = [line.replace(str(tmp_path / "tables"), bucket).replace(str(tmp_path), bucket) for line in disk.remarks]
    assert list(remote.remarks) == moved
    here, there = (sample_reader(one, None, max_pixels=100) for one in (disk, remote))
    assert [pixel_digest(there.read(row)) for row in range(len(disk))] == [
        pixel_digest(here.read(row)) for row in range(len(disk))
    ]
    assert there.where(0).startswith(f"{bucket}/images/")


def test_table_of_whole_addresses(tmp_path: Path, bucket: str) -> None:
    write(tmp_path / "images", TABLE_FILES)
    address = upload(tmp_path / "images", f"{bucket}/images")
    (tmp_path / "labels.csv").write_text(TABLE.format(f"{address}/"))
    manifest = build_manifest(
        ImagesSettings(root=address, **GREY), LabelsSettings(file=tmp_path / "labels.csv", files="path")
    )
    assert manifest.table["file"].tolist() == TABLE_FILES[:3]


@pytest.mark.slow
def test_many_samples_need_one_listing(faulty: FaultyServer, tmp_path: Path, bucket: str) -> None:
    write(tmp_path / "images", files_of(*range(1, 30)))
    address = upload(tmp_path / "images", f"{bucket}/images")
    faulty.requests.clear()
    build_manifest(ImagesSettings(root=address), LabelsSettings(file=None, label=None))
    assert len(faulty.requests) == 1


@pytest.mark.slow
def test_reading_processes_read_objects(tmp_path: Path, bucket: str) -> None:
    write(tmp_path / "images", files_of(1, 2))
    address = upload(tmp_path / "images", f"{bucket}/images")
    manifest = build_manifest(ImagesSettings(root=address), LabelsSettings(file=None, label=None))
    with Workers() as workers:
        reader = sample_reader(manifest, workers, max_pixels=100)
        assert [reader.read(row)[:, 0, 0].tolist() for row in (0, 1)] == [[0, 1, 2], [3, 4, 5]]


def test_object_removed_since_the_listing_is_missing(tmp_path: Path, bucket: str) -> None:
    write(tmp_path / "images", files_of(1, 2))
    address = upload(tmp_path / "images", f"{bucket}/images")
    manifest = build_manifest(ImagesSettings(root=address), LabelsSettings(file=None, label=None))
    ObjectStorage(Url.parse(address)).remove("00002_red.png")
    reader = sample_reader(manifest, None, max_pixels=100)
    reader.read(0)
    with pytest.raises(MissingFileError, match=r"00002_red\.png"):
        reader.read(1)
