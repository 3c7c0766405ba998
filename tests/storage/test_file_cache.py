"""Files of addresses are fetched once, checked, and fetched again when they were replaced."""

import os
from pathlib import Path

import pytest

from cellfeat.errors import ConfigError, DiskFullError, FeatureFileError, MissingFileError, ReadError
from cellfeat.provenance import temporary_beside
from cellfeat.storage.file_cache import cache_folder, fetched, room_for
from cellfeat.storage.opening import digest_at, is_there, open_storage
from cellfeat.storage.publishing import publish_at
from cellfeat.storage.url import Url
from tests.object_stores import Fault, FaultyServer


@pytest.fixture
def url(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Url:
    monkeypatch.setenv("CELLFEAT_CACHE", str(tmp_path / "cache"))
    url = Url.parse(bucket) / "run/cells.h5"
    open_storage(url.parent).replace(url.name, b"first")
    return url


def nothing(_: Path) -> None:
    pass


def copies() -> list[Path]:
    return [path for path in cache_folder().rglob("*") if path.is_file()]


def test_file_is_fetched_once(url: Url, faulty: FaultyServer) -> None:
    copy = fetched(url, nothing)
    assert copy.read_bytes() == b"first"
    faulty.requests.clear()
    assert fetched(url, nothing) == copy
    assert [method for method, _ in faulty.requests] == ["HEAD"]


def test_replaced_file_is_fetched_again_and_its_earlier_copy_removed(url: Url) -> None:
    fetched(url, nothing)
    open_storage(url.parent).replace(url.name, b"other")
    assert fetched(url, nothing).read_bytes() == b"other"
    assert [path.read_bytes() for path in copies()] == [b"other"]


def test_copy_that_is_not_whole_is_fetched_again(url: Url) -> None:
    fetched(url, nothing).write_bytes(b"fir")
    assert fetched(url, nothing).read_bytes() == b"first"


def test_file_that_fails_its_check_is_not_kept(url: Url) -> None:
    def refuse(path: Path) -> None:
        raise FeatureFileError(f"{url}: damaged, {path.read_bytes()!r}")

    with pytest.raises(FeatureFileError, match="first"):
        fetched(url, refuse)
    assert copies() == []


def test_unreachable_server_names_the_copy(url: Url, monkeypatch: pytest.MonkeyPatch, faulty: FaultyServer) -> None:
    copy = fetched(url, nothing)
    faulty.plan = lambda *_: Fault(403, code="AccessDenied")
    with pytest.raises(ReadError, match=f"permission.*{copy}"):
        fetched(url, nothing)


def test_missing_file_names_those_beside_it(url: Url) -> None:
    with pytest.raises(MissingFileError, match=r"none\.h5 does not exist; beside it: cells\.h5"):
        fetched(url.with_name("none.h5"), nothing)
    with pytest.raises(MissingFileError, match="is a folder, with cells"):
        fetched(url.parent, nothing)


def test_least_used_copies_are_removed_beyond_the_limit(url: Url, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(url.parent)
    for age, name in enumerate(("a.h5", "b.h5", "c.h5")):
        storage.replace(name, b"0" * 1000)
        if name == "c.h5":
            monkeypatch.setenv("CELLFEAT_CACHE_GB", str(2000 / 1e9))
        os.utime(fetched(url.with_name(name), nothing), (age, age))
    assert sorted(path.name for path in copies()) == ["b.h5", "c.h5"]


def test_full_disk_names_the_variable(url: Url, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_storage(url.parent).replace(url.name, bytes(3_000_000))
    monkeypatch.setenv("CELLFEAT_CACHE", str(small_disk))
    with pytest.raises(DiskFullError, match="CELLFEAT_CACHE"):
        fetched(url, nothing)
    assert copies() == []


def test_published_file_is_there_and_its_copy_stays(url: Url, faulty: FaultyServer) -> None:
    target = url.with_name("new.h5")
    with publish_at(target) as temporary:
        temporary.write_bytes(b"content")
    assert is_there(target)
    faulty.requests.clear()
    assert fetched(target, nothing).read_bytes() == b"content"
    assert [method for method, _ in faulty.requests] == ["HEAD"]
    assert digest_at(target) == digest_at(fetched(target, nothing))


def test_nothing_is_published_after_an_error(url: Url) -> None:
    def half(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise KeyError

    with pytest.raises(KeyError), publish_at(url) as temporary:
        half(temporary)
    assert open_storage(url.parent).read(url.name) == b"first"
    assert copies() == []


def left_by_killed_command(target: Path) -> Path:
    """An unfinished file of another machine, a day and an hour old."""
    path = target.with_name(f".{target.name}.node7.4242.0a.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (path.stat().st_mtime - 90_000,) * 2)
    return path


def test_unfinished_files_of_killed_commands_are_removed(url: Url) -> None:
    with room_for(url.with_name("other.h5")) as temporary:
        of_upload = left_by_killed_command(temporary.with_name("other.h5"))
    of_download = left_by_killed_command(of_upload.parent / "0123456789abcdef" / "other.h5")
    in_work = temporary_beside(of_upload.with_name("third.h5"))
    in_work.write_bytes(b"half")
    fetched(url, nothing)
    assert sorted(path.name for path in copies()) == sorted([in_work.name, url.name])
    assert not of_upload.exists()
    assert not of_download.exists()


@pytest.mark.parametrize("limit", ["fifty", "nan", "-1"])
def test_wrong_limit_is_refused_before_anything_is_sent(
    limit: str, url: Url, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLFEAT_CACHE_GB", limit)
    with pytest.raises(ConfigError, match="CELLFEAT_CACHE_GB"), publish_at(url) as temporary:
        temporary.write_bytes(b"content")
    with pytest.raises(ConfigError, match="CELLFEAT_CACHE_GB"):
        fetched(url, nothing)
    assert {method for method, _ in faulty.requests} <= {"HEAD"}
    assert open_storage(url.parent).read(url.name) == b"first"
