"""A folder as a `Storage`: files appear whole, and one writer of a name wins."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cellfeat.errors import WriteError
from cellfeat.provenance import temporary_beside
from cellfeat.storage import local
from cellfeat.storage.local import LocalStorage


def test_one_of_many_writers_creates_a_file(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    contents = [bytes([i]) * 100_000 for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda content: storage.create("part.h5", content), contents))
    assert won.count(True) == 1
    assert storage.read("part.h5") == contents[won.index(True)]
    assert [path.name for path in tmp_path.iterdir()] == ["part.h5"]


def test_create_works_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(local.os, "link", no_links)
    storage = LocalStorage(tmp_path)
    assert storage.create("part.h5", b"first")
    assert not storage.create("part.h5", b"second")
    assert storage.read("part.h5") == b"first"


def test_replace_takes_the_place_of_a_file(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.replace("run.json", b"1")
    storage.replace("run.json", b"2")
    assert storage.read("run.json") == b"2"


def test_files_that_are_missing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "absent")
    assert storage.read("a") is None
    assert list(storage.sizes()) == []
    storage.remove("a")
    with pytest.raises(WriteError, match="absent"):
        storage.create("a", b"")


def test_sizes_lists_by_prefix_and_leaves_out_temporary_files(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    for name in ("rows-1.h5", "rows-2.h5", "run.json"):
        storage.create(name, b"abc")
    temporary_beside(tmp_path / "rows-3.h5").write_bytes(b"")
    assert sorted(storage.sizes("rows-")) == [("rows-1.h5", 3), ("rows-2.h5", 3)]
