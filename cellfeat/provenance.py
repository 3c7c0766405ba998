"""Digests, versions, and files that are written completely or not at all."""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from glob import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

from cellfeat.errors import DiskFullError, WriteError
from cellfeat.text import NO_URLS, is_url, without_credentials

RECORDED_PACKAGES = (
    "cellfeat", "torch", "torchvision", "timm", "openvino", "numpy", "h5py", "scikit-learn", "lightgbm", "imagecodecs",
    "tifffile", "zarr", "nd2", "czifile", "liffile",
)  # fmt: skip

_SECONDS_OF_A_DAY = 86_400
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NO_ROOM = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_NOT_ALLOWED = {
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
}
_IN_THE_WAY = {
    errno.EISDIR: "there is a folder of this name",
    errno.EEXIST: "there is a file where its folder should be",
    errno.ENOTDIR: "there is a file where its folder should be",
    errno.ENAMETOOLONG: "the name is too long",
}


def digest_bytes(*chunks: bytes | memoryview) -> str:
    """Compute the sha256 of the chunks one after another, as ``"sha256:…"``."""
    return digest_chunks(chunks)


def digest_chunks(chunks: Iterable[bytes | memoryview]) -> str:
    """Compute the same digest as `digest_bytes` of chunks that are made one at a time."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(chunk)
    return f"sha256:{sha.hexdigest()}"


def digest_file(path: Path) -> str:
    """Compute the sha256 of a file's bytes, as ``"sha256:…"``."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def canonical_json(value: Any) -> str:
    """Write a value as JSON with sorted keys and no white space, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_json(value: Any) -> str:
    """Compute the sha256 of a value's canonical JSON."""
    return digest_bytes(canonical_json(value).encode())


