"""Small image folders that the tests of samples share."""

from collections.abc import Callable, Mapping
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader
from tests.object_stores import bucket, faulty, s3_server  # noqa: F401, pytest finds fixtures by name
from tests.samples.image_files import files_of
from tests.samples.remote_folders import impatient  # noqa: F401

WriteFiles = Callable[[Mapping[str, np.ndarray]], Path]


@pytest.fixture
def write_pngs(tmp_path: Path) -> WriteFiles:
    """Writes PNG files, by name, into an images folder, and returns that."""

    def write(pixels: Mapping[str, np.ndarray]) -> Path:
        root = tmp_path / "images"
        for name, plane in pixels.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(imagecodecs.png_encode(plane))
        return root

    return write


@pytest.fixture
def reader_of(write_pngs):
    """The reader of one sample whose channels have these planes."""

    def make(channel_planes, *, max_pixels=10_000) -> SampleReader:
        root = write_pngs(dict(zip(files_of(1), channel_planes, strict=True)))
        manifest = build_manifest(ImagesSettings(root=root), LabelsSettings(file=None))
        return SampleReader.for_manifest(manifest, max_pixels=max_pixels)

    return make


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Makes empty files, by name, in an images folder, and returns that: a manifest opens no image."""

    def make(*names: str) -> Path:
        root = tmp_path / "images"
        root.mkdir(exist_ok=True)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


@pytest.fixture
def labels_csv(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the text of a labels table, and returns its file."""

    def write(text: str) -> Path:
        file = tmp_path / "labels.csv"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def build(touch, labels_csv):
    """Builds a manifest from file names and the text of a labels table; settings by dotted name."""

    def make(names, csv=None, images=None, labels=None):
        root = touch(*names)
        file = None if csv is None else labels_csv(csv)
        return build_manifest(ImagesSettings(root=root, **(images or {})), LabelsSettings(file=file, **(labels or {})))

    return make
