"""The unfinished run: rows are kept in parts that are published whole, and consolidated when all are present.

Parts may be made by many processes of many machines, and twice: the first one stays, and each further one is compared
with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellfeat.errors import FeatureFileError, FingerprintError, ImageError, ReadError, WriteError
from cellfeat.extraction.store.format import HDF5_OVERHEAD, Rows, joined, parts_folder
from cellfeat.extraction.store.header import RECORD, RunHeader, header_bytes, read_header, refuse_other_versions
from cellfeat.extraction.store.makers import Makers
from cellfeat.extraction.store.merge import Carried
from cellfeat.extraction.store.part_comparison import check_equal
from cellfeat.extraction.store.part_file import PARTS, Part, parse_part, part_bytes
from cellfeat.extraction.store.part_removal import remove_parts
from cellfeat.extraction.store.room import Room
from cellfeat.extraction.store.sample_table import SampleTable
from cellfeat.extraction.store.unreadable import system_refusal
from cellfeat.extraction.store.writing import Content, write_features
from cellfeat.provenance import differences, explained_errors, make_parent, remove_left
from cellfeat.storage.base import Storage
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location

_BEGUN = "begun-"
_TRIES = 5


class PartStore:
    """The unfinished run beside `output`: knows which rows are finished, keeps new ones, and consolidates.

    Parameters
    ----------
    output
        The feature file to write.
    header
        The run.
    carried
        Rows of the finished file at `output` that stay; the run extracts the others. None: it extracts all rows.
    made_by
        This machine, as every part that is written here records it.

    Raises
    ------
    FingerprintError
        If another run is unfinished at `output`; the message lists the differences.
    DiskFullError
        If the disk has no room for the rest of the run.
    WriteError
        If nothing can be written there.
    """

    def __init__(
        self,
        output: Location,
        header: RunHeader,
        carried: Carried | None = None,
        made_by: Mapping[str, Any] | None = None,
    ) -> None:
        self.output = output
        self.folder = parts_folder(output)
        self.storage: Storage = open_storage(self.folder)
        self._carried = carried
        self.made_by = made_by or {}
        self._n_rows = header.n_samples if carried is None else len(carried.source)
        self._samples = header.samples if carried is None else carried.samples
        self.header = header
        self._digest = header.digest()
        self._room = Room(output, self.storage, header, self._n_rows)
        with self._room.needed(), _explained(output):
            self.header = self._adopt_or_begin()
        # At the start, rather than after hours of work.
        self._room.check_rest()

    def bytes_to_come(self) -> int:
        """Estimate the room for the missing parts and for the feature file."""
        return self._room.bytes_to_come()

    def write(self, rows: Rows) -> bool:
        """Publish one part, unless it is there already; then compare it with the one that is there.

        Returns
        -------
        bool
            Whether it was there already.

        Raises
        ------
        BitsError
            If another machine has made the same part with other numbers.
        ImageError
            If the images of the two differ.
        DiskFullError
            If there is no room; the parts that were written stay.
        WriteError
            If the run's folder was removed, or can no longer be written to.
        """
        was_there = not self._create(rows)
        # Only now: until the whole part is published, its first rows are all that a killed run leaves.
        self.storage.remove(_name(_BEGUN, rows.start))
        return was_there

    def _create(self, rows: Rows) -> bool:
        mine, part, name = Part(rows, self.made_by), _range_of(rows), _name(PARTS, rows.start)
        content = part_bytes(mine, self._digest)
        for _ in range(_TRIES):
            # A folder that was removed would leave the file without its first parts.
            self._check_stands()
            self._room.check(HDF5_OVERHEAD + rows.nbytes)
            with self._room.needed():
                if self.storage.create(name, content):
                    return True
            there = self._content(name)
            if there is None:  # another process has removed it meanwhile
                continue
            other = self._parsed_part(name, there, part)
            if other is not None:
                check_equal(mine, other, self.header)
                return False
            # Damaged. It is never removed before: the whole part of another process could lie there by then.
            with self._room.needed():
                self.storage.replace(name, content)
            return True
        raise WriteError(f"{self.folder / name}: cannot be written: another process removes it again and again")

    def write_begun(self, rows: Rows) -> None:
        """Publish the first rows of a part whose other rows are missing yet.

        Raises
        ------
        DiskFullError
            If there is no room; the parts that were written stay.
        WriteError
            If the run's folder was removed, or can no longer be written to.
        """
        content = part_bytes(Part(rows, self.made_by), self._digest)
        self._check_stands()
        self._room.check(HDF5_OVERHEAD + rows.nbytes)
        with self._room.needed():
            self.storage.replace(_name(_BEGUN, rows.start), content)

    def consolidate(self, table: SampleTable, provenance: Mapping[str, Any]) -> int:
        """Copy all parts into the feature file, publish it, then remove the parts; returns the number of failures.

        Parameters
        ----------
        table
            The ids, labels, groups and further columns of all samples.
        provenance
            How the file was made: settings, versions, device, times. The machines that made its rows are added.

        Raises
        ------
        FeatureFileError
            If a part is missing or damaged: run the extraction again.
        ImageError
            If no sample could be read.
        DiskFullError
            If there is no room for the file; all parts stay.
        WriteError
            If the run's folder was removed, or the file cannot be written there.
        """
        self._check_stands()
        self._room.check_rest()
        makers = Makers()
        record = {**provenance, "machines": makers.machines}  # which are known, like the rows, while they are read
        content = Content(self._readable(makers), table, self.header.recipe, self._samples, record)
        with self._room.needed():
            n_failed = write_features(self.output, self._n_rows, self.header.row_shape, content)
        with _explained(self.output):
            remove_parts(self.output)
        return n_failed

    def missing_parts(self) -> list[range]:
        """List the rows of each part that is not there or empty; parts that are damaged count as there."""
        listed = {name for name, size in self.storage.sizes(PARTS) if size}
        return [part for part in self.header.part_rows() if not self._is_there(_name(PARTS, part.start), listed)]

    def _is_there(self, name: str, listed: set[str]) -> bool:
        # An object store may list a file late, so one that is not listed is asked for.
        return name in listed or bool(self.storage.read(name))

    def read(self, rows: range) -> Rows | None:
        """Read the rows of one part; None where it is missing or damaged."""
        part = self.read_part(rows)
        return None if part is None else part.rows

    def read_part(self, rows: range) -> Part | None:
        """Read one part with who made it; None where it is missing or damaged."""
        name = _name(PARTS, rows.start)
        content = self._content(name)
        return None if content is None else self._parsed_part(name, content, rows)

    def read_begun(self, part: range) -> Rows | None:
        """Read the first rows of a part; None where they are missing or damaged, or made by an unproven machine."""
        name = _name(_BEGUN, part.start)
        content = self._content(name)
        begun = None if content is None else self._parsed(name, content)
        if begun is None or _range_of(begun.rows) != part[: len(begun.rows)] or not self._computes_alike(begun):
            return None
        return begun.rows

    def _computes_alike(self, begun: Part) -> bool:
        """Whether the rest of a part may be added here: its bits shall be those of one machine."""
        # With a canary each process has proven its bits before it wrote anything.
        is_proven = self.header.plan.get("canary") is not None
        return begun.host == self.made_by.get("host") if is_proven else begun.made_by == self.made_by

    def discard(self, part: range) -> None:
        """Remove a part whose images have changed since it was made."""
        self.storage.remove(_name(PARTS, part.start))

    def replace_plan(self, plan: Mapping[str, Any]) -> None:
        """Write another plan of the same run."""
        self.header = replace(self.header, plan=plan)
        self.storage.replace(RECORD, header_bytes(self.header))

    def _content(self, name: str) -> bytes | None:
        try:
            return self.storage.read(name)
        except ReadError:
            raise
        except OSError as error:
            # What the system does not let be read is not damaged, and must not be removed.
            raise system_refusal(self.folder / name, error) or error from error

    def _parsed(self, name: str, content: bytes) -> Part | None:
        return parse_part(content, self.folder / name, self.header.row_shape, self._digest)

    def _parsed_part(self, name: str, content: bytes, rows: range) -> Part | None:
        part = self._parsed(name, content)
        return part if part is not None and _range_of(part.rows) == rows else None

    def _adopt_or_begin(self) -> RunHeader:
        """Begin the run, or continue one that is there, whose notes and plan are kept."""
        refuse_other_versions(self.storage)
        earlier = read_header(self.storage)
        if earlier is not None and earlier != self.header and any(self.storage.sizes(PARTS)):
            raise self._other_run(earlier)
        # Refuses a link to a disk that is not mounted.
        target = make_parent(self.output) if isinstance(self.output, Path) else None
        self.storage.prepare()
        if target is not None:
            remove_left(target.parent, target.name)
        return earlier if earlier == self.header and earlier is not None else self._begin(earlier)

    def _begin(self, earlier: RunHeader | None) -> RunHeader:
        """Write the header, in place of an earlier one that has no parts, unless another process has just begun."""
        content = header_bytes(self.header)
        if self.storage.create(RECORD, content):
            return self.header
        there = read_header(self.storage)
        if there == self.header and there is not None:
            return there
        if there is not None and there != earlier:
            raise self._other_run(there)
        self.storage.replace(RECORD, content)
        return self.header

    def _other_run(self, there: RunHeader) -> FingerprintError:
        differing = differences(there.identity(), self.header.identity())
        return FingerprintError(
            f"{self.folder}: holds an unfinished run with other settings or samples ({'; '.join(differing)}). Repeat "
            f"the settings it was started with to finish it, or choose another --output"
        )

    def _check_stands(self) -> None:
        """Refuse to continue in a folder that was removed: the file would lack its first parts."""
        there = read_header(self.storage)
        if there is not None and there != self.header:  # planned anew by another process, before any part was there
            raise self._other_run(there)
        if there is None and self.storage.read(RECORD) is None:
            raise WriteError(
                f"{self.folder}: was removed while the extraction was running, with the parts that were finished: put "
                f"it back, or start from the beginning; either way, start the same command again"
            )

    def _readable(self, makers: Makers) -> Iterator[Rows]:
        """Yield all rows of the new feature file, in order, unless all of them have failed."""
        n_failed, reason = 0, ""
        for rows in self._rows(makers):
            reason = reason or next(iter(rows.failures.values()), "")
            n_failed += len(rows.failures)
            yield rows
        if n_failed == self._n_rows:
            raise ImageError(
                f"none of {n_failed} samples could be read, so {self.output} was not written; the first: {reason}"
            )

    def _rows(self, makers: Makers) -> Iterator[Rows]:
        if self._carried is not None:
            yield from self._carried.woven(self._read_across, self.header.part_size)
            return
        for part in self.header.part_rows():
            whole = self._whole(part)
            makers.add(whole)
            yield whole.rows

    def _whole(self, rows: range) -> Part:
        part = self.read_part(rows)
        if part is None:
            name = self.folder / _name(PARTS, rows.start)
            raise FeatureFileError(
                f"{name}: rows {rows.start} to {rows.stop - 1} are missing or damaged: start their share again, or "
                f"cellfeat extract, which makes what is missing"
            )
        return part

    def _read_across(self, rows: range) -> Rows:
        """Read rows that may lie in several parts."""
        parts = _parts_across(self.header, rows)
        return joined(
            [
                self._whole(part).rows.cut(range(max(part.start, rows.start), min(part.stop, rows.stop)))
                for part in parts
            ]
        )


def _name(kind: str, start: int) -> str:
    return f"{kind}{start:09d}.h5"


def _range_of(rows: Rows) -> range:
    return range(rows.start, rows.start + len(rows))


def _parts_across(header: RunHeader, rows: range) -> Sequence[range]:
    size = header.part_size
    return header.part_rows()[rows.start // size : (rows.stop - 1) // size + 1]


def _explained(output: Location) -> AbstractContextManager[None]:
    """Explain errors of a disk; those of an object store are explained already."""
    return explained_errors(output) if isinstance(output, Path) else nullcontext()
