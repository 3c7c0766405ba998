"""The feature file: written as parts that are published whole, then consolidated; the only user of h5py.

Layout, checksums and rules are told in ``docs/feature-file.md``. In short: ``<output>.parts/`` holds ``run.json`` (what
this run is) and one file for each `part_size` rows; when all parts are there, they are copied into one temporary file,
which is flushed to disk and takes its final name in one step. So the final name is either absent or whole.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from filelock import FileLock, Timeout

from cellfeat.errors import BusyError, DiskFullError, FeatureFileError, FingerprintError, MissingFileError
from cellfeat.extraction.holder import describe_holder, told_holder
from cellfeat.provenance import (
    canonical_json,
    differences,
    digest_bytes,
    digest_json,
    flush_to_disk,
    publish,
)

FORMAT = 1
CHUNK_BYTES = 1 << 20
DIGEST_BYTES = 32
TABLE_BYTES = 100
"""About what the id, label, group and further columns of a sample take in a feature file."""
HDF5_OVERHEAD = 2**16
"""More than a part, or a feature file without rows, takes."""
_TEXT = h5py.string_dtype()
_FAILURE = np.dtype([("row", np.int64), ("reason", _TEXT)])
_CHECKSUM = np.dtype([("start", np.int64), ("stop", np.int64), ("sha256", _TEXT)])


class Status(IntEnum):
    """What became of a sample."""

    OK = 0
    FAILED = 1


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


@dataclass(frozen=True)
class Rows:
    """Finished rows, in manifest order.

    Attributes
    ----------
    start
        First row.
    embeddings
        ``(n, n_views, embedding_dim)`` float32; NaN where the sample failed.
    status
        ``(n,)`` uint8, a `Status`.
    pixel_digest
        ``(n, 32)`` uint8: sha256 of the decoded pixels; zero where the sample failed.
    failures
        Reason by row.
    """

    start: int
    embeddings: np.ndarray
    status: np.ndarray
    pixel_digest: np.ndarray
    failures: Mapping[int, str]

    def checksum(self) -> str:
        """Digest of the three arrays' bytes, in the order embeddings, status, pixel_digest."""
        return digest_bytes(*(np.ascontiguousarray(a).tobytes() for a in self.arrays()))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Embeddings, status and digests of the pixels."""
        return (self.embeddings, self.status, self.pixel_digest)


@dataclass(frozen=True)
class SampleTable:
    """The columns of the manifest that a feature file keeps.

    Attributes
    ----------
    sample_id, label, group
        Text by row; ``""`` where there is none.
    columns
        Every further column of the labels table.
    """

    sample_id: list[str]
    label: list[str]
    group: list[str]
    columns: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Features:
    """A feature file in memory.

    Attributes
    ----------
    path
        Where it was read from.
    sample_id, label, group
        ``(n_samples,)`` str; ``""`` where there is none.
    columns
        Further columns of the labels table, ``(n_samples,)`` str each.
    status
        ``(n_samples,)`` uint8, a `Status`.
    pixel_digest
        ``(n_samples,)`` str: sha256 of the decoded pixels in hex; ``""`` where the sample failed.
    embeddings
        ``(n_samples, n_views, embedding_dim)`` float32; view 0 is the untouched image; NaN where the sample failed.
    failures
        Reason by row.
    fingerprint
        Digest of `recipe`.
    recipe
        Everything that can change an embedding.
    provenance
        Where the file came from: settings, versions, device, times.
    """

    path: Path
    sample_id: np.ndarray
    label: np.ndarray
    group: np.ndarray
    columns: Mapping[str, np.ndarray]
    status: np.ndarray
    pixel_digest: np.ndarray
    embeddings: np.ndarray
    failures: Mapping[int, str]
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def passes(self) -> tuple[str, ...]:
        """Name of each forward pass whose outputs stand side by side in an embedding."""
        return tuple(self.recipe["passes"])

    def __len__(self) -> int:
        return len(self.sample_id)


@dataclass(frozen=True)
class Summary:
    """What a feature file says of itself, read without its embeddings."""

    path: Path
    n_samples: int
    n_views: int
    embedding_dim: int
    n_failed: int
    samples: str
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]


class PartStore:
    """The unfinished run beside `output`: knows which rows are finished, keeps new ones, and consolidates.

    Use it inside `held_output`, which makes sure that only one process does.

    Parameters
    ----------
    output
        The feature file to be.
    header
        What this run is.

    Raises
    ------
    FingerprintError
        If another run stands unfinished at `output`; the message lists the differences.
    DiskFullError
        If the disk has no room for the rest of the run.
    """

    def __init__(self, output: Path, header: RunHeader) -> None:
        self.output = output
        self.header = header
        self.folder = parts_folder(output)
        self._digest = header.digest()
        self._adopt_or_begin()
        self._check_room(self._bytes_to_come())

    def write(self, rows: Rows) -> None:
        """Publish one part.

        Raises
        ------
        DiskFullError
            If there is no room; the parts that were written stay.
        """
        self._publish(self._path(rows.start), rows)
        self._begun_path(rows.start).unlink(missing_ok=True)

    def write_begun(self, rows: Rows) -> None:
        """Publish the first rows of a part whose others are not there yet.

        Raises
        ------
        DiskFullError
            If there is no room; the parts that were written stay.
        """
        self._publish(self._begun_path(rows.start), rows)

    def _publish(self, path: Path, rows: Rows) -> None:
        self._check_room(HDF5_OVERHEAD + sum(array.nbytes for array in rows.arrays()))
        with publish(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs.update(run=self._digest, start=rows.start, checksum=_part_checksum(rows))
            file["embeddings"] = rows.embeddings
            file["status"] = rows.status
            file["pixel_digest"] = rows.pixel_digest
            file["failures"] = _failure_table(rows.failures)

    def consolidate(self, table: SampleTable, provenance: Mapping[str, Any]) -> int:
        """Copy all parts into the feature file, publish it, then remove the parts; returns the number of failures.

        Raises
        ------
        FeatureFileError
            If a part is missing or damaged: run the extraction again.
        DiskFullError
            If there is no room for the file; all parts stay.
        """
        self._check_room(self._bytes_to_come())
        with publish(self.output) as temporary, h5py.File(temporary, "w", libver="v110") as file:
            self._write_rows(file)
            _write_table(file, table)
            file.attrs.update(
                format=FORMAT,
                fingerprint=self.header.fingerprint,
                samples=self.header.samples,
                recipe=canonical_json(self.header.recipe),
                provenance=canonical_json(provenance),
            )
            file.attrs["checksum"] = _table_checksum(file)
            n_failed = len(file["failures"])
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
        """About the room that missing parts, and the file that all parts are copied into, will take."""
        header = self.header
        row_bytes = 4 * header.n_views * header.embedding_dim + DIGEST_BYTES + 1
        finished = [part.stat().st_size for part in self.folder.glob("rows-*.h5")]
        n_files = len(header.part_rows()) - len(finished) + 1
        to_copy = header.n_samples * (row_bytes + TABLE_BYTES) + n_files * HDF5_OVERHEAD
        return to_copy + max(header.n_samples * row_bytes - sum(finished), 0)

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

    def _write_rows(self, file: h5py.File) -> None:
        header = self.header
        shape = (header.n_samples, header.n_views, header.embedding_dim)
        embeddings = file.create_dataset("embeddings", shape, np.float32, chunks=_chunks(shape))
        status = file.create_dataset("status", (header.n_samples,), np.uint8)
        digests = file.create_dataset("pixel_digest", (header.n_samples, DIGEST_BYTES), np.uint8)
        failures: dict[int, str] = {}
        checksums = []
        for rows in header.part_rows():
            part = self.read(rows)
            if part is None:
                raise FeatureFileError(f"{self._path(rows.start)}: missing or damaged; run the same extraction again")
            here = slice(rows.start, rows.stop)
            embeddings[here], status[here], digests[here] = part.embeddings, part.status, part.pixel_digest
            failures.update(part.failures)
            checksums.append((rows.start, rows.stop, part.checksum()))
        file["failures"] = _failure_table(failures)
        file["checksums"] = np.array(checksums, dtype=_CHECKSUM)


def parts_folder(output: Path) -> Path:
    """Where the unfinished run of `output` lies."""
    return output.with_name(f"{output.name}.parts")


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


@contextmanager
def held_output(output: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold `output` against every other process while the block runs.

    The operating system holds the lock and lets go of it when the process dies, so a dead holder never blocks. What is
    done where it does not hold for other hosts, `cellfeat.extraction.holder` tells.

    Parameters
    ----------
    output
        The feature file to be.
    say
        Told when another host's run must be watched first.

    Raises
    ------
    BusyError
        If another process holds it; the message says which, and since when.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    lock_path = output.with_name(f".{output.name}.lock")
    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{output}: another run is writing it ({describe_holder(output)}); wait for it, or stop it, "
            f"or choose another --output"
        ) from None
    try:
        with told_holder(output, say):
            yield
    finally:
        # Unlinked while still held: whoever opened it meanwhile finds a file without a name and tries again.
        lock_path.unlink(missing_ok=True)
        lock.release()


def read_summary(path: Path) -> Summary:
    """Read what a feature file says of itself, in time that does not grow with its rows.

    Raises
    ------
    MissingFileError, FeatureFileError
        If there is no such file, or it is not a feature file of this format.
    """
    with _opened(path) as file:
        return _summary(path, file)


def describe_summary(summary: Summary) -> str:
    """Tell in lines what a feature file holds.

    Raises
    ------
    FeatureFileError
        If its recipe or provenance lacks what every extraction writes.
    """
    try:
        return _describe(summary)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FeatureFileError(
            f"{summary.path}: its recipe or provenance is not as cellfeat writes it ({error}); extract again"
        ) from None


def _describe(summary: Summary) -> str:
    recipe, provenance = summary.recipe, summary.provenance
    backbone, transform = recipe["backbone"], recipe["transform"]
    seconds = provenance["times"]["seconds"]["wall"]
    rows = {
        "samples": f"{summary.n_samples:,}, of which {summary.n_failed} failed",
        "embeddings": f"{summary.n_views} views x {summary.embedding_dim} numbers, float32",
        "backbone": f"{backbone['name']}, weights {provenance['weights']}, pool {backbone['pool']}",
        "channels": f"{', '.join(map(str, recipe['channels']))} as {recipe['channels_as']}",
        "transform": ", ".join(f"{key} {value}" for key, value in transform.items()),
        "intensity": _describe_intensity(recipe["intensity"]),
        "precision": f"{recipe['precision']} ({provenance['execution']['implementation']})",
        "made": f"{provenance['times']['finished']} on {provenance['device']}, {seconds:.1f} s",
        "versions": ", ".join(f"{name} {version}" for name, version in provenance["versions"].items()),
        "fingerprint": summary.fingerprint,
    }
    return "\n".join([str(summary.path), *(f"  {name:<12} {value}" for name, value in rows.items())])


def _describe_intensity(intensity: Mapping[str, Any]) -> str:
    if intensity["range"]:
        return f"range {intensity['range']}"
    return f"percentiles {intensity['percentile']} of each image" if intensity["percentile"] else "range of the type"


def read_table(path: Path) -> SampleTable:
    """Read the ids, labels, groups and further columns of a feature file."""
    with _opened(path) as file:
        table = file["manifest"]
        return SampleTable(
            sample_id=_read_text(file, "sample_id").tolist(),
            label=_read_text(table, "label").tolist(),
            group=_read_text(table, "group").tolist(),
            columns={name: values.tolist() for name, values in _read_columns(table["columns"]).items()},
        )


def replace_table(path: Path, table: SampleTable, provenance: Mapping[str, Any]) -> None:
    """Give a feature file other labels, groups and columns; its embeddings stay, and it is published anew."""
    with publish(path) as temporary:
        shutil.copyfile(path, temporary)
        with h5py.File(temporary, "r+") as file:
            del file["sample_id"], file["manifest"]
            _write_table(file, table)
            file.attrs["provenance"] = canonical_json(provenance)
            file.attrs["checksum"] = _table_checksum(file)


def read_pixel_digests(path: Path) -> np.ndarray:
    """Read the digests of the pixels alone: ``(n_samples,)`` str, ``""`` where the sample failed."""
    with _opened(path) as file:
        return hex_digests(file["pixel_digest"][:], file["status"][:])


def read_embeddings(path: Path, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Read the embeddings of some rows, in ascending order: ``(len(rows), n_views, embedding_dim)`` float32.

    No checksum is looked at; `verify_features` does.
    """
    with _opened(path) as file:
        return np.asarray(file["embeddings"][np.asarray(rows)])


