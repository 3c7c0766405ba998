"""What the search for samples asks of the folder of images, on a disk as on an object store."""

from collections.abc import Collection, Mapping
from typing import Protocol

from cellfeat.storage.url import Location


class ImageFolder(Protocol):
    """The folder of images. Names are relative to it, with ``/`` between folders."""

    @property
    def location(self) -> Location:
        """Where it is."""
        ...

    def exists(self) -> bool:
        """Whether there is such a folder."""
        ...

    def names(self) -> set[str]:
        """The names of all files in it and below it, hidden ones left out; a folder of Zarr is one file."""
        ...

    def names_beside(self, names: Collection[str]) -> set[str]:
        """The names of all files in the folders that `names` lie in, hidden ones included."""
        ...

    def folders(self, depth: int) -> set[str]:
        """The visible folders that lie `depth` folders deep."""
        ...

    def starts(self, names: Collection[str], n_bytes: int) -> Mapping[str, bytes]:
        """The first bytes of files; no bytes where a file cannot be read."""
        ...
