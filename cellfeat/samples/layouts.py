"""How file names and samples correspond: by class folders or by a table; `pattern_layout` has patterns."""

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cellfeat.samples.folders.base import ImageFolder
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

    def on_disk(self, folder: ImageFolder) -> set[str]:
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

    def folders_without(self, folder: ImageFolder, names: Collection[str]) -> list[str]:
        """Find the class folders that contain none of some files.

        Parameters
        ----------
        folder
            The folder of images.
        names
            Paths below the root.
        """
        full = {posixpath.join(*name.split("/")[: self._depth]) for name in names if name.count("/") >= self._depth}
        return sorted(folder.folders(self._depth) - full)

    @property
    def _depth(self) -> int:
        """How many folders deep the class folders lie."""
        return 1

    def on_disk(self, folder: ImageFolder) -> set[str]:
        """The paths of all files below the root."""
        return folder.names()


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

    def on_disk(self, folder: ImageFolder) -> set[str]:
        """The files in the folders that the table mentions."""
        return folder.names_beside({name for names in self.files.values() for name in names})


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