def load_features(path: Path | str) -> Features:
    """Read a feature file into memory and verify every checksum.

    Parameters
    ----------
    path
        A file that `extract` wrote.

    Raises
    ------
    MissingFileError, FeatureFileError
        If there is no such file, it is not a feature file of this format, or a checksum does not match.
    """
    path = Path(path)
    with _opened(path) as file:
        summary = _summary(path, file)
        _verify_table(path, file)
        rows = _read_verified_rows(path, file)
        table = file["manifest"]
        return Features(
            path=path,
            sample_id=_read_text(file, "sample_id"),
            label=_read_text(table, "label"),
            group=_read_text(table, "group"),
            columns=_read_columns(table["columns"]),
            status=rows.status,
            pixel_digest=hex_digests(rows.pixel_digest, rows.status),
            embeddings=rows.embeddings,
            failures=rows.failures,
            fingerprint=summary.fingerprint,
            recipe=summary.recipe,
            provenance=summary.provenance,
        )


def verify_features(path: Path | str) -> Summary:
    """Verify every checksum of a feature file, range by range, in memory that does not grow with its rows.

    Raises
    ------
    MissingFileError, FeatureFileError
        As `load_features`.
    """
    path = Path(path)
    with _opened(path) as file:
        summary = _summary(path, file)
        _verify_table(path, file)
        for _ in _verified_ranges(path, file):
            pass
        return summary


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if not path.exists():
        unfinished = parts_folder(path)
        hint = f"; {unfinished} holds an unfinished run: start the same extract again" if unfinished.exists() else ""
        raise MissingFileError(f"the feature file {path} does not exist{hint or '; make it with: cellfeat extract'}")
    if not path.is_file():  # a pipe would be waited for without end
        raise FeatureFileError(f"{path}: is no file; expected a feature file")
    try:
        with h5py.File(path, "r") as file:
            _refuse_foreign(path, file)
            yield file
    except FeatureFileError:
        raise
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, TypeError, AttributeError) as error:
        raise FeatureFileError(
            f"{path}: damaged, or not an HDF5 file ({error}); take it from a copy, or delete it and extract again"
        ) from error