def differences(expected: Mapping[str, Any], got: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List the fields in which two nested mappings differ.

    Parameters
    ----------
    expected, got
        The mappings.
    prefix
        What to put before each field's name.

    Examples
    --------
    >>> differences({"views": 1, "crop": {"size": 224}}, {"views": 8, "crop": {"size": 224}})
    ['views: 1 -> 8']
    """
    lines = []
    for key in sorted({*expected, *got}):
        old, new = expected.get(key, "(none)"), got.get(key, "(none)")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {_short(old)} -> {_short(new)}")
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if _DIGEST.fullmatch(text):  # a person compares the first digits at most
        return f"{text[:15]}…"
    return text if len(text) <= 120 else f"{text[:117]}…"


def versions() -> dict[str, str]:
    """List the versions of Python and of each installed package that can affect the numbers."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def utc_now() -> str:
    """Give the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def explained_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about writing `path` in the block into errors that say what to do next.

    Raises
    ------
    DiskFullError
        If the disk is full, or the quota is used up.
    WriteError
        If `path` cannot be written, or its folder was removed meanwhile.
    """
    try:
        yield
    except OSError as error:
        explained = _why_not(path, error)
        if explained is None:
            raise
        raise explained from error


def _why_not(path: Path, error: OSError) -> WriteError | None:
    if error.errno in _NO_ROOM:
        return DiskFullError(f"{path}: {_NO_ROOM[error.errno]}: make room, or choose another --output")
    if error.errno in _NOT_ALLOWED:
        return WriteError(
            f"{path}: cannot be written, {_NOT_ALLOWED[error.errno]}: make its folder writable, or choose another "
            f"--output"
        )
    if error.errno in _IN_THE_WAY:
        return WriteError(f"{path}: cannot be written, {_IN_THE_WAY[error.errno]}: choose another --output")
    # Only its folder, and files beside the target: another file that is missing has another cause.
    if (
        error.errno == errno.ENOENT
        and error.filename is not None
        and link_target(path).parent in (Path(error.filename), Path(error.filename).parent)
    ):
        return WriteError(
            f"{path}: its folder, or the unfinished file, was removed meanwhile: start the same command again"
        )
    return None


def link_target(path: Path) -> Path:
    """Follow `path` if it is a symbolic link, to where its file is or will be; any other path is returned as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def make_folder(folder: Path) -> None:
    """Create a folder, with those above it; a symbolic link to a folder is followed.

    Raises
    ------
    WriteError
        If a symbolic link on the way leads nowhere.
    OSError
        If the folder cannot be created.
    """
    for link in (folder, *folder.parents):
        # Not created: a link often leads to another disk, which is not mounted where the link leads nowhere.
        if link.is_symlink() and not link.exists():
            raise WriteError(
                f"{link}: is a link to {link_target(link)}, which does not exist: mount that disk or create that "
                f"folder, or choose another --output"
            )
    folder.mkdir(parents=True, exist_ok=True)


def make_parent(path: Path) -> Path:
    """Create the folder that a file or folder will lie in, and return where it will lie: see `link_target`.

    Raises
    ------
    WriteError
        If `path` is a symbolic link to itself or into a folder that does not exist, or a link on the way leads nowhere.
    OSError
        If the folder cannot be created.
    """
    if is_url(str(path)):
        raise WriteError(f"{without_credentials(str(path))}: {NO_URLS}")
    target = link_target(path)
    if target.is_symlink():
        raise WriteError(f"{path}: is a link that leads back to itself: repair it, or choose another --output")
    if path.is_symlink() and not target.parent.is_dir():
        raise WriteError(
            f"{path}: is a link to {target}, whose folder does not exist: mount that disk or create that folder, or "
            f"choose another --output"
        )
    make_folder(target.parent)
    return target


def temporary_beside(target: Path) -> Path:
    """Name a temporary file beside another one; no process of this or of another machine takes the same name.

    Examples
    --------
    >>> is_temporary(temporary_beside(Path("cells.h5")).name)
    True
    """
    return target.with_name(f".{target.name}.{_host()}.{os.getpid()}.{uuid4().hex[:8]}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file is being written, or was left by a process that was killed while it wrote."""
    return name.startswith(".") and name.endswith(".tmp")


def remove_left(folder: Path, name: str = "") -> None:
    """Remove the temporary files that killed processes of this machine left in a folder.

    Those of live processes stay, and those of other machines until they are a day old.

    Parameters
    ----------
    folder
        The folder.
    name
        The name of the file that they were to become; by default any.
    """
    for path in folder.glob(f".{escape(name)}{'.' if name else ''}*.tmp"):
        with suppress(OSError):  # removed by another process, or a folder
            if _is_left(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_left(path: Path) -> bool:
    *_, host, pid, _, _ = ["", "", "", *path.name.split(".")]
    if host == _host() and pid.isdigit() and os.name == "posix":
        return not _is_alive(int(pid))
    return time.time() - path.stat().st_mtime > _SECONDS_OF_A_DAY


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """Write a file so that it appears whole or not at all.

    Yields a path beside `path` to write to. When the block ends, that file is flushed to disk and replaces `path` in
    one step, and the folder entry is flushed too. When an exception ends the block, Ctrl-C included, the partial file
    is removed and `path` is unchanged. A symbolic link stays one: the file that it leads to is replaced.

    Raises
    ------
    DiskFullError, WriteError
        If `path` cannot be written.
    """
    with explained_errors(path):
        target = make_parent(path)
        # In the same folder, since a rename is one step only within a file system.
        temporary = temporary_beside(target)
        try:
            yield temporary
            # Before the rename: otherwise a loss of power may leave the new name with an empty file.
            flush_to_disk(temporary)
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):  # removed, or on a disk that has become read-only
                temporary.unlink()
            raise
        flush_to_disk(target.parent)


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Write a folder of files so that it appears whole or not at all; an existing one is replaced.

    A symbolic link stays one: the folder that it leads to is replaced. Replacing takes two renames: after a kill
    between them, the earlier folder is kept beside it under a name that ends in ``.old``.

    Raises
    ------
    DiskFullError, WriteError
        If `path` cannot be written.
    """
    with explained_errors(path):
        target = make_parent(path)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        try:
            # `mkdtemp` gives access to its owner alone.
            temporary.chmod(0o755)
            yield temporary
            for file in temporary.rglob("*"):
                flush_to_disk(file)
            flush_to_disk(temporary)
            _replace_folder(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        flush_to_disk(target.parent)


def _replace_folder(new: Path, path: Path) -> None:
    # A rename cannot replace a folder that holds files.
    earlier = path.with_name(f".{path.name}.old")
    shutil.rmtree(earlier, ignore_errors=True)
    if path.exists():
        path.rename(earlier)
    new.rename(path)
    shutil.rmtree(earlier, ignore_errors=True)


def flush_to_disk(path: Path) -> None:
    """Flush a file, or a folder's entries, to disk (fsync)."""
    is_windows = os.name == "nt"
    if is_windows and path.is_dir():  # Windows cannot open a folder
        return
    # Windows flushes only what is open for writing; elsewhere a folder cannot be opened so.
    descriptor = os.open(path, os.O_RDWR if is_windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
