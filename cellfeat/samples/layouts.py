"""How file names and samples correspond: by class folders or by a table; `pattern_layout` has patterns."""

import errno
import os
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from cellfeat.errors import ManifestError
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr, is_zarr_name
from cellfeat.samples.splits import part_of

# An absolute path, a drive of Windows, or ``..`` as a whole part of the path.
_OUTSIDE = re.compile(r"^/|^[A-Za-z]:/|(^|/)\.\.(/|$)")


class Found(NamedTuple):
    """What a file name says of its sample.

    Attributes
    ----------
    sample_id, label, split
        Sample id, label and part of a split; ``""`` where the name has none.
    further
        Further columns with their values, such as ``("plate", "P1")``.
    """

    sample_id: str
    label: str
    split: str = ""
    further: tuple[tuple[str, str], ...] = ()


class Layout(Protocol):
    """Correspondence of samples and file names; a name is a path below the root, with ``/`` between folders."""

    @property
    def file_columns(self) -> tuple[str, ...]:
        """The manifest's columns of file names: ``file``, or ``file_<channel>`` for each channel."""
        ...

    def sample_id(self, text: str) -> str | None:
        """The sample id in a cell of the labels table; None if the cell is not a valid id."""
        ...

    def names(self, sample: Found) -> tuple[str, ...]:
        """The file names of a sample, one for each of `file_columns`."""
        ...

    def find(self, name: str) -> Found | None:
        """The sample that a file belongs to; None if it belongs to none."""
        ...

    def on_disk(self, root: Path) -> set[str]:
        """The names of the existing files."""
        ...


@dataclass(frozen=True)
class FoldersLayout:
    """One folder per class, with one file per sample anywhere in it; a sample's id is the file's path below the root.

    Attributes
    ----------
    file_columns
        The manifest's one column of file names.
    keeps_unlabelled
        Whether an image outside of all folders is a sample without a label; otherwise it belongs to no sample.
    """

    file_columns: tuple[str, ...] = ("file",)
    keeps_unlabelled: bool = False

    def sample_id(self, text: str) -> str | None:
        """The file's path below the root, with ``/`` between folders."""
        return text.replace("\\", "/")

    def names(self, sample: Found) -> tuple[str, ...]:
        """The id, which is the file's path below the root."""
        return (sample.sample_id,)

    def find(self, name: str) -> Found | None:
        """The sample of this image; its class is the name of the first folder."""
        folder, slash, _ = name.partition("/")
        if not (slash or self.keeps_unlabelled):
            return None
        return Found(name, folder if slash else "")

    def folders_without(self, root: Path, names: Collection[str]) -> list[str]:
        """Find the class folders that contain none of some files.

        Parameters
        ----------
        root
            The folder of images.
        names
            Paths below the root.
        """
        full = {posixpath.join(*name.split("/")[: self._depth]) for name in names if name.count("/") >= self._depth}
        return sorted(set(_folders_at(root, self._depth)) - full)

    @property
    def _depth(self) -> int:
        """How many folders deep the class folders lie."""
        return 1

    def on_disk(self, root: Path) -> set[str]:
        """The paths of all files below the root."""
        return scan(root)


@dataclass(frozen=True)
class SplitFoldersLayout(FoldersLayout):
    """Folders for the parts of a split with class folders inside, as ``train/A``, or the other way round."""

    def find(self, name: str) -> Found | None:
        """The sample of this file; the first two folders are its part and its class."""
        first, slash, rest = name.partition("/")
        if not slash:
            return super().find(name)
        inside = super().find(rest)
        if inside is None:
            return None
        if not part_of(first) and part_of(inside.label):
            return Found(name, first, inside.label)
        return Found(name, inside.label, first)

    @property
    def _depth(self) -> int:
        return 2


@dataclass(frozen=True)
class TableLayout:
    """File names listed in the labels table.

    Attributes
    ----------
    file_columns
        The manifest's columns of file names.
    files
        The file names of each sample, by sample id.
    """

    file_columns: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]

    def sample_id(self, text: str) -> str | None:
        """The cell itself."""
        return text

    def names(self, sample: Found) -> tuple[str, ...]:
        """The file names in the table."""
        return self.files[sample.sample_id]

    def find(self, name: str) -> Found | None:  # noqa: ARG002, required by the protocol
        """None: files that are not in the table belong to no sample."""
        return None

    def on_disk(self, root: Path) -> set[str]:
        """The files in the folders that the table mentions; each folder is listed once."""
        folders = {posixpath.dirname(name) for names in self.files.values() for name in names}
        return {posixpath.join(folder, name) for folder in folders for name in _file_names(root / folder)}


def table_file_name(cell: str) -> str:
    """Normalise a file name from a table: ``/`` between folders, without ``.`` and needless ``..``."""
    return posixpath.normpath(cell.replace("\\", "/")) if cell else ""


def leads_outside(name: str) -> bool:
    """Whether a relative name leads out of its folder, judged by its text alone.

    Names come from tables that somebody else may have written, so they are not trusted. Symbolic links are trusted and
    followed: the owner of the folder made them, often because the images are stored elsewhere. Since only the text
    counts, ``link/../a.png`` is ``a.png`` beside the link, wherever the link leads.
    """
    return _OUTSIDE.search(name) is not None


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


def _folders_at(root: Path, depth: int) -> list[str]:
    """The paths of the visible folders that lie `depth` folders deep."""
    paths = root.glob("/".join(["[!.]*"] * depth))
    return [path.relative_to(root).as_posix() for path in paths if path.is_dir()]


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
