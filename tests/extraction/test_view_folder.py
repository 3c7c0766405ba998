"""The folder of thumbnails and the map: where it is, and what making one removes."""

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import pytest

from cellfeat.errors import WriteError
from cellfeat.extraction.store import Features, make_view_folder, view_folder
from cellfeat.storage.url import Url


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELLFEAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def some(n: int) -> Features:
    return Features.from_arrays(np.arange(n * 2.0).reshape(n, 2), labels=["a"] * n)


def test_folder_lies_beside_the_file(tmp_path: Path) -> None:
    features = some(3).save(tmp_path / "cells.h5")
    folder = view_folder(features)
    assert folder.parent == tmp_path / "cells.view"
    assert features.samples.digest.startswith(f"sha256:{folder.name}")
    assert not folder.exists()
    assert make_view_folder(features) == folder
    assert folder.is_dir()


def test_labels_do_not_change_the_folder(tmp_path: Path) -> None:
    features = some(3).save(tmp_path / "cells.h5")
    assert view_folder(features.with_labels(["b", "c", "d"])) == view_folder(features)


def test_digest_of_the_samples_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = some(3).samples
    first = samples.digest
    monkeypatch.setattr("cellfeat.extraction.store.samples.samples_digest", lambda *_: "again")
    assert samples.digest == first
    assert dataclasses.replace(samples, ids=np.array(["x", "y", "z"])).digest == "again"


@pytest.mark.slow
def test_new_contents_remove_the_earlier_folder_and_nothing_else(tmp_path: Path) -> None:
    earlier = make_view_folder(some(3).save(tmp_path / "cells.h5"))
    own = [tmp_path / "cells.view" / name for name in ("notes", "0123.txt")]
    for path in own:
        path.mkdir()
    make_view_folder(some(4).save(tmp_path / "cells.h5", replace=True))
    assert not earlier.exists()
    assert all(path.exists() for path in own)


def test_folder_of_some_samples_leaves_that_of_the_file(tmp_path: Path) -> None:
    features = some(4).save(tmp_path / "cells.h5")
    whole = make_view_folder(features)
    assert make_view_folder(features.take([0, 1])) != whole
    assert whole.is_dir()


def test_link_has_its_folder_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    features = some(3).save(tmp_path / "disk" / "cells.h5")
    link = tmp_path / "cells.h5"
    link.symlink_to(features.path)
    assert view_folder(Features(**{**vars(features), "path": link})) == view_folder(features)


def test_features_in_memory_and_on_object_stores_use_the_cache(cache: Path) -> None:
    features = some(3)
    there = Features(**{**vars(features), "path": Url.parse("s3://lab/cells.h5")})
    assert view_folder(features) == view_folder(there)
    assert make_view_folder(features).parent == cache / "views"


def test_unwritable_folder_uses_the_cache(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = some(3).save(tmp_path / "cells.h5")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert view_folder(features).parent == cache / "views"


def test_cache_removes_what_nobody_used_for_a_month(cache: Path) -> None:
    old, recent, own = (cache / "views" / name for name in ("0" * 16, "1" * 16, "notes"))
    for folder in (old, recent, own):
        folder.mkdir(parents=True)
    for folder in (old, own):
        os.utime(folder, (0, time.time() - 40 * 86_400))
    make_view_folder(some(3))
    assert [folder.exists() for folder in (old, recent, own)] == [False, True, True]


def test_file_in_the_way_is_explained(tmp_path: Path) -> None:
    features = some(3).save(tmp_path / "cells.h5")
    (tmp_path / "cells.view").write_text("notes")
    with pytest.raises(WriteError, match=r"cells\.view"):
        make_view_folder(features)
