"""The unfinished run: rows are kept in parts that are published whole, and consolidated when all are there."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py

from cellfeat.errors import DiskFullError, FeatureFileError, FingerprintError, WriteError
from cellfeat.extraction.store.format import (
    DIGEST_BYTES,
    HDF5_OVERHEAD,
    TABLE_BYTES,
    Rows,
    SampleTable,
    failure_table,
    joined,
    parts_folder,
    read_failures,
)
from cellfeat.extraction.store.heaps import has_endless_heap
from cellfeat.extraction.store.merge import Carried
from cellfeat.extraction.store.texts import refuse_long_texts
from cellfeat.extraction.store.writing import Content, new_hdf5, write_features
from cellfeat.provenance import differences, digest_json, flush_to_disk, publish, told_why_not

_DAMAGED = (OSError, KeyError, RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError)
"""What reading a damaged part may raise."""


@dataclass(frozen=True)
class RunHeader:
    """What a run is: everything that its parts have in common.

    Attributes
    ----------
    recipe
        Everything that can change an embedding; its digest is the fingerprint.
    samples
        Digest of the manifest's ids and file names.
    execution
        How the numbers are computed here (device, implementation, batch size): equal on resume, so that the bits are.
    n_samples, n_views, embedding_dim
        Shape of ``embeddings``.
    part_size
        Rows a part.
    notes
        How the execution was chosen. Kept with the run, but another measurement does not make it another run.
    """

    recipe: Mapping[str, Any]
    samples: str
    execution: Mapping[str, Any]
    n_samples: int
    n_views: int
    embedding_dim: int
    part_size: int
    notes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def fingerprint(self) -> str:
        """Digest of the recipe."""
        return digest_json(self.recipe)

    def digest(self) -> str:
        """Digest that every part of this run carries."""
        return digest_json(self.identity())

    def identity(self) -> dict[str, Any]:
        """All that makes this run the one it is, which the notes do not."""
        return {name: value for name, value in asdict(self).items() if name != "notes"}

    def part_rows(self) -> list[range]:
        """The rows of each part."""
        starts = range(0, self.n_samples, self.part_size)
        return [range(start, min(start + self.part_size, self.n_samples)) for start in starts]


class PartStore:
    """The unfinished run beside `output`: knows which rows are finished, keeps new ones, and consolidates.

    Use it inside `held_output`, which makes sure that only one process does.

    Parameters
    ----------
    output
        The feature file to be.
    header
        What this run is.
    carried
        Rows of the finished file at `output` that stay; the run's own are the others. None: all rows are the run's own.

    Raises
    ------
    FingerprintError
        If another run stands unfinished at `output`; the message lists the differences.
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
        with self._told_need(), told_why_not(output):
            self._adopt_or_begin()
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
        self._begun_path(rows.start).unlink(missing_ok=True)

    def write_begun(self, rows: Rows) -> None:
        """Publish the first rows of a part whose others are not there yet.

        Raises
        ------
        DiskFullError
            If there is no room; the parts that were written stay.
        WriteError
            If the run's folder was removed, or can no longer be written to.
        """
        self._publish(self._begun_path(rows.start), rows)

    def _publish(self, path: Path, rows: Rows) -> None:
        self._check_stands()
        self._check_room(HDF5_OVERHEAD + rows.nbytes)
        with self._told_need(), publish(path) as temporary, new_hdf5(temporary) as file:
            file.attrs.update(run=self._digest, start=rows.start, checksum=_part_checksum(rows))
            file["embeddings"] = rows.embeddings
            file["status"] = rows.status
            file["pixel_digest"] = rows.pixel_digest
            file["failures"] = failure_table(rows.failures)

    def consolidate(self, table: SampleTable, provenance: Mapping[str, Any]) -> int:
        """Copy all parts into the feature file, publish it, then remove the parts; returns the number of failures.

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
        shape = (self._n_rows, self.header.n_views, self.header.embedding_dim)
        with self._told_need():
            n_failed = write_features(self.output, shape, content)
        with told_why_not(self.folder):
            remove_parts(self.output)
        return n_failed

    def _adopt_or_begin(self) -> None:
        earlier = unfinished_run(self.output)
        if earlier is not None and earlier != self.header and has_parts(self.output):
            differing = differences(earlier.identity(), self.header.identity())
            raise FingerprintError(
                f"{self.folder}: holds an unfinished run with other settings or samples "
                f"({'; '.join(differing)}). Repeat the settings it was started "
                f"with to finish it, choose another --output, or delete that folder to begin anew"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        for orphan in self.folder.glob(".*.tmp"):
            orphan.unlink()
        for orphan in self.output.parent.glob(f".{self.output.name}.*.tmp"):
            orphan.unlink()
        if earlier != self.header:
            _publish_text(self.folder / "run.json", _sealed_json(asdict(self.header)))
            flush_to_disk(self.folder.parent)

    def _check_stands(self) -> None:
        """Refuse to go on in a folder that was removed: the file would come out short of its first parts."""
        if not (self.folder / "run.json").exists():
            raise WriteError(
                f"{self.folder}: was removed while the extraction was at work, and what was finished with it: put it "
                f"back, or begin anew; either way, start the same command again"
            )

    @contextmanager
    def _told_need(self) -> Iterator[None]:
        """Say how much is missing, where it shows only now: no one tells beforehand what a quota leaves."""
        try:
            yield
        except DiskFullError as error:
            raise DiskFullError(
                f"{error}. About {_megabytes(self._bytes_to_come())} are still needed for {self.output}; what is "
                f"finished is kept"
            ) from error

    def _check_room(self, n_bytes: int) -> None:
        """Refuse to begin what the disk cannot hold: HDF5, which finds out half way, leaves tracebacks behind."""
        disk = shutil.disk_usage(self.folder)
        if disk.total and disk.free < n_bytes:  # some network disks tell nothing
            raise DiskFullError(
                f"{self.output}: the disk is full: about {_megabytes(self._bytes_to_come())} are still needed there, "
                f"and {_megabytes(disk.free)} are free. What is finished is kept: make room, or start with another "
                f"--output"
            )

    def _bytes_to_come(self) -> int:
        """About the room that missing parts, and the file that all parts are copied into, will take.

        Both are asked for: parts are removed only when the file is whole and published.
        """
        header = self.header
        row_bytes = 4 * header.n_views * header.embedding_dim + DIGEST_BYTES + 1
        finished = [part.stat().st_size for part in self.folder.glob("rows-*.h5")]
        n_files = len(header.part_rows()) - len(finished) + 1
        to_copy = self._n_rows * (row_bytes + TABLE_BYTES) + n_files * HDF5_OVERHEAD
        return to_copy + max(header.n_samples * row_bytes - sum(finished), 0)

    def _rows(self) -> Iterator[Rows]:
        """All rows of the feature file to be, in order."""
        if self._carried is None:
            return map(self._read_whole, self.header.part_rows())
        return self._carried.woven(self._read_across, self.header.part_size)

    def _path(self, start: int) -> Path:
        return self.folder / f"rows-{start:09d}.h5"

    def _begun_path(self, start: int) -> Path:
        return self.folder / f"begun-{start:09d}.h5"

    def read(self, rows: range) -> Rows | None:
        """Read one part; None where it is absent or damaged, and then it is removed."""
        path = self._path(rows.start)
        if not path.exists():
            return None
        part = _read_part(path, rows, self.header, self._digest)
        if part is None:
            path.unlink()
        return part

    def read_begun(self, part: range) -> Rows | None:
        """Read the first rows of a part; None where there are none, or they are damaged."""
        path = self._begun_path(part.start)
        return _read_part(path, part[: _n_rows(path)], self.header, self._digest)

    def _read_whole(self, rows: range) -> Rows:
        part = self.read(rows)
        if part is None:
            raise FeatureFileError(f"{self._path(rows.start)}: missing or damaged; run the same extraction again")
        return part

    def _read_across(self, rows: range) -> Rows:
        """Read rows out of as many parts as they lie in."""
        size = self.header.part_size
        parts = self.header.part_rows()[rows.start // size : (rows.stop - 1) // size + 1]
        return joined(
            [
                self._read_whole(part).cut(range(max(part.start, rows.start), min(part.stop, rows.stop)))
                for part in parts
            ]
        )


def remove_parts(output: Path) -> None:
    """Remove what is left of a run whose file is finished; killed half way, the next call ends it."""
    folder = parts_folder(output)
    # run.json goes last: while it stands, what is left can still be told from somebody's folder.
    for part in folder.glob("rows-*.h5"):
        part.unlink()
    if (folder / "run.json").exists():
        shutil.rmtree(folder)


def has_parts(output: Path) -> bool:
    """Whether an unfinished run of `output` has finished rows, whole or not."""
    return any(parts_folder(output).glob("rows-*.h5"))


def unfinished_run(output: Path) -> RunHeader | None:
    """The run whose parts lie beside `output`; None where there is none, or where its record is damaged."""
    try:
        return RunHeader(**_unsealed_json((parts_folder(output) / "run.json").read_bytes()))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def _part_checksum(rows: Rows) -> str:
    return digest_json([rows.checksum(), sorted(rows.failures.items())])


def _read_part(path: Path, rows: range, header: RunHeader, run: str) -> Rows | None:
    """Read a part; None where it is damaged or another run's."""
    with suppress(*_DAMAGED):
        return None if has_endless_heap(path) else _read_whole_part(path, rows, header, run)
    return None


