"""A folder as a `Storage`: files appear whole, and one writer of a name wins."""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from cellfeat.errors import ReadError, WriteError
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
    assert storage.state("a") is None
    storage.remove("a")
    with pytest.raises(WriteError, match="absent"):
        storage.create("a", b"")


def test_sizes_lists_by_prefix_and_leaves_out_temporary_files(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    for name in ("rows-1.h5", "rows-2.h5", "run.json"):
        storage.create(name, b"abc")
    temporary_beside(tmp_path / "rows-3.h5").write_bytes(b"")
    assert sorted(storage.sizes("rows-")) == [("rows-1.h5", 3), ("rows-2.h5", 3)]


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(local.os, "link", refused)


@pytest.mark.usefixtures("no_links")
def test_one_of_many_writers_wins_without_hard_links(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: storage.create("part.h5", bytes([i]) * 100_000), range(16)))
    assert won.count(True) == 1
    assert storage.read("part.h5") == bytes([won.index(True)]) * 100_000


@pytest.mark.usefixtures("no_links")
def test_writer_waits_for_another_that_has_claimed_the_name(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    (tmp_path / "part.h5").touch()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(storage.create, "part.h5", b"second")
        time.sleep(0.1)
        assert not second.done()
        storage.replace("part.h5", b"first")
        assert second.result() is False
    assert storage.read("part.h5") == b"first"


@pytest.mark.usefixtures("no_links")
def test_claim_of_a_killed_process_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_SECONDS_OF_A_CLAIM", 0.1)
    storage = LocalStorage(tmp_path)
    (tmp_path / "part.h5").touch()
    assert not storage.create("part.h5", b"second")
    assert storage.read("part.h5") == b""


def test_folder_is_removed_while_another_process_writes_into_it(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "parts")
    for _ in range(20):
        storage.prepare()
        stop = threading.Event()

        def write(stop: threading.Event = stop) -> None:
            number = 0
            while not stop.is_set() and storage.location.exists():
                with suppress(WriteError):
                    storage.create(f"rows-{(number := number + 1)}.h5", b"abc")

        with ThreadPoolExecutor(1) as pool:
            writer = pool.submit(write)
            time.sleep(0.01)
            storage.remove_all()
            stop.set()
            writer.result()
        assert not storage.location.exists()


def test_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "part.h5")
    with pytest.raises(ReadError, match=r"part\.h5: is not a file"):
        LocalStorage(tmp_path).read("part.h5")


def test_nothing_is_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = LocalStorage(tmp_path / "file")
    assert storage.read("a") is None
    assert storage.state("a") is None


def test_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(_: Path, target: Path) -> None:
        target.write_bytes(b"begun")
        raise OSError(errno.ENOSPC, "No space left on device")

    storage = LocalStorage(tmp_path)
    storage.create("part.h5", b"whole")
    monkeypatch.setattr(local.shutil, "copyfile", breaks_off)
    with pytest.raises(WriteError, match="disk is full"):
        storage.download("part.h5", tmp_path / "copy.h5")
    assert not (tmp_path / "copy.h5").exists()


@pytest.mark.parametrize("error", [IsADirectoryError, PermissionError])  # of Linux, and of macOS and Windows
def test_folders_are_not_removed_as_files(
    error: type[OSError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    (tmp_path / "rows-1").mkdir()
    monkeypatch.setattr(Path, "unlink", refused)
    LocalStorage(tmp_path).remove_all("rows-")
    assert (tmp_path / "rows-1").is_dir()


def test_file_that_may_not_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    (tmp_path / "rows-1.h5").touch()
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(PermissionError):
        LocalStorage(tmp_path).remove("rows-1.h5")
