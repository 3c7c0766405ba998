"""Files that are not read as feature files: called what they are, and never called damaged when they may be whole."""

import errno
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import CellfeatError, FeatureFileError, MissingFileError, ReadError
from cellfeat.extraction.store import PartStore, parts_folder, read_summary
from tests.extraction.store_runs import HEADER, make_rows, run_to_end

SLANDER = ("damaged", "delete", "remove")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    output = tmp_path / "cells.h5"
    run_to_end(output)
    return output


@pytest.fixture
def locked(finished: Path) -> Iterator[Path]:
    """A feature file that another program has open for writing."""
    descriptor = os.open(finished, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield finished
    os.close(descriptor)


def message_of(path: Path, kind: type[CellfeatError]) -> str:
    """What reading the file raises, which slanders nothing and leaves the file as it is."""
    before = path.stat() if path.exists() else None
    with pytest.raises(kind) as raised:
        read_summary(path)
    message = str(raised.value)
    assert str(path) in message
    assert not any(word in message for word in SLANDER), message
    assert before is None or path.stat().st_mtime_ns == before.st_mtime_ns
    return message


def test_locked_file_is_called_locked(locked: Path) -> None:
    assert "another program has it open" in message_of(locked, ReadError)


def test_file_that_a_killed_program_had_open_can_be_freed(finished: Path) -> None:
    code = f"import h5py, os; file = h5py.File({str(finished)!r}, 'r+'); file.flush(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "h5clear" in message_of(finished, ReadError)


SYSTEM_ERRORS = {
    11: "locked.*HDF5_USE_FILE_LOCKING=FALSE",
    35: "locked.*HDF5_USE_FILE_LOCKING=FALSE",
    37: "no locks.*HDF5_USE_FILE_LOCKING=FALSE",
    77: "no locks.*HDF5_USE_FILE_LOCKING=FALSE",
    errno.EOPNOTSUPP: "no locks.*HDF5_USE_FILE_LOCKING=FALSE",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "check the disk",
    errno.ESTALE: "check the disk",
    errno.EMFILE: "cannot be read",
}


@pytest.mark.parametrize("number", SYSTEM_ERRORS)
def test_error_of_the_system_is_no_damage(number: int, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Played, because few test machines have such a disk."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "Unable to synchronously open file")

    monkeypatch.setattr(h5py, "File", refuse)
    assert re.search(SYSTEM_ERRORS[number], message_of(finished, ReadError))


def test_file_behind_a_closed_folder_is_not_permitted(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "stat", refuse)  # chmod does not bind root
    with pytest.raises(ReadError, match="permission is denied"):
        read_summary(finished)


def hdf5_with(*names: str, **attributes: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.attrs.update(attributes)
            for name in names:
                file[name] = np.zeros(3)

    return make


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "a PNG": (lambda path: path.write_bytes(imagecodecs.png_encode(np.zeros((4, 4), np.uint8))), "PNG image"),
    "a TIFF": (lambda path: path.write_bytes(b"II*\0" + bytes(50)), "TIFF image"),
    "a Parquet table": (lambda path: pd.DataFrame({"a": [1]}).to_parquet(path), "Parquet"),
    "a CSV table": (lambda path: path.write_text("file_id,cell_line\n1,HeLa\n"), "CSV"),
    "text": (lambda path: path.write_text("features come here\n"), "text"),
    "JSON": (lambda path: path.write_text('{"format": 2}'), "JSON"),
    "a web page": (lambda path: path.write_text("<!DOCTYPE html>"), "web page"),
    "an LFS pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid x\n"),
        "git lfs pull",
    ),
    "a NumPy array": (lambda path: np.save(path.open("wb"), np.zeros(3)), "NumPy"),
    "a gzip file": (lambda path: path.write_bytes(b"\x1f\x8b" + bytes(90)), "unpack"),
    "unknown bytes": (lambda path: path.write_bytes(b"\x01\x02\x03\xff" * 40), "starts with"),
    "AnnData": (hdf5_with("X", "obs", "var"), "AnnData"),
    "Keras": (hdf5_with("model_weights"), "Keras"),
    "another HDF5 file": (hdf5_with("raw", "masks"), "holds masks, raw"),
    "an HDF5 file with a format of its own": (hdf5_with("raw", format=7), "not a feature file of cellfeat"),
    "an HDF5 file with our format number": (hdf5_with("raw", format=2), "not a feature file of cellfeat"),
    "an HDF5 file without anything": (hdf5_with(), "holds nothing"),
    "a folder": (lambda path: path.mkdir(), "folder"),
}


@pytest.mark.parametrize("name", KINDS)
def test_other_file_is_called_what_it_is(name: str, tmp_path: Path) -> None:
    make, what = KINDS[name]
    path = tmp_path / "cells.h5"
    make(path)
    message = message_of(path, FeatureFileError)
    assert what in message
    assert "--output" in message


def test_part_is_called_a_part(tmp_path: Path) -> None:
    PartStore(tmp_path / "cells.h5", HEADER).write(make_rows(range(0, 4)))
    (part,) = parts_folder(tmp_path / "cells.h5").glob("rows-*.h5")
    assert "part of an unfinished run" in message_of(part, FeatureFileError)


def test_part_that_another_program_locks_is_read(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    (part,) = parts_folder(output).glob("rows-*.h5")
    descriptor = os.open(part, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert PartStore(output, HEADER).read(range(0, 4)) is not None
    os.close(descriptor)


def test_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(MissingFileError):
        read_summary(Path("cells\0.h5"))


def test_link_to_a_missing_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "cells.h5").symlink_to(tmp_path / "disk" / "cells.h5")
    with pytest.raises(MissingFileError, match=r"link to .*disk"):
        read_summary(tmp_path / "cells.h5")
