"""What a folder of immutable files offers, on a disk as on an object store."""

from collections.abc import Iterator
from typing import Protocol

from cellfeat.storage.url import Location


class Storage(Protocol):
    """A folder, or the objects under a prefix. A file appears whole or not at all.

    Names are relative and may hold ``/``. Errors of the system become `WriteError` (`DiskFullError`) and `ReadError`,
    which name the file and say what to do next.
    """

    @property
    def location(self) -> Location:
        """Where it is, for messages and for opening it on another machine."""
        ...

    def prepare(self) -> None:
        """Make the folder where it is missing, and remove what killed processes left in it."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of this name: of several writers exactly one gets True.

        Parameters
        ----------
        name, content
            The file's name and bytes.
        """
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of this name.

        Parameters
        ----------
        name, content
            The file's name and bytes.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """Read a file; None where there is none."""
        ...

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield name and bytes of each file whose name begins with `prefix`, in any order."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def remove_all(self) -> None:
        """Remove the folder with everything in it."""
        ...