def _read_whole_part(path: Path, rows: range, header: RunHeader, run: str) -> Rows | None:
    with h5py.File(path, "r") as file:
        shape = (len(rows), header.n_views, header.embedding_dim)
        if file.attrs["run"] != run or file.attrs["start"] != rows.start or file["embeddings"].shape != shape:
            return None
        refuse_long_texts(path, file["failures"])
        part = Rows(rows.start, file["embeddings"][:], file["status"][:], file["pixel_digest"][:], read_failures(file))
        return part if _part_checksum(part) == file.attrs["checksum"] else None


def _n_rows(path: Path) -> int:
    """How many rows a part says that it has; 0 where it says nothing."""
    with suppress(*_DAMAGED), h5py.File(path, "r") as file:
        return int(file["embeddings"].shape[0])
    return 0


def _sealed_json(value: Any) -> bytes:
    return json.dumps({"content": value, "sha256": digest_json(value)}, indent=1, ensure_ascii=False).encode()


def _unsealed_json(data: bytes) -> Any:
    sealed = json.loads(data)
    if digest_json(sealed["content"]) != sealed["sha256"]:
        raise ValueError("the digest does not match")
    return sealed["content"]


def _publish_text(path: Path, data: bytes) -> None:
    with publish(path) as temporary:
        temporary.write_bytes(data)
