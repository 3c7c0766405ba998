"""Large feature files stay on disk: their embeddings are mapped, and are the same numbers."""

import mmap
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store import Features, load_features

MAPPED_FROM = "cellfeat.extraction.store.mapping.MAPPED_FROM"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    X = np.random.default_rng(0).standard_normal((60, 2, 500))
    X[7] = np.nan
    Features.from_arrays(X, labels=np.array(list("ab") * 30)).save(tmp_path / "features.h5")
    return tmp_path / "features.h5"


@pytest.fixture
def always_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MAPPED_FROM, 0)


def is_mapped(array: np.ndarray) -> bool:
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)


def test_mapped_rows_equal_those_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = load_features(path)
    monkeypatch.setattr(MAPPED_FROM, 0)
    mapped = load_features(path)
    assert is_mapped(mapped.embeddings)
    assert not is_mapped(read.embeddings)
    assert np.array_equal(mapped.embeddings, read.embeddings, equal_nan=True)
    assert np.array_equal(mapped.samples.digests, read.samples.digests)
    assert np.array_equal(mapped.samples.status, read.samples.status)


@pytest.mark.usefixtures("always_mapped")
def test_changes_never_reach_the_file(path: Path) -> None:
    before = path.read_bytes()
    features = load_features(path)
    features.embeddings[:] = 7
    del features
    assert path.read_bytes() == before


@pytest.mark.usefixtures("always_mapped")
def test_rows_stay_when_the_file_is_replaced(path: Path) -> None:
    features = load_features(path)
    kept = features.embeddings.copy()
    features.take(slice(0, 2)).save(path, replace=True)
    assert np.array_equal(features.embeddings, kept, equal_nan=True)
    assert len(load_features(path)) == 2


@pytest.mark.usefixtures("always_mapped")
def test_damage_is_found_in_mapped_files(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["embeddings"][1, 0, 0] += 1
    with pytest.raises(FeatureFileError, match="checksum"):
        load_features(path)


@pytest.mark.usefixtures("always_mapped")
def test_chunked_file_is_read(path: Path) -> None:
    expected = load_features(path).embeddings.copy()
    with h5py.File(path, "r+") as file:
        del file["embeddings"]
        file.create_dataset("embeddings", data=expected, chunks=(1, *expected.shape[1:]))
    features = load_features(path)
    assert not is_mapped(features.embeddings)
    assert np.array_equal(features.embeddings, expected, equal_nan=True)
