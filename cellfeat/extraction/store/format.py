"""The content of a feature file and of its parts: rows, failures and checksums, and their form in HDF5."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from cellfeat.extraction.store.columns import read_texts, write_texts
from cellfeat.extraction.store.geometry import GEOMETRY
from cellfeat.extraction.store.samples import INTENSITIES, PROPERTIES, Status
from cellfeat.extraction.store.stored_type import FLOAT32
from cellfeat.provenance import canonical_json, digest_bytes, link_target
from cellfeat.storage.url import Location, Url
from cellfeat.types import Strings

FORMAT = 2
DIGEST_BYTES = 32
TABLE_BYTES = 100
"""Estimated bytes of the id, label, group and further columns of a sample in a feature file."""
HDF5_OVERHEAD = 2**16
"""Upper estimate of the bytes of a part, or of a feature file, without its rows."""
# Little-endian on every machine. 71 bytes hold ``sha256:`` and 64 hexadecimal digits.
CHECKSUM = np.dtype([("start", "<i8"), ("stop", "<i8"), ("sha256", "S71")])
DIGESTS = ("fingerprint", "samples")
"""Attributes that hold digests of JSON values; a third one, ``checksum``, covers everything else."""


@overload
def parts_folder(output: Path) -> Path: ...
@overload
def parts_folder(output: Url) -> Url: ...
def parts_folder(output: Location) -> Location:
    """Name the folder of the unfinished run of `output`: beside the file, also where `output` is a link to it."""
    target = link_target(output) if isinstance(output, Path) else output
    return target.with_name(f"{target.name}.parts")


@dataclass(frozen=True)
class Rows:
    """Finished rows, in manifest order.

    Attributes
    ----------
    start
        First row.
    embeddings
        ``(n, n_views, embedding_dim)`` in the type in which they are stored: float32 or float16; NaN where the sample
        failed.
    status
        ``(n,)`` uint8, a `Status`.
    pixel_digest
        ``(n, 32)`` uint8: sha256 of the decoded pixels; zero where the sample failed.
    properties
        ``(n,)`` records of type `PROPERTIES`; empty or 0 where the sample failed.
    intensities
        ``(n, n_channels)`` records of type `INTENSITIES`; 0 where the sample failed.
    failures
        Reason by row.
    """

    start: int
    embeddings: NDArray[np.floating]
    status: NDArray[np.uint8]
    pixel_digest: NDArray[np.uint8]
    properties: NDArray[np.void]
    intensities: NDArray[np.void]
    failures: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.status)

    @classmethod
    def from_arrays(cls, start: int, arrays: Iterable[NDArray[Any]], failures: Mapping[int, str]) -> "Rows":
        """Make rows from their arrays.

        Parameters
        ----------
        start, failures
            As for the class.
        arrays
            The arrays in the order of the class, each of the shape that it describes.
        """
        embeddings, status, digests, properties, intensities = arrays
        return cls(start, embeddings, status, digests, properties, intensities, failures)

    def cut(self, wanted: range) -> "Rows":
        """Give the rows whose numbers are in `wanted`, a range within these rows."""
        here = slice(wanted.start - self.start, wanted.stop - self.start)
        failures = {row: reason for row, reason in self.failures.items() if row in wanted}
        return Rows.from_arrays(wanted.start, (array[here] for array in self.arrays()), failures)

    def checksum(self) -> str:
        """Digest the bytes of the arrays in their order; of records, one column after another."""
        columns = [column for array in self.arrays() for column in _columns(array)]
        return digest_bytes(*(np.ascontiguousarray(column).tobytes() for column in columns))

    @property
    def nbytes(self) -> int:
        """Size of the arrays."""
        return sum(array.nbytes for array in self.arrays())

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Give the arrays in the order of the class, each of the shape that it describes."""
        return (self.embeddings, self.status, self.pixel_digest, self.properties, self.intensities)


def _columns(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    names = array.dtype.names
    yield from [array] if names is None else (array[name] for name in names)


class RowShape(NamedTuple):
    """The shape of one row: of its embedding, the number of channels, and the type in which embeddings are stored."""

    n_views: int
    embedding_dim: int
    n_channels: int
    stored: str = FLOAT32

    def datasets(self, n: int) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Shape and type of each array of `n` rows by the name of its dataset, in the order of `Rows.arrays`."""
        return {
            "embeddings": ((n, self.n_views, self.embedding_dim), np.dtype(self.stored)),
            "status": ((n,), np.dtype(np.uint8)),
            "pixel_digest": ((n, DIGEST_BYTES), np.dtype(np.uint8)),
            "properties": ((n,), PROPERTIES),
            "intensities": ((n, self.n_channels), INTENSITIES),
        }

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in all arrays."""
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in self.datasets(1).values())


ROW_DATASETS = tuple(RowShape(0, 0, 0).datasets(0))
"""Where the arrays of rows lie in a file, in the order of `Rows.arrays`."""


