"""Read a finished file: its summary, its rows, and whether every checksum holds."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cellfeat.errors import ConfigError, FeatureFileError
from cellfeat.extraction.store.checksums import WAY_OUT, verified_ranges, verify_table
from cellfeat.extraction.store.chosen_rows import check_rows
from cellfeat.extraction.store.columns import read_strings
from cellfeat.extraction.store.features import Features
from cellfeat.extraction.store.format import (
    Rows,
    RowShape,
    empty_rows,
    hex_digests,
    read_failures,
    row_shape,
    table_checksum,
    write_json,
    write_text_attribute,
)
from cellfeat.extraction.store.geometry import GEOMETRY, read_geometry
from cellfeat.extraction.store.mapping import mapped_embeddings
from cellfeat.extraction.store.opening import opened
from cellfeat.extraction.store.sample_table import SampleTable, read_columns, read_table_of, write_table
from cellfeat.extraction.store.samples import Intensities, Properties, Samples
from cellfeat.extraction.store.stored_type import FLOAT32, stored_type
from cellfeat.provenance import digest_json
from cellfeat.storage.publishing import publish_at
from cellfeat.storage.url import Location, Url, as_location
from cellfeat.types import Float32s, Integers, Strings


@dataclass(frozen=True)
class Summary:
    """The header of a feature file, read without its embeddings.

    Attributes
    ----------
    path
        The file.
    n_samples, n_views, embedding_dim
        Shape of the embeddings.
    n_failed
        Samples that could not be read.
    samples
        Digest of the manifest's ids and file names.
    fingerprint, recipe, provenance
        As in `Features`.
    """

    path: Location
    n_samples: int
    n_views: int
    embedding_dim: int
    n_failed: int
    samples: str
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]


def read_summary(path: Location) -> Summary:
    """Read the header of a feature file, in time that does not grow with its rows.

    Raises
    ------
    MissingFileError, FeatureFileError
        If there is no such file, or it is not a feature file of this format.
    """
    with opened(path) as file:
        return _summary(path, file)


def local_file(path: Location) -> Path:
    """Give the path of a feature file on this machine: of an address, the copy that was fetched."""
    if isinstance(path, Path):
        return path
    with opened(path) as file:
        return Path(file.filename)


def read_table(path: Location) -> SampleTable:
    """Read the ids, labels, groups and further columns of a feature file."""
    with opened(path) as file:
        return read_table_of(file)


def read_properties(path: Location) -> Properties:
    """Read what the files of each sample are."""
    with opened(path) as file:
        return Properties(file["properties"][:])


def read_intensities(path: Location) -> Intensities:
    """Read the intensities of each channel of each sample."""
    with opened(path) as file:
        return Intensities(file["intensities"][:])


def read_pixel_digests(path: Location) -> Strings:
    """Read the digests of the pixels alone: shape ``(n_samples,)``, ``""`` where the sample failed."""
    with opened(path) as file:
        return hex_digests(file["pixel_digest"][:], file["status"][:])


def read_embeddings(path: Location, rows: Sequence[int] | Integers) -> Float32s:
    """Read the embeddings of some rows; `verify_features` compares checksums, this does not.

    Parameters
    ----------
    path
        The feature file.
    rows
        Row numbers in any order, shape ``(n,)``.

    Returns
    -------
    ndarray of shape (n, n_views, embedding_dim)
        float32, in whichever type they are stored.

    Raises
    ------
    ManifestError
        If there are no such rows.
    MissingFileError, FeatureFileError
        As `load_features`.
    """
    numbers = np.asarray(rows, dtype=np.intp)
    with opened(path) as file:
        embeddings = file["embeddings"]
        check_rows(numbers, len(embeddings))
        # HDF5 reads rows in ascending order, and each of them once.
        ascending, places = np.unique(numbers % max(1, len(embeddings)), return_inverse=True)
        return np.asarray(embeddings[ascending], np.float32)[places]


def load_features(path: Location | str) -> Features:
    """Read a feature file and verify every checksum.

    Embeddings of a gigabyte or more stay in the file and are mapped into memory, on systems other than Windows: pages
    are read when a row is needed. Changes of the array never reach the file.

    Parameters
    ----------
    path
        A file that `extract` wrote, or its address, such as ``s3://lab/cells.h5``: it is fetched to a cache.

    Raises
    ------
    MissingFileError, FeatureFileError
        If there is no such file, it is not a feature file of this format, or a checksum does not match.
    """
    location: Location = as_location(path)
    with opened(location) as file:
        summary = _summary(location, file)
        verify_table(location, file)
        rows = _read_verified_rows(location, file)
        return Features(
            path=location,
            samples=_samples(file, rows),
            embeddings=rows.embeddings,
            fingerprint=summary.fingerprint,
            recipe=summary.recipe,
            provenance=summary.provenance,
        )


def as_features(features: Features | Location | str) -> Features:
    """Give features that may be named by the path of their file: the form in which public functions take them.

    Raises
    ------
    ConfigError
        If this is neither.
    MissingFileError, FeatureFileError
        As `load_features`.
    """
    if isinstance(features, Features):
        return features
    if isinstance(features, str | os.PathLike | Url):
        return load_features(Path(features) if isinstance(features, os.PathLike) else features)
    raise ConfigError(
        f"features: expected Features or the path of a feature file, got {type(features).__name__}; "
        "Features.from_arrays makes them of a table or an array, load_features of a file"
    )


def verify_features(path: Location | str) -> Summary:
    """Verify every checksum of a feature file, one range of rows at a time.

    Parameters
    ----------
    path
        The feature file.

    Raises
    ------
    MissingFileError, FeatureFileError
        As `load_features`.
    """
    location: Location = as_location(path)
    with opened(location) as file:
        summary = _summary(location, file)
        verify_table(location, file)
        read_table_of(file)  # texts may be unreadable although the digest of their bytes is right
        for _ in verified_ranges(location, file):
            pass
        return summary


def replace_table(path: Location, table: SampleTable, provenance: Mapping[str, Any]) -> None:
    """Give a feature file other labels, groups, columns and places; its rows stay, and it is published anew.

    Parameters
    ----------
    path
        The feature file.
    table
        The new columns, of the same samples in the same order.
    provenance
        The new provenance.
    """
    with publish_at(path) as temporary:
        with opened(path) as earlier:
            shutil.copyfile(earlier.filename, temporary)
        with temporary.open("r+b") as raw, h5py.File(raw, "r+") as file:
            for name in {"sample_id", "manifest", "provenance", GEOMETRY} & set(file):
                del file[name]
            write_table(file, table)
            write_json(file, "provenance", provenance)
            write_text_attribute(file, "checksum", table_checksum(file))


def _samples(file: h5py.File, rows: Rows) -> Samples:
    manifest = file["manifest"]
    has_images = rows.intensities.shape[1] > 0
    return Samples(
        ids=read_strings(file, "sample_id"),
        labels=read_strings(manifest, "label"),
        groups=read_strings(manifest, "group"),
        status=rows.status,
        digests=hex_digests(rows.pixel_digest, rows.status),
        columns=read_columns(file),
        failures=rows.failures,
        properties=Properties(rows.properties) if has_images else None,
        intensities=Intensities(rows.intensities) if has_images else None,
        regions=read_geometry(file),
    )


def _summary(path: Location, file: h5py.File) -> Summary:
    n_samples, n_views, embedding_dim = file["embeddings"].shape
    recipe = _read_json(file, "recipe")
    fingerprint = file.attrs["fingerprint"].decode()
    stored = file["embeddings"].dtype
    if stored != np.dtype(stored_type(recipe)):
        raise FeatureFileError(
            f"{path}: its embeddings are {stored}, and its recipe says {stored_type(recipe)}: damaged or altered. "
            f"{WAY_OUT}"
        )
    if digest_json(recipe) != fingerprint:
        raise FeatureFileError(
            f"{path}: its fingerprint is not the digest of its recipe: damaged or altered. {WAY_OUT}"
        )
    return Summary(
        path=path,
        n_samples=n_samples,
        n_views=n_views,
        embedding_dim=embedding_dim,
        n_failed=file["failures/row"].shape[0],
        samples=file.attrs["samples"].decode(),
        fingerprint=fingerprint,
        recipe=recipe,
        provenance=_read_json(file, "provenance"),
    )


def _read_json(file: h5py.File, name: str) -> Any:
    return json.loads(file[name][:].tobytes())


def _read_verified_rows(path: Location, file: h5py.File) -> Rows:
    """Read the rows and verify them; embeddings of a large file stay there, and are mapped into memory."""
    mapped = mapped_embeddings(file)
    shape = row_shape(file)._replace(stored=FLOAT32)
    # Filled range by range, so that the rows are never in memory twice.
    embeddings, *others = empty_rows(0, len(file["status"]), shape if mapped is None else _without(shape)).arrays()
    for rows in verified_ranges(path, file):
        here = slice(rows.start, rows.start + len(rows))
        read, *read_others = rows.arrays()
        if mapped is None:
            embeddings[here] = read
        for array, some in zip(others, read_others, strict=True):
            array[here] = some
    return Rows.from_arrays(0, (embeddings if mapped is None else mapped, *others), read_failures(file))


def _without(shape: RowShape) -> RowShape:
    return shape._replace(embedding_dim=0)
