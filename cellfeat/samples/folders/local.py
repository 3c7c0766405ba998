"""A folder of images on a disk."""

import errno
import os
import posixpath
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cellfeat.errors import ManifestError
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr, is_zarr_name


@dataclass(frozen=True)
class LocalFolder:
    """An `ImageFolder` of this machine, which is listed anew at each call.

    Attributes
    ----------
    location
        The folder.
    """

    location: Path

    def exists(self) -> bool:
        """Whether there is such a folder."""
        return self.location.is_dir()

    def names(self) -> set[str]:
        """The names of all files in it and below it; see `scan`."""
        return scan(self.location)

    def names_beside(self, names: Collection[str]) -> set[str]:
        """The names of all files in the folders that `names` lie in; each folder is listed once."""
        folders = {posixpath.dirname(name) for name in names}
        return {posixpath.join(folder, name) for folder in folders for name in _file_names(self.location / folder)}

    def folders(self, depth: int) -> set[str]:
        """The visible folders that lie `depth` folders deep."""
        paths = self.location.glob("/".join(["[!.]*"] * depth))
        return {path.relative_to(self.location).as_posix() for path in paths if path.is_dir()}

    def starts(self, names: Collection[str], n_bytes: int) -> dict[str, bytes]:
        """The first bytes of files; no bytes where a file cannot be read.

        Parameters
        ----------
        names
            Names of the files.
        n_bytes
            How many bytes.
        """
        return {name: _start(self.location / name, n_bytes) for name in names}


def scan(root: Path) -> set[str]:
    """The paths of all files below `root`; links are followed, hidden files and folders are ignored.

    A folder of Zarr (``*.zarr``) is an image, so its name is listed, and what is in it is not.

    A folder that can be reached by several paths is listed once: under its own name if it is inside `root`, and
    otherwise under the first link to it.

    Raises
    ------
    ManifestError
        If a folder cannot be listed.
    """
    names: set[str] = set()
    seen: set[str] = set()
    tops = [str(root)]
    while tops:
        # Links are followed last, so that a folder inside root is listed under its own name.
        links: list[str] = []
        for folder, files in _folders(tops, seen, links):
            relative = Path(folder).relative_to(root).as_posix()
            prefix = "" if relative == "." else f"{relative}/"
            names.update(prefix + name for name in files if not name.startswith("."))
        tops = sorted(links)
    return names


def _folders(tops: list[str], seen: set[str], links: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Folders that are not in `seen` yet, with their files; links to folders are added to `links`."""
    for top in tops:
        for folder, subfolders, files in os.walk(top, onerror=_refuse_listing):
            real = os.path.realpath(folder)
            if real in seen:
                # `os.walk` descends into whatever is left in this list.
                subfolders.clear()
                continue
            seen.add(real)
            files = [*files, *filter(is_zarr_name, subfolders)]
            subfolders[:] = [name for name in subfolders if not (name.startswith(".") or is_zarr_name(name))]
            links.extend(str(path) for name in subfolders if (path := Path(folder, name)).is_symlink())
            yield folder, files


def _refuse_listing(error: OSError) -> None:
    raise _cannot_list(error)


def _cannot_list(error: OSError) -> ManifestError:
    advice = "repair the link" if error.errno == errno.ELOOP else "ask for access to it"
    return ManifestError(f"{error.filename}: the folder cannot be listed: {error.strerror}; {advice}")


def _file_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if _may_be_file(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _cannot_list(error) from None


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether a name is a file, a folder that is an image, or a link to itself: reading that names the sample."""
    try:
        return entry.is_file() or (entry.is_dir() and is_zarr(Path(entry.path)))
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return True


def _start(path: Path, n_bytes: int) -> bytes:
    try:
        # Opening a pipe would wait for somebody to write into it.
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(n_bytes)
    except OSError:
        return b""
