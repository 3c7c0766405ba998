"""Files that appear whole or not at all, digests, and differences in words."""

import os
from pathlib import Path

import pytest

from cellfeat.errors import WriteError
from cellfeat.provenance import (
    canonical_json,
    differences,
    digest_file,
    digest_json,
    flush_to_disk,
    publish,
    publish_folder,
    versions,
)


def test_published_file_is_alone(tmp_path: Path) -> None:
    with publish(tmp_path / "deep" / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]


def fail_half_way(path: Path, error: type[BaseException]) -> None:
    path.write_text("half")
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failed_write_leaves_the_earlier_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), publish(path) as temporary:
        fail_half_way(temporary, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(descriptor: int) -> None:
        steps.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def spy_replace(self: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    with publish(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert steps == ["file", "replace", "folder"]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("target", ["../disk/b.txt", "../middle"])
def test_link_to_a_file_stays_one(tmp_path: Path, target: str, exists: bool) -> None:
    disk, link = tmp_path / "disk", tmp_path / "work" / "a.txt"
    disk.mkdir()
    link.parent.mkdir()
    link.symlink_to(target)
    (tmp_path / "middle").symlink_to(disk / "b.txt")  # the second target is a chain of links
    if exists:
        (disk / "b.txt").write_text("old")
    with publish(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (disk / "b.txt").read_text() == "new"
    assert sorted(path.name for path in (*disk.iterdir(), *link.parent.iterdir())) == ["a.txt", "b.txt"]


def test_failed_write_leaves_the_link_and_its_file(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("old")
    (tmp_path / "a.txt").symlink_to("b.txt")
    with pytest.raises(ValueError), publish(tmp_path / "a.txt") as temporary:
        fail_half_way(temporary, ValueError)
    assert (tmp_path / "a.txt").readlink() == Path("b.txt")
    assert (tmp_path / "b.txt").read_text() == "old"


def test_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    for name in ("model", "results"):
        (tmp_path / "disk" / name).mkdir()
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    with publish_folder(tmp_path / "model") as temporary:
        (temporary / "new.txt").write_text("new")
    with publish(tmp_path / "results" / "deep" / "a.txt") as temporary:
        temporary.write_text("new")
    assert all((tmp_path / name).is_symlink() for name in ("model", "results"))
    assert (tmp_path / "disk" / "model" / "new.txt").exists()
    assert (tmp_path / "disk" / "results" / "deep" / "a.txt").exists()
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["model", "results"]


@pytest.mark.parametrize("output", ["file", "folder/a.txt", "itself"])
def test_link_to_a_missing_disk_is_refused(tmp_path: Path, output: str) -> None:
    """The disk is not mounted: a folder made in its place would hide the files on it, or fill the wrong disk."""
    (tmp_path / "file").symlink_to(tmp_path / "disk" / "deep" / "a.txt")
    (tmp_path / "folder").symlink_to(tmp_path / "disk")
    (tmp_path / "itself").symlink_to("itself")
    for publishing in (publish, publish_folder):
        with (
            pytest.raises(WriteError, match=f"{output.partition('/')[0]}: is a link.*--output"),
            publishing(tmp_path / output),
        ):
            pytest.fail("nothing can be written")
    assert not (tmp_path / "disk").exists()


def test_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(WriteError, match="folder of this name"), publish(tmp_path / "a") as temporary:
        temporary.write_text("new")
    (tmp_path / "b").write_text("a file")
    with pytest.raises(WriteError, match="a file where its folder"), publish(tmp_path / "b" / "c") as temporary:
        temporary.write_text("new")


def test_published_folder_replaces_the_earlier_one(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with publish_folder(tmp_path / "model") as temporary:
            (temporary / f"{content}.txt").write_text(content)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_failed_folder_leaves_the_earlier_one(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "model") as temporary:
        (temporary / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), publish_folder(tmp_path / "model") as temporary:
        fail_half_way(temporary / "a.txt", KeyboardInterrupt)
    assert (tmp_path / "model" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_equal_values_have_equal_digests_in_any_order() -> None:
    assert digest_json({"a": 1, "b": [1, 2]}) == digest_json({"b": [1, 2], "a": 1})
    assert digest_json({"a": 1}) != digest_json({"a": 2})
    assert canonical_json({"ü": None}) == '{"ü":null}'


def test_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_file(tmp_path / "abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_differences_name_the_nested_field() -> None:
    old = {"backbone": {"name": "resnet50", "pool": "norm"}, "views": 1}
    new = {"backbone": {"name": "vgg16", "pool": "norm"}, "precision": "fp32", "views": 1}
    assert differences(old, new) == ["backbone.name: resnet50 -> vgg16", "precision: (none) -> fp32"]


def test_versions_name_python_and_packages() -> None:
    assert {"python", "torch", "numpy"} <= versions().keys()


def test_windows_flushes_what_is_open_for_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to flush through a handle that only reads; tests run on other systems, which do not."""
    flushed: list[int] = []
    path = tmp_path / "cells.h5"
    path.write_bytes(b"content")
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(os, "fsync", lambda one: flushed.append(fcntl.fcntl(one, fcntl.F_GETFL) & os.O_RDWR))
    with monkeypatch.context() as on_windows:
        on_windows.setattr(os, "name", "nt")
        flush_to_disk(path)
    assert flushed == [os.O_RDWR]
