"""What a feature file and its parts are made of: rows, the table of samples, checksums, and how they lie in HDF5."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from cellfeat.extraction.store.samples import Status
from cellfeat.provenance import digest_bytes, digest_json

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


def parts_folder(output: Path) -> Path:
    """Where the unfinished run of `output` lies."""
    return output.with_name(f"{output.name}.parts")


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

    def __len__(self) -> int:
        return len(self.status)

    def cut(self, wanted: range) -> "Rows":
        """Those of the rows whose numbers are in `wanted`, which lies within them."""
        here = slice(wanted.start - self.start, wanted.stop - self.start)
        failures = {row: reason for row, reason in self.failures.items() if row in wanted}
        return Rows(wanted.start, self.embeddings[here], self.status[here], self.pixel_digest[here], failures)

    def checksum(self) -> str:
        """Digest of the three arrays' bytes, in the order embeddings, status, pixel_digest."""
        return digest_bytes(*(np.ascontiguousarray(a).tobytes() for a in self.arrays()))

    @property
    def nbytes(self) -> int:
        """Size of the three arrays."""
        return sum(array.nbytes for array in self.arrays())

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Embeddings, status and digests of the pixels."""
        return (self.embeddings, self.status, self.pixel_digest)


def joined(pieces: Sequence[Rows]) -> Rows:
    """Rows that follow one another, as one."""
    embeddings, status, digests = map(np.concatenate, zip(*(piece.arrays() for piece in pieces), strict=True))
    failures = {row: reason for piece in pieces for row, reason in piece.failures.items()}
    return Rows(pieces[0].start, embeddings, status, digests, failures)


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


def write_table(file: h5py.File, table: SampleTable) -> None:
    """Write the ids, labels, groups and further columns."""
    file.create_dataset("sample_id", data=table.sample_id, dtype=_TEXT)
    file.create_dataset("manifest/label", data=table.label, dtype=_TEXT)
    file.create_dataset("manifest/group", data=table.group, dtype=_TEXT)
    columns = file.create_group("manifest/columns")
    for number, (name, values) in enumerate(table.columns.items()):
        # A column may be called anything, "." and "a/b" included; a dataset may not.
        columns.create_dataset(f"{number:03d}", data=values, dtype=_TEXT).attrs["name"] = name


def read_text(group: h5py.Group, name: str) -> np.ndarray:
    """Read a dataset of text: ``(n,)`` str."""
    return group[name].asstr()[:].astype(str)


def read_columns(columns: h5py.Group) -> dict[str, np.ndarray]:
    """Read the further columns of the labels table, by name."""
    return {str(columns[number].attrs["name"]): read_text(columns, number) for number in columns}


def table_checksum(file: h5py.File) -> str:
    """Digest of everything in the file but the rows' arrays, which `checksums` covers."""
    columns = file["manifest/columns"]
    content = {
        "attrs": {name: file.attrs[name] for name in ("fingerprint", "samples", "recipe", "provenance")},
        "sample_id": file["sample_id"].asstr()[:].tolist(),
        "label": file["manifest/label"].asstr()[:].tolist(),
        "group": file["manifest/group"].asstr()[:].tolist(),
        "columns": {name: values.tolist() for name, values in read_columns(columns).items()},
        "failures": sorted(read_failures(file).items()),
        "checksums": read_checksums(file),
    }
    return digest_json(content)


def failure_table(failures: Mapping[int, str]) -> np.ndarray:
    """Reasons by row as they stand in a file."""
    return np.array(sorted(failures.items()), dtype=_FAILURE)


def read_failures(file: h5py.File) -> dict[int, str]:
    """Read the reasons by row."""
    return {int(row): _decoded(reason) for row, reason in file["failures"][:]}


def read_range(file: h5py.File, rows: range, failures: Mapping[int, str]) -> Rows:
    """Read some rows; `failures` are those of all."""
    here = slice(rows.start, rows.stop)
    status = file["status"][here]
    there = range(rows.start, rows.start + len(status))  # a forged file may call for more rows than it has
    reasons = {row: failures[row] for row in there if row in failures}
    return Rows(rows.start, file["embeddings"][here], status, file["pixel_digest"][here], reasons)


def checksum_table(checksums: Sequence[tuple[int, int, str]]) -> np.ndarray:
    """First row, row behind the last, and digest of each range of rows, as they stand in a file."""
    return np.array(checksums, dtype=_CHECKSUM)


def read_checksums(file: h5py.File) -> list[tuple[int, int, str]]:
    """Read first row, row behind the last, and digest of each range of rows."""
    return [(int(start), int(stop), _decoded(sha)) for start, stop, sha in file["checksums"][:]]


def _decoded(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text


def hex_digests(digests: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Digests as text, ``""`` where the sample failed."""
    text = np.frombuffer(digests.tobytes().hex().encode(), f"S{2 * DIGEST_BYTES}").astype(str)
    text[status != Status.OK] = ""
    return text


def chunks(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Whole rows of about a mebibyte: a row range reads fast, and one row does not read much more."""
    row_bytes = 4 * shape[1] * shape[2]
    return (max(1, min(shape[0], CHUNK_BYTES // row_bytes)), *shape[1:])
