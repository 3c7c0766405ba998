"""A feature file is written range by range into a temporary file, and published whole."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cellfeat.extraction.store.format import (
    DIGEST_BYTES,
    FORMAT,
    Rows,
    SampleTable,
    checksum_table,
    chunks,
    failure_table,
    table_checksum,
    write_table,
)
from cellfeat.provenance import canonical_json, digest_json, publish


@dataclass(frozen=True)
class Content:
    """What a feature file is to hold.

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
        Where the file comes from.
    """

    rows: Iterable[Rows]
    table: SampleTable
    recipe: Mapping[str, Any]
    samples: str
    provenance: Mapping[str, Any]


@contextmanager
def new_hdf5(path: Path, libver: str | None = None) -> Iterator[h5py.File]:
    """Make an HDF5 file that is written through a file of Python's.

    HDF5's own way of writing takes the process down where the disk fills up while it closes a file.
    """
    with path.open("w+b") as raw, h5py.File(raw, "w", libver=libver) as file:
        yield file


def write_features(output: Path, shape: tuple[int, int, int], content: Content) -> int:
    """Write a feature file and publish it, in place of an earlier one; returns the number of failures.

    Parameters
    ----------
    output
        Where to.
    shape
        ``(n_samples, n_views, embedding_dim)``.
    content
        What it is to hold.
    """
    with publish(output) as temporary, new_hdf5(temporary, libver="v110") as file:
        _write_rows(file, shape, content.rows)
        write_table(file, content.table)
        file.attrs.update(
            format=FORMAT,
            fingerprint=digest_json(content.recipe),
            samples=content.samples,
            recipe=canonical_json(content.recipe),
            provenance=canonical_json(content.provenance),
        )
        file.attrs["checksum"] = table_checksum(file)
        return len(file["failures"])


def _write_rows(file: h5py.File, shape: tuple[int, int, int], ranges: Iterable[Rows]) -> None:
    embeddings = file.create_dataset("embeddings", shape, np.float32, chunks=chunks(shape))
    status = file.create_dataset("status", (shape[0],), np.uint8)
    digests = file.create_dataset("pixel_digest", (shape[0], DIGEST_BYTES), np.uint8)
    failures: dict[int, str] = {}
    checksums = []
    for rows in ranges:
        here = slice(rows.start, rows.start + len(rows))
        embeddings[here], status[here], digests[here] = rows.embeddings, rows.status, rows.pixel_digest
        failures.update(rows.failures)
        checksums.append((here.start, here.stop, rows.checksum()))
    file["failures"] = failure_table(failures)
    file["checksums"] = checksum_table(checksums)
