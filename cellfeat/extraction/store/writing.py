"""Write a feature file range by range into a temporary file, and publish it whole."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import h5py

from cellfeat.extraction.store.format import (
    FORMAT,
    Rows,
    RowShape,
    checksum_table,
    table_checksum,
    write_failures,
    write_json,
    write_text_attribute,
)
from cellfeat.extraction.store.sample_table import SampleTable, write_table
from cellfeat.provenance import digest_json
from cellfeat.storage.publishing import publish_at
from cellfeat.storage.url import Location


@dataclass(frozen=True)
class Content:
    """The content of a feature file.

    Attributes
    ----------
    rows
        All rows in order; each range of them gets a checksum.
    table
        Their ids, labels, groups and further columns.
    recipe
        Everything that can change an embedding.
    samples
        Digest of the manifest's ids and file names.
    provenance
        How the file was made: settings, versions, device, times.
    """

    rows: Iterable[Rows]
    table: SampleTable
    recipe: Mapping[str, Any]
    samples: str
    provenance: Mapping[str, Any]


_ALIGNED: Mapping[str, Any] = {"alignment_threshold": 1 << 16, "alignment_interval": 1 << 12}
"""Large datasets begin at a whole page, so that readers can map them into memory."""


class _DeferredErrors:
    """The file that HDF5 writes to: the first error of the disk is kept, and every later call succeeds without effect.

    HDF5 crashes the process when a write fails while it closes a dataset or a file, as on a full disk.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        # Kept here and not in the raw file: HDF5 goes on seeking after an error, in a file that no longer grows.
        self._position = 0
        self._end = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + (self._end if whence == os.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        content = bytearray(size)
        return bytes(content[: self.readinto(content)])

    def readinto(self, buffer: Any) -> int:
        self._at_position(self._raw.readinto, buffer)  # type: ignore[attr-defined]
        self._position += len(buffer)
        return len(buffer)

    def write(self, content: Any) -> int:
        self._at_position(self._raw.write, content)
        self._position += len(content)
        self._end = max(self._end, self._position)
        return len(content)

    def truncate(self, size: int) -> int:
        self._at_position(self._raw.truncate, size)
        self._end = size
        return size

    def flush(self) -> None:
        self._at_position(self._raw.flush)

    def check(self) -> None:
        """Raise the error that was kept."""
        if self.error is not None:
            raise self.error

    def _at_position(self, task: Callable[..., object], *arguments: Any) -> None:
        if self.error is None:
            try:
                self._raw.seek(self._position)
                task(*arguments)
            except OSError as error:
                self.error = error


class NewFile(NamedTuple):
    """An HDF5 file being written.

    Attributes
    ----------
    hdf5
        The file; an error of the disk is raised when it is closed.
    check
        Raises that error at once.
    """

    hdf5: h5py.File
    check: Callable[[], None]


@contextmanager
def new_hdf5(path: Path, libver: str | None = None) -> Iterator[NewFile]:
    """Create an HDF5 file.

    Parameters
    ----------
    path
        The file.
    libver
        Version of the HDF5 format; None: the oldest one that suffices.

    Raises
    ------
    OSError
        If the disk is full, or cannot be written to.
    """
    with path.open("w+b") as raw:
        deferred = _DeferredErrors(raw)
        try:
            with h5py.File(deferred, "w", libver=libver, **_ALIGNED) as file:
                yield NewFile(file, deferred.check)
        finally:
            # After HDF5 has closed the file, which writes the last of it, and before the caller publishes it.
            deferred.check()


def write_features(output: Location, n_samples: int, shape: RowShape, content: Content) -> int:
    """Write a feature file and publish it, replacing an earlier one; returns the number of failures.

    Parameters
    ----------
    output
        The feature file.
    n_samples, shape
        Number of rows, and the shape of one.
    content
        What to write.
    """
    with publish_at(output) as temporary, new_hdf5(temporary, libver="v110") as (file, check):
        n_failed = _write_rows(file, n_samples, shape, _checked(content.rows, check))
        write_table(file, content.table)
        write_json(file, "recipe", content.recipe)
        write_json(file, "provenance", content.provenance)
        file.attrs["format"] = FORMAT
        write_text_attribute(file, "fingerprint", digest_json(content.recipe))
        write_text_attribute(file, "samples", content.samples)
        # The last step: it covers everything above except the rows.
        write_text_attribute(file, "checksum", table_checksum(file))
        return n_failed


def _checked(ranges: Iterable[Rows], check: Callable[[], None]) -> Iterator[Rows]:
    """Yield ranges of rows, until the disk fails."""
    for rows in ranges:
        check()
        yield rows


def _write_rows(file: h5py.File, n_samples: int, shape: RowShape, ranges: Iterable[Rows]) -> int:
    datasets = _create_row_datasets(file, n_samples, shape)
    failures: dict[int, str] = {}
    checksums = []
    for rows in ranges:
        here = slice(rows.start, rows.start + len(rows))
        for dataset, array in zip(datasets, rows.arrays(), strict=True):
            dataset[here] = array
        failures.update(rows.failures)
        checksums.append((here.start, here.stop, rows.checksum()))
    write_failures(file, failures)
    file["checksums"] = checksum_table(checksums)
    return len(failures)


def _create_row_datasets(file: h5py.File, n_samples: int, shape: RowShape) -> list[h5py.Dataset]:
    """Create the datasets of `ROW_DATASETS`, in this order."""
    # In one piece each, so that a reader can map the embeddings into memory.
    return [file.create_dataset(name, of_all, dtype) for name, (of_all, dtype) in shape.datasets(n_samples).items()]
