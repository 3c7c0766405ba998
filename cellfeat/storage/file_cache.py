"""Files of object stores that were fetched to this machine, kept for the next command.

A copy belongs to an address, an endpoint, a size and a version (ETag): a file that was replaced is fetched again. It is
written under another name, checked, and renamed, so that a copy is whole or not there.
"""

import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cellfeat.errors import ConfigError, DiskFullError, MissingFileError, ReadError
from cellfeat.provenance import explained_errors, is_temporary, make_folder, remove_left, temporary_beside
from cellfeat.storage.base import FileState, Storage
from cellfeat.storage.connection import endpoint_of
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Url

FOLDER, LIMIT = "CELLFEAT_CACHE", "CELLFEAT_CACHE_GB"
"""Environment variables: the folder of the copies, and the most gigabytes (10^9 bytes) that they take."""
DEFAULT_LIMIT = 50.0
_LOG = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The folder of fetched files: ``CELLFEAT_CACHE``, or ``cellfeat`` where the system keeps caches."""
    given = os.environ.get(FOLDER)
    if given:
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "cellfeat" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cellfeat"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cellfeat"


def fetched(url: Url, check: Callable[[Path], object]) -> Path:
    """Give a copy of a file on this machine, and fetch it where there is none of this version.

    Parameters
    ----------
    url
        The file.
    check
        Raises an error where a new copy is not what it should be; then it is not kept.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ReadError
        If it cannot be read.
    DiskFullError, WriteError
        If the copy cannot be written.
    ConfigError
        If `LIMIT` is no number of gigabytes.
    """
    storage = open_storage(url.parent)
    state = _state(storage, url)
    copy = _copy_of(url, state)
    if copy.is_file() and copy.stat().st_size == state.size:
        os.utime(copy)  # the copies that were used least recently are removed first
        return copy
    _fetch(storage, url, copy, state, check)
    return copy


def keep(url: Url, state: FileState, file: Path) -> None:
    """Keep a file that was just written to an address as its copy: the next command needs not fetch it.

    Parameters
    ----------
    url
        The address.
    state
        Its size and version there.
    file
        The same file on this machine, in the cache's folder; it is moved.
    """
    copy = _copy_of(url, state)
    with suppress(OSError):  # a copy is a convenience
        copy.parent.mkdir(parents=True, exist_ok=True)
        file.replace(copy)
        _remove_old(copy)


@contextmanager
def room_for(url: Url) -> Iterator[Path]:
    """Name a file in the cache's folder to write to, which will go to an address; it is removed after the block.

    Raises
    ------
    DiskFullError, WriteError
        If it cannot be written; the message says how to choose another folder.
    ConfigError
        If `LIMIT` is no number of gigabytes.
    """
    target = _folder_of(url) / url.name
    with _begun(target):
        temporary = temporary_beside(target)
        try:
            yield temporary
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _state(storage: Storage, url: Url) -> FileState:
    if not url.path:
        raise MissingFileError(f"{url}: names a {'server' if url.scheme.startswith('http') else 'bucket'}, and no file")
    try:
        state = storage.state(url.name)
    except ReadError as error:
        copies = sorted(_folder_of(url).glob(f"*/{url.name}"), key=lambda path: path.stat().st_mtime)
        if not copies:
            raise
        when = datetime.fromtimestamp(copies[-1].stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
        raise ReadError(f"{error}. A copy, last used on {when}, is in {copies[-1]}: name that file to use it") from None
    if state is None:
        raise MissingFileError(f"the file {url} does not exist{_what_is_there(storage, url)}")
    return state


def _what_is_there(storage: Storage, url: Url) -> str:
    """Say what lies at an address that is no file; also finds out that its bucket does not exist."""
    if url.scheme.startswith("http"):
        return ": check the address"
    folder = open_storage(url)
    inside = next((name for name, _ in folder.sizes()), None)
    if inside is not None:
        return f": it is a folder, with {inside} in it; name a file"
    beside = [name for name, _ in _first(storage.sizes(), 3) if "/" not in name]
    return f"; beside it: {', '.join(beside)}" if beside else ": check the address"


def _first(found: Iterator[tuple[str, int]], number: int) -> Iterator[tuple[str, int]]:
    yield from (item for item, _ in zip(found, range(number), strict=False))


def _fetch(storage: Storage, url: Url, copy: Path, state: FileState, check: Callable[[Path], object]) -> None:
    _LOG.info("%s: fetching %s MB to %s", url, f"{max(state.size / 1e6, 0.1):,.1f}", cache_folder())
    with _begun(copy):
        temporary = temporary_beside(copy)
        try:
            found = storage.download(url.name, temporary)
            if found != state:
                raise ReadError(f"{url}: was replaced while it was read: start the same command again")
            check(temporary)
            temporary.replace(copy)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    _remove_old(copy)


@contextmanager
def _begun(target: Path) -> Iterator[None]:
    """Make the folder of a file that the block writes; errors of the disk say how to choose another one."""
    _limit()  # refused now, and not when gigabytes have been sent
    _remove_unfinished()
    try:
        with explained_errors(target):
            make_folder(target.parent)
            yield
    except DiskFullError as error:
        raise DiskFullError(
            f"{error}. This folder keeps files of object stores: free some room, or choose a folder on another disk "
            f"with the environment variable {FOLDER}"
        ) from None


def _files() -> Path:
    """The folder that holds a folder for each address, with a folder for each version in it."""
    return cache_folder() / "files"


def _folder_of(url: Url) -> Path:
    # The endpoint, too: two servers may have buckets of the same name.
    key = hashlib.sha256(f"{endpoint_of(url) or ''}\n{url}".encode()).hexdigest()[:16]
    return _files() / key


def _copy_of(url: Url, state: FileState) -> Path:
    version = hashlib.sha256(f"{state.size}\n{state.version}".encode()).hexdigest()[:16]
    return _folder_of(url) / version / url.name


def _remove_unfinished() -> None:
    """Remove what killed commands left half written, of any address: nobody may ask for that file again."""
    for folder in (*_files().glob("*"), *_files().glob("*/*")):
        if folder.is_dir():
            remove_left(folder)


def _remove_old(newest: Path) -> None:
    """Remove earlier versions of a file, and the copies used least recently beyond the limit."""
    for version in newest.parent.parent.iterdir():
        if version.is_dir() and version != newest.parent:
            shutil.rmtree(version, ignore_errors=True)
    copies = []
    for path in _files().glob("*/*/*"):
        if is_temporary(path.name):  # another command is fetching it
            continue
        with suppress(FileNotFoundError):
            copies.append((path.stat().st_mtime, path.stat().st_size, path))
    total, limit = sum(size for _, size, _ in copies), _limit()
    for _, size, path in sorted(copies):
        if total <= limit or path == newest:
            break
        shutil.rmtree(path.parent, ignore_errors=True)
        total -= size


def _limit() -> float:
    text = os.environ.get(LIMIT, "")
    try:
        gigabytes = float(text) if text.strip() else DEFAULT_LIMIT
    except ValueError:
        gigabytes = -1.0
    if not gigabytes >= 0:  # which NaN is not, either
        raise ConfigError(f"the environment variable {LIMIT} is {text!r}; expected gigabytes, such as 50")
    return gigabytes * 1e9
