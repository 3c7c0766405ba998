"""Layouts of class folders: the class of an image is the folder that it lies in."""

import posixpath
from collections.abc import Collection
from dataclasses import dataclass

from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.splits import part_of


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