def empty_rows(start: int, n: int, shape: RowShape) -> Rows:
    """Make rows that are to be filled in.

    Parameters
    ----------
    start
        First row.
    n, shape
        Number of rows, and the shape of one.
    """
    arrays = (np.empty(of_all, dtype) for of_all, dtype in shape.datasets(n).values())
    return Rows.from_arrays(start, arrays, {})


def row_shape(file: h5py.File) -> RowShape:
    """Find the shape of a row of a feature file."""
    _, n_views, embedding_dim = file["embeddings"].shape
    return RowShape(n_views, embedding_dim, file["intensities"].shape[1], file["embeddings"].dtype.name)


def joined(pieces: Sequence[Rows]) -> Rows:
    """Join rows that follow one another."""
    arrays = map(np.concatenate, zip(*(piece.arrays() for piece in pieces), strict=True))
    failures = {row: reason for piece in pieces for row, reason in piece.failures.items()}
    return Rows.from_arrays(pieces[0].start, arrays, failures)


def write_json(file: h5py.File, name: str, value: Any) -> None:
    """Write a value as the bytes of its canonical JSON: an attribute may be too small for it.

    Parameters
    ----------
    file
        Where to.
    name
        Name of the dataset.
    value
        Plain JSON values.
    """
    file[name] = np.frombuffer(canonical_json(value).encode(), np.uint8)


def write_text_attribute(file: h5py.File, name: str, text: str) -> None:
    """Write a short text as a fixed-length attribute of the file, in place of an earlier one.

    Parameters
    ----------
    file
        Where to.
    name, text
        Name and value of the attribute.
    """
    content = text.encode()
    # HDF5 has no text type of length 0, so an empty text takes one byte of padding.
    file.attrs.create(name, content, dtype=h5py.string_dtype("utf-8", max(len(content), 1)))


def table_checksum(file: h5py.File) -> str:
    """Digest everything in the file but the arrays of rows, which ``checksums`` covers."""
    sha = hashlib.sha256()
    for name in DIGESTS:
        sha.update(f"{name} {file.attrs[name].decode()}\n".encode())
    optional = [GEOMETRY] if GEOMETRY in file else []
    for name in sorted(["checksums", "failures", *optional, "manifest", "provenance", "recipe", "sample_id"]):
        for dataset in _datasets(file[name]):
            # Without names, types and shapes, a byte could move from one dataset to the next unnoticed.
            sha.update(f"{dataset.name} {dataset.dtype.str} {dataset.shape}\n".encode())
            sha.update(np.ascontiguousarray(dataset[:]).view(np.uint8).data)
    return f"sha256:{sha.hexdigest()}"


def _datasets(item: h5py.Dataset | h5py.Group) -> Iterator[h5py.Dataset]:
    """Datasets in the order of their names."""
    if isinstance(item, h5py.Dataset):
        yield item
        return
    for name in sorted(item):
        yield from _datasets(item[name])


def write_failures(file: h5py.File, failures: Mapping[int, str]) -> None:
    """Write the reasons by row.

    Parameters
    ----------
    file
        Where to.
    failures
        Reason by row.
    """
    group = file.create_group("failures")
    group["row"] = np.array(sorted(failures), "<i8")
    write_texts(group, "reason", [failures[row] for row in sorted(failures)])


def read_failures(file: h5py.File) -> dict[int, str]:
    """Read the reasons by row."""
    group = file["failures"]
    return dict(zip(group["row"][:].tolist(), read_texts(group, "reason"), strict=True))


def read_range(file: h5py.File, rows: range, failures: Mapping[int, str]) -> Rows:
    """Read some rows.

    Parameters
    ----------
    file
        A feature file.
    rows
        Which rows.
    failures
        The reasons of all rows.
    """
    arrays = [file[name][rows.start : rows.stop] for name in ROW_DATASETS]
    there = range(rows.start, rows.start + len(arrays[0]))  # a forged file may claim more rows than it has
    return Rows.from_arrays(rows.start, arrays, {row: failures[row] for row in there if row in failures})


def checksum_table(checksums: Sequence[tuple[int, int, str]]) -> NDArray[np.void]:
    """Give first row, row after the last, and digest of each range of rows as an array of shape ``(n_ranges,)``."""
    return np.array([(start, stop, sha.encode()) for start, stop, sha in checksums], CHECKSUM)


def read_checksums(file: h5py.File) -> list[tuple[int, int, str]]:
    """Read first row, row after the last, and digest of each range of rows."""
    return [(int(start), int(stop), sha.decode()) for start, stop, sha in file["checksums"][:]]


def hex_digests(digests: NDArray[np.uint8], status: NDArray[np.uint8]) -> Strings:
    """Give digests as text.

    Parameters
    ----------
    digests
        Shape ``(n, 32)``.
    status
        Shape ``(n,)``.

    Returns
    -------
    ndarray of shape (n,)
        Hexadecimal; ``""`` where the sample failed.
    """
    # One conversion of all bytes, cut into texts of 64 digits, instead of a loop over the rows.
    text = np.frombuffer(digests.tobytes().hex().encode(), f"S{2 * DIGEST_BYTES}").astype(str)
    text[status != Status.OK] = ""
    return text