def _refuse_foreign(path: Path, file: h5py.File) -> None:
    found = file.attrs.get("format")
    if not isinstance(found, np.integer):
        raise FeatureFileError(f"{path}: not a feature file of cellfeat (it has no attribute 'format')")
    if found != FORMAT:
        raise FeatureFileError(
            f"{path}: feature file format {found}, expected {FORMAT}; it was written by another version of cellfeat: "
            f"install that version, or extract again"
        )
    for name in ("sample_id", "embeddings", "status", "pixel_digest", "failures", "checksums"):
        _plain_dataset(path, file, name)
    for name in ("manifest", "manifest/columns"):
        _plain_group(path, file, name)
    for name in ("label", "group"):
        _plain_dataset(path, file, f"manifest/{name}")
    for name in file["manifest/columns"]:
        _plain_dataset(path, file, f"manifest/columns/{name}")
    _refuse_wrong_shapes(path, file)


def _plain_group(path: Path, file: h5py.File, name: str) -> None:
    """Refuse a group that is none, or a link; the groups above it are plain ones."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Group):
        raise FeatureFileError(f"{path}: group {name!r} is missing or a link to elsewhere")


def _plain_dataset(path: Path, file: h5py.File, name: str) -> None:
    """Refuse whatever would make HDF5 read another file: links, external storage, virtual datasets; and filters.

    Also a shape that claims more than is stored: a few bytes can claim terabytes, and reading those ends the process.
    """
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise FeatureFileError(f"{path}: dataset {name!r} is missing or a link to elsewhere")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise FeatureFileError(f"{path}: {name!r} is not a dataset")
    if dataset.is_virtual or dataset.external or dataset.id.get_create_plist().get_nfilters():
        raise FeatureFileError(f"{path}: dataset {name!r} takes its data from elsewhere or through a filter: refused")
    if dataset.id.get_storage_size() < (dataset.size or 0) * dataset.id.get_type().get_size():
        raise FeatureFileError(f"{path}: dataset {name!r} holds less than its shape {dataset.shape} claims; damaged")


def _refuse_wrong_shapes(path: Path, file: h5py.File) -> None:
    n_samples = file["sample_id"].shape[0]
    if n_samples == 0:
        raise FeatureFileError(f"{path}: holds no samples; delete it and extract again")
    expected = {"status": (n_samples,), "pixel_digest": (n_samples, DIGEST_BYTES), "manifest/label": (n_samples,)}
    expected |= {"manifest/group": (n_samples,)}
    expected |= {f"manifest/columns/{name}": (n_samples,) for name in file["manifest/columns"]}
    for name, shape in expected.items():
        if file[name].shape != shape:
            raise FeatureFileError(f"{path}: dataset {name!r} has shape {file[name].shape}, expected {shape}")
    embeddings = file["embeddings"]
    if embeddings.ndim != 3 or embeddings.shape[0] != n_samples or embeddings.dtype != np.float32:
        raise FeatureFileError(
            f"{path}: embeddings are {embeddings.dtype} of shape {embeddings.shape}, "
            f"expected float32 of shape ({n_samples}, n_views, embedding_dim)"
        )


def _summary(path: Path, file: h5py.File) -> Summary:
    n_samples, n_views, embedding_dim = file["embeddings"].shape
    recipe = json.loads(file.attrs["recipe"])
    fingerprint = file.attrs["fingerprint"]
    if digest_json(recipe) != fingerprint:
        raise FeatureFileError(
            f"{path}: its fingerprint is not the digest of its recipe; it was altered: delete it and extract again"
        )
    return Summary(
        path=path,
        n_samples=n_samples,
        n_views=n_views,
        embedding_dim=embedding_dim,
        n_failed=len(file["failures"]),
        samples=file.attrs["samples"],
        fingerprint=fingerprint,
        recipe=recipe,
        provenance=json.loads(file.attrs["provenance"]),
    )


def _write_table(file: h5py.File, table: SampleTable) -> None:
    file.create_dataset("sample_id", data=table.sample_id, dtype=_TEXT)
    file.create_dataset("manifest/label", data=table.label, dtype=_TEXT)
    file.create_dataset("manifest/group", data=table.group, dtype=_TEXT)
    columns = file.create_group("manifest/columns")
    for number, (name, values) in enumerate(table.columns.items()):
        # A column may be called anything, "." and "a/b" included; a dataset may not.
        columns.create_dataset(f"{number:03d}", data=values, dtype=_TEXT).attrs["name"] = name


def _read_text(group: h5py.Group, name: str) -> np.ndarray:
    return group[name].asstr()[:].astype(str)


def _read_columns(columns: h5py.Group) -> dict[str, np.ndarray]:
    return {str(columns[number].attrs["name"]): _read_text(columns, number) for number in columns}


def _table_checksum(file: h5py.File) -> str:
    """Digest of everything in the file but the rows' arrays, which `checksums` covers."""
    columns = file["manifest/columns"]
    content = {
        "attrs": {name: file.attrs[name] for name in ("fingerprint", "samples", "recipe", "provenance")},
        "sample_id": file["sample_id"].asstr()[:].tolist(),
        "label": file["manifest/label"].asstr()[:].tolist(),
        "group": file["manifest/group"].asstr()[:].tolist(),
        "columns": {name: values.tolist() for name, values in _read_columns(columns).items()},
        "failures": sorted(_read_failures(file).items()),
        "checksums": _read_checksums(file),
    }
    return digest_json(content)


