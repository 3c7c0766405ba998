"""Write a feature file range by range into a temporary file, and publish it whole."""

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
    ROW_DATASETS,
    Rows,
    SampleTable,
    checksum_table,
    chunks,
    table_checksum,
    write_failures,
    write_json,
    write_table,
    write_text_attribute,
)
from cellfeat.extraction.store.samples import PROPERTIES
from cellfeat.provenance import digest_json, publish


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
        Where the file comes from.
    """

    rows: Iterable[Rows]
    table: SampleTable
    recipe: Mapping[str, Any]
    samples: str
    provenance: Mapping[str, Any]


@contextmanager
def new_hdf5(path: Path, libver: str | None = None) -> Iterator[h5py.File]:
    """Create an HDF5 file that is written through a Python file object.

    HDF5's own writer ends the process when the disk fills up while it closes a file.

    Parameters
    ----------
    path
        The file.
    libver
        Version of the HDF5 format; None: the oldest one that suffices.
    """
    with path.open("w+b") as raw, h5py.File(raw, "w", libver=libver) as file:
        yield file


def write_features(output: Path, shape: tuple[int, int, int], content: Content) -> int:
    """Write a feature file and publish it, replacing an earlier one; returns the number of failures.

    Parameters
    ----------
    output
        The feature file.
    shape
        ``(n_samples, n_views, embedding_dim)``.
    content
        What to write.
    """
    with publish(output) as temporary, new_hdf5(temporary, libver="v110") as file:
        n_failed = _write_rows(file, shape, content.rows)
        write_table(file, content.table)
        write_json(file, "recipe", content.recipe)
        write_json(file, "provenance", content.provenance)
        file.attrs["format"] = FORMAT
        write_text_attribute(file, "fingerprint", digest_json(content.recipe))
        write_text_attribute(file, "samples", content.samples)
        write_text_attribute(file, "checksum", table_checksum(file))
        return n_failed


def _write_rows(file: h5py.File, shape: tuple[int, int, int], ranges: Iterable[Rows]) -> int:
    datasets = _create_row_datasets(file, shape)
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


def _create_row_datasets(file: h5py.File, shape: tuple[int, int, int]) -> list[h5py.Dataset]:
    """Create the datasets of `ROW_DATASETS`, in this order."""
    n = shape[0]
    types = [(shape, np.float32), ((n,), np.uint8), ((n, DIGEST_BYTES), np.uint8), ((n,), PROPERTIES)]
    return [
        file.create_dataset(name, of_shape, dtype, chunks=chunks(shape) if name == "embeddings" else None)
        for name, (of_shape, dtype) in zip(ROW_DATASETS, types, strict=True)
    ]
