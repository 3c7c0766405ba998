"""The layout of a table: file names stand in the labels table."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.layouts.base import Found


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
