"""The store on a disk that forgets whatever was not flushed when the power goes."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    held_output,
    lease,
    load_features,
    no_intensities,
    no_properties,
    remove_parts,
    verify_features,
)
from cellfeat.storage import local

HEADER = RunHeader({"passes": ["planes"], "views": 1}, "sha256:samples", {}, 6, 1, 3, part_size=3)
TABLE = SampleTable([f"s{i}" for i in range(6)], ["HeLa", "RT4"] * 3, [""] * 6)


@pytest.fixture(autouse=True)
def _quick_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS_TO_SETTLE", 0.01)  # a loss of power leaves an empty holder's file


def run_to_end(output: Path) -> None:
    """What an extraction does with the store."""
    with held_output(output):
        if output.exists():
            verify_features(output)
            remove_parts(output)
            return
        parts = PartStore(output, HEADER)
        for rows in HEADER.part_rows():
            if parts.read(rows) is None:
                shape = (len(rows), 1, 3)
                numbers = np.random.default_rng(rows.start).normal(size=shape).astype(np.float32)
                digests = np.full((len(rows), 32), rows.start, np.uint8)
                arrays = (
                    numbers,
                    np.zeros(len(rows), np.uint8),
                    digests,
                    no_properties(len(rows)),
                    no_intensities(len(rows)),
                )
                parts.write(Rows.from_arrays(rows.start, arrays, {}))
        parts.consolidate(TABLE, {"settings": {}})


class PowerLoss(BaseException):
    """The power went."""


class ForgetfulDisk:
    """Knows what would still be there: bytes of files that were flushed, names of folders that were flushed.

    The power goes at the `fails_at`-th flush, before it takes place.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
        self.root, self.fails_at, self.n_flushes = root, fails_at, 0
        self.bytes_of: dict[int, bytes] = {}
        self.names_of: dict[Path, dict[str, int]] = {root: {}}
        self.names_at_loss: dict[Path, dict[str, int]] | None = None
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.flush)

    def flush(self, descriptor: int) -> None:
        if self.n_flushes == self.fails_at:
            if self.names_at_loss is None:
                self.names_at_loss = {folder: self._names(folder) for folder in self._folders()}
            raise PowerLoss
        self.n_flushes += 1
        self._fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self.names_of[path] = self._names(path)
        else:
            self.bytes_of[path.stat().st_ino] = path.read_bytes()

    def _folders(self) -> list[Path]:
        return [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]

    def _names(self, folder: Path) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in folder.iterdir()}

    def rebuild(self, target: Path, *, names_are_ahead: bool) -> None:
        """Write what is left: by the names that were flushed, or by all names, whose bytes may be missing."""
        names = self.names_of if not names_are_ahead or self.names_at_loss is None else self.names_at_loss
        self._rebuild_folder(self.root, target, names)

    def _rebuild_folder(self, folder: Path, target: Path, names: dict[Path, dict[str, int]]) -> None:
        target.mkdir(parents=True)
        for name, inode in names.get(folder, {}).items():
            was_folder = inode not in self.bytes_of and (folder / name in names or name.endswith(".parts"))
            if was_folder:
                self._rebuild_folder(folder / name, target / name, names)
            else:
                (target / name).write_bytes(self.bytes_of.get(inode, b""))


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to tell what is flushed")


def n_flushes_of_a_run(folder: Path) -> int:
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder.mkdir()
        disk = ForgetfulDisk(folder, monkeypatch, fails_at=10**9)
        run_to_end(folder / "cells.h5")
    return disk.n_flushes


@pytest.fixture(params=["links", "no links"])
def _links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts get their names by hard links, or, where the file system has none, by a claim and a rename."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "this file system has no hard links")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", no_links)
        monkeypatch.setattr(local, "_SECONDS_OF_A_CLAIM", 0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("_links")
@pytest.mark.parametrize("names_are_ahead", [False, True], ids=["nothing unflushed is left", "names without bytes"])
def test_next_run_completes_after_a_loss_of_power(
    names_are_ahead: bool, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    n_flushes = n_flushes_of_a_run(tmp_path / "undisturbed")
    expected = load_features(tmp_path / "undisturbed" / "cells.h5")
    record_property("faults", n_flushes)
    assert n_flushes > 8
    for k in range(n_flushes):
        folder = tmp_path / f"lost-{k}"
        folder.mkdir()
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = ForgetfulDisk(folder, monkeypatch, fails_at=k)
            with pytest.raises(PowerLoss):
                run_to_end(folder / "cells.h5")
        left = tmp_path / f"left-{k}"
        disk.rebuild(left, names_are_ahead=names_are_ahead)
        run_to_end(left / "cells.h5")
        features = load_features(left / "cells.h5")
        np.testing.assert_array_equal(features.embeddings, expected.embeddings, err_msg=f"flush {k}")
        assert features.samples.labels.tolist() == expected.samples.labels.tolist()
        assert [path.name for path in left.iterdir() if not path.name.startswith(".")] == ["cells.h5"], f"flush {k}"


def test_finished_run_is_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = ForgetfulDisk(folder, monkeypatch, fails_at=10**9)
        run_to_end(folder / "cells.h5")
    disk.rebuild(tmp_path / "left", names_are_ahead=False)
    assert load_features(tmp_path / "left" / "cells.h5").samples.labels.tolist() == TABLE.label


def test_finished_parts_are_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = ForgetfulDisk(folder, monkeypatch, fails_at=10**9)
        with held_output(folder / "cells.h5"):
            parts = PartStore(folder / "cells.h5", HEADER)
            arrays = (
                np.ones((3, 1, 3), np.float32),
                np.zeros(3, "u1"),
                np.ones((3, 32), "u1"),
                no_properties(3),
                no_intensities(3),
            )
            parts.write(Rows.from_arrays(0, arrays, {}))
    disk.rebuild(tmp_path / "left", names_are_ahead=False)
    assert PartStore(tmp_path / "left" / "cells.h5", HEADER).read(range(3)) is not None


def test_disk_of_these_tests_forgets(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = ForgetfulDisk(folder, monkeypatch, fails_at=10**9)
        (folder / "unflushed").write_text("words")
    disk.rebuild(tmp_path / "left", names_are_ahead=False)
    assert list((tmp_path / "left").iterdir()) == []
