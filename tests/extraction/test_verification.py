"""A feature file checked against its images and its recipe."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import FeatureFileError, FingerprintError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features, read_summary, read_table, replace_table
from cellfeat.extraction.store.format import read_range, table_checksum, write_text_attribute
from cellfeat.extraction.verification import check_pixels, check_sample, recorded_manifest

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="module")
def extracted(settings_into: MakeSettings, cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images and their feature file, to be copied."""
    folder = tmp_path_factory.mktemp("extracted")
    shutil.copytree(cells / "images", folder / "images")
    extract(settings_into(folder, images__root=folder / "images"))
    return folder


@pytest.fixture
def finished(extracted: Path, images: Path, tmp_path: Path) -> Path:
    """A feature file whose provenance names `images`."""
    path = shutil.copy(extracted / "features.h5", tmp_path / "features.h5")
    provenance = json.loads(json.dumps(read_summary(path).provenance))
    provenance["settings"]["images"]["root"] = str(images)
    replace_table(path, read_table(path), provenance)
    return path


def alter(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change rows and renew every checksum, as a forger would."""
    with h5py.File(path, "r+") as file:
        change(file)
        sums = file["checksums"][:]
        for i, (start, stop, _) in enumerate(sums):
            sums[i]["sha256"] = read_range(file, range(start, stop), {}).checksum().encode()
        file["checksums"][:] = sums
        write_text_attribute(file, "checksum", table_checksum(file))


def test_an_unchanged_file_passes(finished: Path) -> None:
    manifest = recorded_manifest(finished)
    check_pixels(finished, manifest)
    check = check_sample(finished, manifest, 3)
    assert len(check.sample_ids) == 3
    assert check.differences.max() < 1e-5
    assert "3 samples extracted again" in str(check)


@pytest.mark.slow
def test_all_samples_are_drawn_if_more_are_asked_for(finished: Path) -> None:
    check = check_sample(finished, recorded_manifest(finished), 1000)
    assert check.sample_ids == load_features(finished).samples.ids.tolist()


def test_images_may_have_moved(finished: Path, images: Path) -> None:
    moved = images.rename(images.with_name("moved"))
    check_pixels(finished, recorded_manifest(finished, moved))


def test_swapped_images_are_found(finished: Path, images: Path) -> None:
    first, second = (images / f"0000{i}_red.png" for i in (1, 2))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(FingerprintError, match=r"2 of its 24 samples have other pixels .*: 1, 2"):
        check_pixels(finished, recorded_manifest(finished))


def test_an_image_that_can_no_longer_be_read_is_found(finished: Path, images: Path) -> None:
    (images / "00007_red.png").write_bytes(b"")
    with pytest.raises(FingerprintError, match=r"1 of its 24 samples have other pixels .*: 7"):
        check_pixels(finished, recorded_manifest(finished))


def test_lost_images_are_named(finished: Path, images: Path) -> None:
    for path in images.glob("00007_*"):
        path.unlink()
    with pytest.raises(FingerprintError, match=r"1 of its 24 samples .*: 7; .*--root"):
        recorded_manifest(finished)


@pytest.mark.slow
def test_rows_of_the_labels_may_have_another_order(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    shutil.copyfile(cells / "labels.csv", labels)
    path = extract(settings_for(labels__file=labels)).path
    header, *rows = labels.read_text().splitlines()
    labels.write_text("\n".join([header, *rows[::-1]]))
    manifest = recorded_manifest(path)
    assert manifest.table["sample_id"].tolist() == load_features(path).samples.ids.tolist()
    check_pixels(path, manifest)


def test_wrong_embeddings_with_right_checksums_are_found(finished: Path) -> None:
    def scale(file: h5py.File) -> None:
        file["embeddings"][...] = file["embeddings"][...] * np.float32(1.01)

    alter(finished, scale)
    load_features(finished)
    with pytest.raises(FeatureFileError, match=r"features\.h5: .*2 samples extracted again"):
        check_sample(finished, recorded_manifest(finished), 2)


def test_swapped_rows_are_found(finished: Path) -> None:
    def swap(file: h5py.File) -> None:
        for name in ("embeddings", "pixel_digest"):
            file[name][:2] = file[name][:2][::-1]

    alter(finished, swap)
    load_features(finished)
    with pytest.raises(FingerprintError, match=r"2 of its 24 samples have other pixels"):
        check_pixels(finished, recorded_manifest(finished))


def test_other_weights_are_refused(finished: Path, checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    import torch

    state = torch.load(checkpoint("mobilenet_v3_small"), weights_only=True)
    state["features.0.0.weight"] += 0.1
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(FingerprintError, match="weights_digest"):
        check_sample(finished, recorded_manifest(finished), 1, weights=str(tmp_path / "other.pth"))


@pytest.mark.slow
def test_failed_samples_are_not_drawn(settings_for: MakeSettings, images: Path) -> None:
    (images / "00007_red.png").write_bytes(b"")
    path = extract(settings_for(images__root=images, extraction__on_error="quarantine")).path
    manifest = recorded_manifest(path)
    check_pixels(path, manifest)
    assert "7" not in check_sample(path, manifest, 24).sample_ids
