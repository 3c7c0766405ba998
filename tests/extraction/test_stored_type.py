"""Embeddings stored in half precision: rounded once, refused where they do not fit, and float32 for every reader."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from cellfeat.config import Settings
from cellfeat.errors import BackboneError, FeatureFileError, FingerprintError, ManifestError
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.shares.consolidation import consolidate
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.shares.worker import extract_share
from cellfeat.extraction.store import load_features, parts_folder, read_embeddings, verify_features
from cellfeat.extraction.store.stored_type import allowed_difference, exactly, rounded
from cellfeat.extraction.verification import check_sample, recorded_manifest
from tests.extraction.observers import contents

MakeSettings = Callable[..., Settings]
HALF = {"extraction__storage": "float16"}


@pytest.fixture
def half(finished: Callable[..., Path]) -> Path:
    return finished(**HALF)


def test_readers_give_float32(finished: Callable[..., Path], half: Path) -> None:
    whole, smaller = load_features(finished()), load_features(half)
    assert h5py.File(half)["embeddings"].dtype == np.float16
    assert smaller.embeddings.dtype == read_embeddings(half, [0, 2]).dtype == np.float32
    assert np.array_equal(smaller.embeddings, whole.embeddings.astype(np.float16).astype(np.float32))
    assert np.array_equal(read_embeddings(half, [0, 2]), smaller.embeddings[[0, 2]])


def test_rows_are_read_in_any_order_and_each_as_often_as_it_is_named(finished: Callable[..., Path]) -> None:
    path = finished()
    wanted = [2, 0, 2, -1]
    assert np.array_equal(read_embeddings(path, wanted), load_features(path).embeddings[wanted])
    assert len(read_embeddings(path, [])) == 0


@pytest.mark.parametrize("row", [10_000, -10_000])
def test_rows_that_a_file_has_not_are_no_damage(finished: Callable[..., Path], row: int) -> None:
    with pytest.raises(ManifestError, match="expected row numbers below"):
        read_embeddings(finished(), [0, row])


def test_recipe_names_the_type(finished: Callable[..., Path], half: Path) -> None:
    whole, smaller = load_features(finished()), load_features(half)
    assert smaller.recipe == {**whole.recipe, "storage": "float16"}
    assert smaller.fingerprint != whole.fingerprint


def test_checksums_hold_and_damage_is_found(half: Path, tmp_path: Path) -> None:
    verify_features(half)
    copy = tmp_path / "copy.h5"
    copy.write_bytes(half.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["embeddings"][3, 0, 5] += np.float16(1)
    with pytest.raises(FeatureFileError, match="rows 0 to"):
        verify_features(copy)


def test_other_type_than_the_recipe_is_refused(half: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(half.read_bytes())
    with h5py.File(copy, "r+") as file:
        numbers = file["embeddings"][:].astype(np.float32)
        del file["embeddings"]
        file["embeddings"] = numbers
    with pytest.raises(FeatureFileError, match="float16"):
        verify_features(copy)


def test_saved_again_it_is_the_same(half: Path, tmp_path: Path) -> None:
    features = load_features(half)
    features.save(tmp_path / "again.h5")
    assert h5py.File(tmp_path / "again.h5")["embeddings"].dtype == np.float16
    assert np.array_equal(load_features(tmp_path / "again.h5").embeddings, features.embeddings)
    changed = replace(features, embeddings=features.embeddings * np.float32(1.0001))
    with pytest.raises(FeatureFileError, match="float16"):
        changed.save(tmp_path / "changed.h5")


@pytest.mark.slow
def test_update_does_not_mix_types(settings_for: MakeSettings) -> None:
    output = extract(settings_for()).path
    before = output.read_bytes()
    with pytest.raises(FingerprintError, match="storage"):
        extract(settings_for(**HALF), update=True)
    assert output.read_bytes() == before


@pytest.mark.slow
def test_unfinished_run_of_another_type_is_kept(settings_for: MakeSettings) -> None:
    settings = settings_for(**HALF)
    plan_extraction(settings)
    extract_share(settings, Share(0, 3))
    with pytest.raises(FingerprintError, match="storage"):
        extract(settings_for())
    assert len(list(parts_folder(settings.extraction.output).glob("rows-*.h5"))) == 1


@pytest.mark.slow
def test_shares_make_the_same_file(settings_for: MakeSettings) -> None:
    settings = settings_for(**HALF)
    whole = contents(extract(settings).path)
    settings.extraction.output.unlink()
    plan_extraction(settings)
    for index in (1, 0):
        extract_share(settings, Share(index, 2))
    assert contents(consolidate(settings).path) == whole


def test_samples_verify_again(half: Path) -> None:
    check = check_sample(half, recorded_manifest(half), 3)
    assert check.differences.max() < 1e-3


def test_settings_like_keep_the_type(half: Path, tmp_path: Path) -> None:
    features = load_features(half)
    record = features.provenance["settings"]
    again = settings_like(record, features.recipe, images=tmp_path, output=tmp_path / "x.h5", labels=None, weights=None)
    assert again.extraction.storage == "float16"


def test_number_beyond_the_range_is_refused() -> None:
    embeddings = np.ones((3, 1, 4), np.float32)
    embeddings[1, 0, 2] = 70_000
    with pytest.raises(BackboneError, match=r"row 11 .*70000.*storage=float32"):
        rounded(embeddings, "float16", 10)
    assert np.array_equal(rounded(embeddings, "float32", 10), embeddings)


def test_numbers_too_small_are_refused() -> None:
    tiny = np.geomspace(1e-9, 3e-8, 4, dtype=np.float32).reshape(1, 1, 4)
    with pytest.raises(BackboneError, match=r"row 5 .*cosine"):
        rounded(tiny, "float16", 5)
    zeros = np.zeros((1, 1, 4), np.float32)
    assert np.array_equal(rounded(zeros, "float16", 0), zeros)


@pytest.mark.slow
def test_range_is_checked_while_extracting(
    settings_for: MakeSettings, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    state = torch.load(checkpoint("mobilenet_v3_small"))
    for name in ("classifier.0.weight", "classifier.0.bias"):
        state[name] *= 1e8
    torch.save(state, tmp_path / "huge.pth")
    settings = settings_for(**HALF, backbone__weights=str(tmp_path / "huge.pth"))
    with pytest.raises(BackboneError, match=r"row 0 .*float16 ends at 65504"):
        extract(settings)
    assert not settings.extraction.output.exists()


def test_missing_numbers_are_stored() -> None:
    numbers = np.array([[[1.5, np.nan]]], np.float32)
    assert np.array_equal(exactly(numbers, "float16", "x"), numbers.astype(np.float16), equal_nan=True)


def test_tolerance_allows_for_rounding() -> None:
    assert allowed_difference({"precision": "fp32"}) < 1e-3
    assert 1e-3 < allowed_difference({"precision": "fp32", "storage": "float16"}) < 2e-3
