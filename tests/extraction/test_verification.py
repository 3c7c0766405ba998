"""A feature file held against its images and its recipe."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import FeatureFileError, FingerprintError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features
from cellfeat.extraction.store.format import read_range, table_checksum, write_text_attribute
from cellfeat.extraction.verification import check_pixels, check_sample, recorded_manifest

MakeSettings = Callable[..., Settings]


@pytest.fixture
def images(cells: Path, tmp_path: Path) -> Path:
    shutil.copytree(cells / "images", tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def finished(settings_for: MakeSettings, images: Path) -> Path:
    return extract(settings_for(images__root=images)).path


def alter(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change rows and make every checksum anew, as a forger would."""
    with h5py.File(path, "r+") as file:
        change(file)
        sums = file["checksums"][:]
        for i, (start, stop, _) in enumerate(sums):
            sums[i]["sha256"] = read_range(file, range(start, stop), {}).checksum().encode()
        file["checksums"][:] = sums
        write_text_attribute(file, "checksum", table_checksum(file))


def test_a_file_beside_its_images_is_confirmed(finished: Path) -> None:
    manifest = recorded_manifest(finished)
    check_pixels(finished, manifest)
    check = check_sample(finished, manifest, 3)
    assert len(check.sample_ids) == 3
    assert check.differences.max() < 1e-5
    assert "3 samples extracted again" in str(check)


def test_more_samples_than_there_are_means_all(finished: Path) -> None:
    check = check_sample(finished, recorded_manifest(finished), 1000)
    assert check.sample_ids == load_features(finished).samples.ids.tolist()


def test_images_that_moved_are_found_where_they_are_said_to_be(finished: Path, images: Path) -> None:
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
    with pytest.raises(FingerprintError, match=r"1 of its 24 samples have no image in .*: 7; .*--root"):
        recorded_manifest(finished)


def test_rows_of_the_labels_may_have_changed_places(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    shutil.copyfile(cells / "labels.csv", labels)
    path = extract(settings_for(labels__file=labels)).path
    header, *rows = labels.read_text().splitlines()
    labels.write_text("\n".join([header, *rows[::-1]]))
    manifest = recorded_manifest(path)
    assert manifest.table["sample_id"].tolist() == load_features(path).samples.ids.tolist()
    check_pixels(path, manifest)


def test_embeddings_with_right_checksums_and_wrong_numbers_are_found_by_extracting_again(finished: Path) -> None:
    def scale(file: h5py.File) -> None:
        file["embeddings"][...] = file["embeddings"][...] * np.float32(1.01)

    alter(finished, scale)
    load_features(finished)
    with pytest.raises(FeatureFileError, match="does not hold what its recipe makes of these images"):
        check_sample(finished, recorded_manifest(finished), 2)


def test_rows_that_changed_places_are_found(finished: Path) -> None:
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


def test_failed_samples_are_not_drawn(settings_for: MakeSettings, images: Path) -> None:
    (images / "00007_red.png").write_bytes(b"")
    path = extract(settings_for(images__root=images, extraction__on_error="quarantine")).path
    manifest = recorded_manifest(path)
    check_pixels(path, manifest)
    assert "7" not in check_sample(path, manifest, 24).sample_ids
