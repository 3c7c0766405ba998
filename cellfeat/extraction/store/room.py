"""Whether the disk has room for the rest of a run."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cellfeat.errors import DiskFullError
from cellfeat.extraction.store.format import HDF5_OVERHEAD, TABLE_BYTES
from cellfeat.extraction.store.header import RunHeader
from cellfeat.extraction.store.part_file import PARTS
from cellfeat.storage.base import Storage
from cellfeat.storage.url import Location


@dataclass(frozen=True)
class Room:
    """The room that a run needs.

    Attributes
    ----------
    output
        The feature file to write.
    storage
        Where its parts lie.
    header
        The run.
    n_rows
        Rows of the feature file; in an update more than those of the run.
    """

    output: Location
    storage: Storage
    header: RunHeader
    n_rows: int

    def check(self, n_bytes: int) -> None:
        """Refuse to begin what the disk cannot hold.

        Raises
        ------
        DiskFullError
            If fewer than `n_bytes` are free; the message says how many are needed until the end.
        """
        location = self.storage.location
        if not isinstance(location, Path):  # an object store has no end
            return
        try:
            disk = shutil.disk_usage(location)
        except FileNotFoundError:  # removed meanwhile: writing says so
            return
        if disk.total and disk.free < n_bytes:  # some network disks report 0
            raise DiskFullError(
                f"{self.output}: the disk is full: about {_megabytes(self.bytes_to_come())} are still needed there, "
                f"and {_megabytes(disk.free)} are free. What is finished is kept: make room, or start with another "
                f"--output"
            )

    def check_rest(self) -> None:
        """Refuse to begin what the disk cannot hold to the end of the run: raises as `check`."""
        if isinstance(self.storage.location, Path):  # listing the parts of an object store costs requests
            self.check(self.bytes_to_come())

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Add to the error how much room is needed: how much a quota leaves shows only when it is used up."""
        try:
            yield
        except DiskFullError as error:
            raise DiskFullError(
                f"{error}. About {_megabytes(self.bytes_to_come())} are still needed for {self.output}; what is "
                f"finished is kept"
            ) from error

    def bytes_to_come(self) -> int:
        """Estimate the room for the missing parts and for the file that all parts are copied into.

        Both are needed: parts are removed only when the file is whole and published.
        """
        of_row = self.header.row_shape.row_bytes
        finished = [size for _, size in self.storage.sizes(PARTS)]
        # The missing parts, and the feature file.
        n_files = len(self.header.part_rows()) - len(finished) + 1
        to_copy = self.n_rows * (of_row + TABLE_BYTES) + n_files * HDF5_OVERHEAD
        # Finished parts hold more than their rows, and may exceed the estimate of all rows.
        return to_copy + max(self.header.n_samples * of_row - sum(finished), 0)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
