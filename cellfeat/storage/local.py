"""A folder of this machine, or of a network disk that several machines share."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cellfeat.errors import ReadError
from cellfeat.provenance import (
    explained_errors,
    flush_to_disk,
    is_temporary,
    make_folder,
    remove_left,
    temporary_beside,
)
from cellfeat.storage.base import FileState

_SECONDS_OF_A_CLAIM = 1.0
"""Longest time between the claim of a name and the file under it, where there are no hard links."""
_SECONDS_BETWEEN_LOOKS = 0.02


@dataclass(frozen=True)
class LocalStorage:
    """A `Storage` in a folder, which must exist when a file is written.

    A new file is written beside its place under a name that no other process of any machine takes, flushed to disk, and
    then linked into place, which fails where a file of this name is there already.

    Attributes
    ----------
    location
        The folder.
    """

    location: Path

    def prepare(self) -> None:
        """Make the folder, and remove what killed processes of this machine left in it."""
        with explained_errors(self.location):
            if not self.location.is_dir():
                make_folder(self.location)
                flush_to_disk(self.location.parent)
            remove_left(self.location)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of this name: of several writers exactly one gets True.

        Parameters
        ----------
        name, content
            The file's name and bytes.
        """
        target = self.location / name
        with explained_errors(target), self._written(target, content) as temporary:
            try:
                _link(temporary, target)
            except FileExistsError:
                _wait_for_claim(target)
                return False
            flush_to_disk(target.parent)
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of this name.

        Parameters
        ----------
        name, content
            The file's name and bytes.
        """
        target = self.location / name
        with explained_errors(target), self._written(target, content) as temporary:
            temporary.replace(target)
            flush_to_disk(target.parent)

    def read(self, name: str) -> bytes | None:
        """Read a file; None where there is none."""
        path = self.location / name
        try:
            if stat.S_ISREG(path.stat().st_mode):  # reading a pipe would never end
                return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            if not path.is_symlink():
                return None
        raise ReadError(f"{path}: is not a file: move it elsewhere, and start the same command again")

    def state(self, name: str) -> FileState | None:
        """Ask for size and version of a file; None where there is none."""
        try:
            found = (self.location / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileState(found.st_size, str(found.st_mtime_ns))

    def download(self, name: str, target: Path) -> FileState | None:
        """Copy a file to a new one of this machine; None where there is none.

        Parameters
        ----------
        name
            The file.
        target
            Where to write; an existing file is replaced. It is removed if reading fails.
        """
        state = self.state(name)
        if state is not None:
            with explained_errors(target):
                try:
                    shutil.copyfile(self.location / name, target)
                except BaseException:
                    target.unlink(missing_ok=True)
                    raise
        return state

    def upload(self, name: str, source: Path) -> FileState:
        """Write a file from another one, in place of one of this name.

        Parameters
        ----------
        name
            The file to write.
        source
            The file to copy.
        """
        target = self.location / name
        temporary = temporary_beside(target)
        with explained_errors(target):
            try:
                shutil.copyfile(source, temporary)
                flush_to_disk(temporary)
                temporary.replace(target)
                flush_to_disk(target.parent)
            finally:
                temporary.unlink(missing_ok=True)
        return FileState(target.stat().st_size, str(target.stat().st_mtime_ns))

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield name and bytes of each file whose name begins with `prefix`, temporary ones left out."""
        folder, _, start = prefix.rpartition("/")
        with suppress(FileNotFoundError), os.scandir(self.location / folder) as entries:
            for entry in entries:
                if entry.name.startswith(start) and not is_temporary(entry.name):
                    with suppress(FileNotFoundError):  # removed by another process meanwhile
                        yield f"{folder}/{entry.name}".lstrip("/"), entry.stat().st_size

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        path = self.location / name
        try:
            path.unlink(missing_ok=True)
        except (IsADirectoryError, PermissionError):  # a folder; macOS and Windows call it a lack of permission
            if not path.is_dir():
                raise

    def remove_all(self, prefix: str = "") -> None:
        """Remove the files whose name begins with `prefix`; without one, the folder with everything in it."""
        if prefix:
            for name, _ in list(self.sizes(prefix)):
                self.remove(name)
            return
        remove_left(self.location.parent, self.location.name)
        # Under another name first, so that a process that still writes into it cannot keep it from being emptied.
        renamed = temporary_beside(self.location)
        with suppress(FileNotFoundError):
            self.location.rename(renamed)
        shutil.rmtree(renamed, ignore_errors=True)

    @contextmanager
    def _written(self, target: Path, content: bytes) -> Iterator[Path]:
        """Write content under a temporary name, which is gone after the block."""
        temporary = temporary_beside(target)
        try:
            temporary.write_bytes(content)
            # Before it gets its name: otherwise a loss of power may leave the name with an empty file.
            flush_to_disk(temporary)
            yield temporary
        finally:
            with suppress(OSError):  # renamed, or on a disk that has become read-only
                temporary.unlink()


def _link(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        # Mostly a file system without hard links, which all say so in their own ways; other errors come again here.
        # The empty file claims the name, so that only one writer puts its content there.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        temporary.replace(target)


def _wait_for_claim(target: Path) -> None:
    """Wait until another writer has filled a name that it claimed; an empty file that stays is of a killed process."""
    end = time.monotonic() + _SECONDS_OF_A_CLAIM
    while time.monotonic() < end:
        try:
            if target.stat().st_size:
                return
        except FileNotFoundError:
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
