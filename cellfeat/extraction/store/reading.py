"""The finished file: what it says of itself, its rows, and whether every checksum holds."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store.format import (
    DIGEST_BYTES,
    Rows,
    SampleTable,
    hex_digests,
    read_checksums,
    read_columns,
    read_failures,
    read_range,
    read_text,
    table_checksum,
    write_table,
)
from cellfeat.extraction.store.opening import opened
from cellfeat.extraction.store.samples import Samples, Status
from cellfeat.provenance import canonical_json, digest_json, publish
from cellfeat.types import Float32s, Integers


@dataclass(frozen=True)
class Features:
    """A feature file in memory.

    Attributes
    ----------
    path
        Where it was read from.
    samples
        Their ids, labels, groups and pixel digests.
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``, float32; view 0 is the untouched image; NaN where the sample
        could not be read.
    fingerprint
        Digest of `recipe`.
    recipe
        Everything that can change an embedding.
    provenance
        Where the file came from: settings, versions, device, times.
    """

    path: Path
    samples: Samples
    embeddings: Float32s
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, rows: Integers) -> Self:
        """Give the features of some samples, in the order of `rows`, their row numbers."""
        return replace(self, samples=self.samples.take(rows), embeddings=self.embeddings[rows])


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


def read_summary(path: Path) -> Summary:
    """Read what a feature file says of itself, in time that does not grow with its rows.

    Raises
    ------
    MissingFileError, FeatureFileError
        If there is no such file, or it is not a feature file of this format.
    """
    with opened(path) as file:
        return _summary(path, file)


def read_table(path: Path) -> SampleTable:
    """Read the ids, labels, groups and further columns of a feature file."""
    with opened(path) as file:
        table = file["manifest"]
        return SampleTable(
            sample_id=read_text(file, "sample_id").tolist(),
            label=read_text(table, "label").tolist(),
            group=read_text(table, "group").tolist(),
            columns={name: values.tolist() for name, values in read_columns(table["columns"]).items()},
        )


def read_pixel_digests(path: Path) -> np.ndarray:
    """Read the digests of the pixels alone: ``(n_samples,)`` str, ``""`` where the sample failed."""
    with opened(path) as file:
        return hex_digests(file["pixel_digest"][:], file["status"][:])


def read_embeddings(path: Path, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Read the embeddings of some rows, in ascending order: ``(len(rows), n_views, embedding_dim)`` float32.

    No checksum is looked at; `verify_features` does.
    """
    with opened(path) as file:
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
    with opened(path) as file:
        summary = _summary(path, file)
        _verify_table(path, file)
        rows = _read_verified_rows(path, file)
        table = file["manifest"]
        return Features(
            path=path,
            samples=Samples(
                ids=read_text(file, "sample_id"),
                labels=read_text(table, "label"),
                groups=read_text(table, "group"),
                status=rows.status,
                digests=hex_digests(rows.pixel_digest, rows.status),
                columns=read_columns(table["columns"]),
                failures=rows.failures,
            ),
            embeddings=rows.embeddings,
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
    with opened(path) as file:
        summary = _summary(path, file)
        _verify_table(path, file)
        for _ in _verified_ranges(path, file):
            pass
        return summary


def replace_table(path: Path, table: SampleTable, provenance: Mapping[str, Any]) -> None:
    """Give a feature file other labels, groups and columns; its embeddings stay, and it is published anew."""
    with publish(path) as temporary:
        shutil.copyfile(path, temporary)
        with temporary.open("r+b") as raw, h5py.File(raw, "r+") as file:
            del file["sample_id"], file["manifest"]
            write_table(file, table)
            file.attrs["provenance"] = canonical_json(provenance)
            file.attrs["checksum"] = table_checksum(file)


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


def _verify_table(path: Path, file: h5py.File) -> None:
    if table_checksum(file) != file.attrs["checksum"]:
        raise FeatureFileError(
            f"{path}: the checksum of its ids, labels or provenance does not match: damaged or altered. "
            f"Take it from a copy, or delete it and extract again"
        )


def _verified_ranges(path: Path, file: h5py.File) -> Iterator[Rows]:
    failures = read_failures(file)
    expected_start = 0
    for start, stop, expected in read_checksums(file):
        if start != expected_start:
            raise FeatureFileError(f"{path}: no checksum covers rows {expected_start} to {start - 1}")
        rows = read_range(file, range(start, stop), failures)
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
        here = slice(rows.start, rows.start + len(rows))
        embeddings[here], status[here], digests[here] = rows.embeddings, rows.status, rows.pixel_digest
    return Rows(0, embeddings, status, digests, read_failures(file))