def _verify_table(path: Path, file: h5py.File) -> None:
    if _table_checksum(file) != file.attrs["checksum"]:
        raise FeatureFileError(
            f"{path}: the checksum of its ids, labels or provenance does not match: damaged or altered. "
            f"Take it from a copy, or delete it and extract again"
        )


def _verified_ranges(path: Path, file: h5py.File) -> Iterator[Rows]:
    failures = _read_failures(file)
    expected_start = 0
    for start, stop, expected in _read_checksums(file):
        if start != expected_start:
            raise FeatureFileError(f"{path}: no checksum covers rows {expected_start} to {start - 1}")
        here = slice(start, stop)
        rows = Rows(start, file["embeddings"][here], file["status"][here], file["pixel_digest"][here], failures)
        if rows.checksum() != expected:
            raise FeatureFileError(
                f"{path}: rows {start} to {stop - 1} do not match their checksum: damaged. "
                f"Take the file from a copy, or delete it and extract again"
            )
        _refuse_unexplained(path, rows)
        expected_start = stop
        yield rows
    if expected_start != file["sample_id"].shape[0]:
        raise FeatureFileError(f"{path}: no checksum covers the rows from {expected_start} on")


def _refuse_unexplained(path: Path, rows: Rows) -> None:
    """Refuse samples that are called whole and have no finite numbers, or are called failed without a reason."""
    is_ok = rows.status == Status.OK
    is_finite = np.isfinite(rows.embeddings).all(axis=(1, 2))
    has_reason = np.isin(np.arange(rows.start, rows.start + len(is_ok)), list(rows.failures))
    for wrong, what in (
        (is_ok & ~is_finite, "embeddings that are not finite"),
        (is_ok == has_reason, "a status that the failures do not explain"),
    ):
        if wrong.any():
            raise FeatureFileError(
                f"{path}: {np.count_nonzero(wrong)} samples have {what}, the first in row "
                f"{rows.start + int(wrong.argmax())}; extract them again, and take no file that was written otherwise"
            )


