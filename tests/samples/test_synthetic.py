import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ConfigError
from cellfeat.samples.intensity.advice import intensity_advice
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.images import SampleReader, pixel_digest
from cellfeat.samples.synthetic import CELL_LINES, write_synthetic_cells


def manifest_of(folder) -> Manifest:
    return build_manifest(ImagesSettings(root=folder / "images"), LabelsSettings(file=folder / "labels.csv"))


def contents(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    write_synthetic_cells(folder, 120, 0)
    return folder


def test_default_settings_read_the_cells(cells):
    manifest = manifest_of(cells)
    pixels = SampleReader.for_manifest(manifest).read(0)

    assert len(manifest) == 120
    assert (pixels.shape, pixels.dtype) == ((3, 64, 64), np.uint8)
    assert set(manifest.table["label"]) == {name for name, _, _ in CELL_LINES}


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same_files(tmp_path):
    for n_processes in (1, 3):
        write_synthetic_cells(tmp_path / str(n_processes), 25, 7, size=24, n_processes=n_processes)

    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_class_sizes_differ(cells):
    counts = manifest_of(cells).table["label"].value_counts()

    assert counts["RT4"] > 2 * counts["A549"] > 0


def test_some_samples_are_exact_copies_with_the_same_label(cells):
    manifest = manifest_of(cells)
    reader = SampleReader.for_manifest(manifest)
    labels: dict[str, list[str]] = {}
    for row, label in enumerate(manifest.table["label"]):
        labels.setdefault(pixel_digest(reader.read(row)), []).append(label)

    assert len(labels) == 120 - round(0.04 * 120)
    assert all(len(set(copies)) == 1 for copies in labels.values())


def test_every_channel_has_contrast_and_is_not_saturated(cells):
    reader = SampleReader.for_manifest(manifest_of(cells))
    samples = [reader.read_sample(row) for row in range(len(reader))]

    assert min(channel.std() for sample in samples for channel in sample.pixels) > 3
    assert max(np.mean(channel == 255) for sample in samples for channel in sample.pixels) < 0.3
    assert intensity_advice(IntensityPolicy(3), samples) is None


def test_equal_arguments_give_equal_files(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_synthetic_cells(tmp_path / name, 12, seed, size=32)

    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_fewer_samples_than_lines_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 9"):
        write_synthetic_cells(tmp_path, 8, 0)


def test_lines_differ_but_overlap(cells):
    """Nine classes from six plain numbers per image: above chance, far from perfect."""
    manifest = manifest_of(cells)
    reader = SampleReader.for_manifest(manifest)
    pixels = np.stack([reader.read(row) for row in range(len(reader))]).astype(float)
    lit = (pixels > 30).mean(axis=(2, 3))
    contrast = pixels.std(axis=(2, 3)) / (pixels.mean(axis=(2, 3)) + 1)
    X = np.hstack([lit, contrast])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    labels = manifest.table["label"].to_numpy()
    distances = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    distances[distances < 1e-9] = np.inf  # a sample and its copies

    accuracy = np.mean(labels[distances.argmin(axis=1)] == labels)

    assert 0.2 < accuracy < 0.9
