"""The unfinished run: rows are kept in parts that are published whole, and consolidated when all are present."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import h5py

from cellfeat.errors import DiskFullError, FeatureFileError, FingerprintError, WriteError
from cellfeat.extraction.store.format import (
    HDF5_OVERHEAD,
    ROW_DATASETS,
    TABLE_BYTES,
    Rows,
    joined,
    parts_folder,
    read_failures,
    write_failures,
    write_text_attribute,
)
from cellfeat.extraction.store.header import RECORD, RunHeader, publish_header, refuse_earlier_format, unfinished_run
from cellfeat.extraction.store.merge import Carried
from cellfeat.extraction.store.opening import HDF5_FAULTS, Layout, check_failures
from cellfeat.extraction.store.sample_table import SampleTable
from cellfeat.extraction.store.unreadable import system_refusal
from cellfeat.extraction.store.writing import Content, new_hdf5, write_features
from cellfeat.provenance import differences, digest_json, explained_errors, flush_to_disk, link_target, publish


class PartStore:
    """The unfinished run beside `output`: knows which rows are finished, keeps new ones, and consolidates.

    Use it inside `held_output`, so that no other process writes there.

    Parameters
    ----------
    output
        The feature file to write.
    header
        The run.
    carried
        Rows of the finished file at `output` that stay; the run extracts the others. None: it extracts all rows.

    Raises
    ------
    FingerprintError
        If another run is unfinished at `output`; the message lists the differences.
    DiskFullError
        If the disk has no room for the rest of the run.
    WriteError
        If nothing can be written there.
    """

    def __init__(self, output: Path, header: RunHeader, carried: Carried | None = None) -> None:
        self.output = output
        self.header = header
        self._carried = carried
        self._n_rows = header.n_samples if carried is None else len(carried.source)
        self._samples = header.samples if carried is None else carried.samples
        self.folder = parts_folder(output)
        self._digest = header.digest()
        with self._with_need(), explained_errors(output):
            self._adopt_or_begin()
        # At the start, rather than after hours of work.
        self._check_room(self._bytes_to_come())

    def write(self, rows: Rows) -> None:
        """Publish one part.

        Raises
        ------
        DiskFullError
            If there is no room; the parts that were written stay.
        WriteError
            If the run's folder was removed, or can no longer be written to.
        """
        self._publish(self._path(rows.start), rows)
        # Only now: until the whole part is published, its first rows are all that a killed run leaves.
        self._begun_path(rows.start).unlink(missing_ok=True)

    def write_begun(self, rows: Rows) -> None:
        """Publish the first rows of a part whose other rows are missing yet.

        Raises
        ------
        DiskFullError
            If there is no room; the parts that were written stay.
        WriteError
            If the run's folder was removed, or can no longer be written to.
        """
        self._publish(self._begun_path(rows.start), rows)

    def _publish(self, path: Path, rows: Rows) -> None:
        # `publish` makes a missing folder, so a removed one would not be noticed by itself.
        self._check_stands()
        self._check_room(HDF5_OVERHEAD + rows.nbytes)
        with self._with_need(), publish(path) as temporary, new_hdf5(temporary) as (file, _):
            file.attrs["start"] = rows.start
            write_text_attribute(file, "run", self._digest)
            write_text_attribute(file, "checksum", _part_checksum(rows))
            for name, array in zip(ROW_DATASETS, rows.arrays(), strict=True):
                file[name] = array
            write_failures(file, rows.failures)

    def consolidate(self, table: SampleTable, provenance: Mapping[str, Any]) -> int:
        """Copy all parts into the feature file, publish it, then remove the parts; returns the number of failures.

        Parameters
        ----------
        table
            The ids, labels, groups and further columns of all samples.
        provenance
            How the file was made: settings, versions, device, times.

        Raises
        ------
        FeatureFileError
            If a part is missing or damaged: run the extraction again.
        DiskFullError
            If there is no room for the file; all parts stay.
        WriteError
            If the run's folder was removed, or the file cannot be written there.
        """
        self._check_stands()
        self._check_room(self._bytes_to_come())
        content = Content(self._rows(), table, self.header.recipe, self._samples, provenance)
        with self._with_need():
            n_failed = write_features(self.output, self._n_rows, self.header.row_shape, content)
        with explained_errors(self.folder):
            remove_parts(self.output)
        return n_failed

    def _adopt_or_begin(self) -> None:
        earlier = unfinished_run(self.output)
        if earlier is not None and earlier != self.header and has_parts(self.output):
            differing = differences(earlier.identity(), self.header.identity())
            raise FingerprintError(
                f"{self.folder}: holds an unfinished run with other settings or samples "
                f"({'; '.join(differing)}). Repeat the settings it was started with to finish it, or choose another "
                f"--output"
            )
        refuse_earlier_format(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Left by a run that was killed while it wrote; whoever holds the lock is the only one that writes here.
        for orphan in self.folder.glob(".*.tmp"):
            orphan.unlink()
        target = link_target(self.output)
        for orphan in target.parent.glob(f".{escape(target.name)}.*.tmp"):
            orphan.unlink()
        if earlier != self.header:
            publish_header(self.folder, self.header)
            # `publish` flushes the entries of the folder, not the entry of the new folder in its parent.
            flush_to_disk(self.folder.parent)

    def _check_stands(self) -> None:
        """Refuse to continue in a folder that was removed: the file would lack its first parts."""
        if not (self.folder / RECORD).exists():
            raise WriteError(
                f"{self.folder}: was removed while the extraction was running, with the parts that were finished: put "
                f"it back, or start from the beginning; either way, start the same command again"
            )

    @contextmanager
    def _with_need(self) -> Iterator[None]:
        """Add to the error how much room is needed: how much a quota leaves shows only when it is used up."""
        try:
            yield
        except DiskFullError as error:
            raise DiskFullError(
                f"{error}. About {_megabytes(self._bytes_to_come())} are still needed for {self.output}; what is "
                f"finished is kept"
            ) from error

    def _check_room(self, n_bytes: int) -> None:
        """Refuse to begin what the disk cannot hold: HDF5 would notice half way, and print tracebacks."""
        disk = shutil.disk_usage(self.folder)
        if disk.total and disk.free < n_bytes:  # some network disks report 0
            raise DiskFullError(
                f"{self.output}: the disk is full: about {_megabytes(self._bytes_to_come())} are still needed there, "
                f"and {_megabytes(disk.free)} are free. What is finished is kept: make room, or start with another "
                f"--output"
            )

    def _bytes_to_come(self) -> int:
        """Estimate the room for the missing parts and for the file that all parts are copied into.

        Both are needed: parts are removed only when the file is whole and published.
        """
        header = self.header
        of_row = header.row_shape.row_bytes
        finished = [part.stat().st_size for part in self.folder.glob("rows-*.h5")]
        # The missing parts, and the feature file.
        n_files = len(header.part_rows()) - len(finished) + 1
        to_copy = self._n_rows * (of_row + TABLE_BYTES) + n_files * HDF5_OVERHEAD
        # Finished parts hold more than their rows, and may exceed the estimate of all rows.
        return to_copy + max(header.n_samples * of_row - sum(finished), 0)

    def _rows(self) -> Iterator[Rows]:
        """Yield all rows of the new feature file, in order."""
        if self._carried is None:
            return map(self._read_whole, self.header.part_rows())
        return self._carried.woven(self._read_across, self.header.part_size)

    def _path(self, start: int) -> Path:
        return self.folder / f"rows-{start:09d}.h5"

    def _begun_path(self, start: int) -> Path:
        return self.folder / f"begun-{start:09d}.h5"

    def read(self, rows: range) -> Rows | None:
        """Read one part; None where it is missing or damaged. A damaged part is removed."""
        path = self._path(rows.start)
        if not path.exists():
            return None
        part = _read_part(path, rows, self.header, self._digest)
        if part is None:
            path.unlink()
        return part

    def read_begun(self, part: range) -> Rows | None:
        """Read the first rows of a part; None where they are missing or damaged."""
        path = self._begun_path(part.start)
        # Only the file itself says how many rows it holds; `_read_part` checks the claim with the rest.
        return _read_part(path, part[: _n_rows(path)], self.header, self._digest)

    def _read_whole(self, rows: range) -> Rows:
        part = self.read(rows)
        if part is None:
            raise FeatureFileError(f"{self._path(rows.start)}: missing or damaged; run the same extraction again")
        return part

    def _read_across(self, rows: range) -> Rows:
        """Read rows that may lie in several parts."""
        size = self.header.part_size
        parts = self.header.part_rows()[rows.start // size : (rows.stop - 1) // size + 1]
        return joined(
            [
                self._read_whole(part).cut(range(max(part.start, rows.start), min(part.stop, rows.stop)))
                for part in parts
            ]
        )


def remove_parts(output: Path) -> None:
    """Remove the parts of a run whose file is finished; the next call completes a removal that was killed."""
    folder = parts_folder(output)
    # run.json is removed last: while it is there, the rest cannot be mistaken for somebody else's folder.
    for part in folder.glob("rows-*.h5"):
        part.unlink()
    if (folder / RECORD).exists():
        shutil.rmtree(folder)


def has_parts(output: Path) -> bool:
    """Whether an unfinished run of `output` has finished parts, damaged or not."""
    return any(parts_folder(output).glob("rows-*.h5"))


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def _part_checksum(rows: Rows) -> str:
    return digest_json([rows.checksum(), sorted(rows.failures.items())])


@contextmanager
def _damage_ignored(path: Path) -> Iterator[None]:
    """End the block where a part is missing or damaged.

    Raises
    ------
    ReadError
        If the system does not let it be read: a part that is locked, say, is not damaged, and must not be removed.
    """
    try:
        yield
    except FileNotFoundError:
        return
    except (*HDF5_FAULTS, MemoryError) as error:
        refused = system_refusal(path, error)
        if refused is not None:
            raise refused from error


def _read_part(path: Path, rows: range, header: RunHeader, run: str) -> Rows | None:
    """Read a part; None where it is damaged or belongs to another run."""
    with _damage_ignored(path), h5py.File(path, "r") as file:
        layout = Layout(path, file)
        # A file of another run may be intact, but its rows belong to another recipe or other samples.
        if layout.text_attribute("run") != run or layout.number_attribute("start") != rows.start:
            return None
        datasets = _row_datasets(layout, len(rows), header)
        check_failures(layout)
        part = Rows.from_arrays(rows.start, (dataset[:] for dataset in datasets), read_failures(file))
        return part if _part_checksum(part) == layout.text_attribute("checksum") else None
    return None


def _row_datasets(layout: Layout, n_rows: int, header: RunHeader) -> list[h5py.Dataset]:
    """Find the datasets of `ROW_DATASETS`, in this order."""
    wanted = header.row_shape.datasets(n_rows)
    return [layout.dataset(name, dtype, shape) for name, (shape, dtype) in wanted.items()]


def _n_rows(path: Path) -> int:
    """Count the rows that a part claims; 0 where it cannot be read."""
    with _damage_ignored(path), h5py.File(path, "r") as file:
        return int(file["embeddings"].shape[0])
    return 0