def _read_verified_rows(path: Path, file: h5py.File) -> Rows:
    shape = file["embeddings"].shape
    embeddings = np.empty(shape, np.float32)
    status = np.empty(shape[0], np.uint8)
    digests = np.empty((shape[0], DIGEST_BYTES), np.uint8)
    for rows in _verified_ranges(path, file):
        here = slice(rows.start, rows.start + len(rows.status))
        embeddings[here], status[here], digests[here] = rows.embeddings, rows.status, rows.pixel_digest
    return Rows(0, embeddings, status, digests, _read_failures(file))


def _read_failures(file: h5py.File) -> dict[int, str]:
    return {int(row): _decoded(reason) for row, reason in file["failures"][:]}


def _read_checksums(file: h5py.File) -> list[tuple[int, int, str]]:
    return [(int(start), int(stop), _decoded(sha)) for start, stop, sha in file["checksums"][:]]


def _decoded(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text


def hex_digests(digests: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Digests as text, ``""`` where the sample failed."""
    return np.array([d.tobytes().hex() if s == Status.OK else "" for d, s in zip(digests, status, strict=True)], str)


def _failure_table(failures: Mapping[int, str]) -> np.ndarray:
    return np.array(sorted(failures.items()), dtype=_FAILURE)


def _chunks(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Whole rows of about a mebibyte: a row range reads fast, and one row does not read much more."""
    row_bytes = 4 * shape[1] * shape[2]
    return (max(1, min(shape[0], CHUNK_BYTES // row_bytes)), *shape[1:])


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def _part_checksum(rows: Rows) -> str:
    return digest_json([rows.checksum(), sorted(rows.failures.items())])


def _read_part(path: Path, rows: range, header: RunHeader, run: str) -> Rows | None:
    """Read a part; None where it is damaged or another run's."""
    with suppress(OSError, KeyError, RuntimeError, ValueError, TypeError), h5py.File(path, "r") as file:
        shape = (len(rows), header.n_views, header.embedding_dim)
        if file.attrs["run"] != run or file.attrs["start"] != rows.start or file["embeddings"].shape != shape:
            return None
        part = Rows(rows.start, file["embeddings"][:], file["status"][:], file["pixel_digest"][:], _read_failures(file))
        return part if _part_checksum(part) == file.attrs["checksum"] else None
    return None


def _n_rows(path: Path) -> int:
    """How many rows a part says that it has; 0 where it says nothing."""
    with suppress(OSError, KeyError, RuntimeError, ValueError, TypeError), h5py.File(path, "r") as file:
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
