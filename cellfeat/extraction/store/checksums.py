"""Whether the checksums of a feature file match its contents."""

import json
from collections.abc import Iterator

import h5py
import numpy as np

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store.format import Rows, read_checksums, read_failures, read_range, table_checksum
from cellfeat.extraction.store.samples import Status
from cellfeat.storage.url import Location

WAY_OUT = "Take it from a copy, or extract again into another --output"


def verify_table(path: Location, file: h5py.File) -> None:
    """Verify the checksum of the ids, labels and provenance.

    Parameters
    ----------
    path
        The feature file, for messages.
    file
        The same file, open.

    Raises
    ------
    FeatureFileError
        If it does not match.
    """
    if table_checksum(file) != file.attrs["checksum"].decode():
        raise FeatureFileError(
            f"{path}: the checksum of its ids, labels or provenance does not match: damaged or altered. {WAY_OUT}"
        )


def verified_ranges(path: Location, file: h5py.File) -> Iterator[Rows]:
    """Read the rows, one range at a time, and verify the checksum of each.

    Parameters
    ----------
    path
        The feature file, for messages.
    file
        The same file, open.

    Raises
    ------
    FeatureFileError
        If a checksum does not match, or none covers some of the rows.
    """
    failures, allows_missing = read_failures(file), _allows_missing(file)
    expected_start = 0
    for start, stop, expected in read_checksums(file):
        if start != expected_start:
            raise FeatureFileError(f"{path}: no checksum covers rows {expected_start} to {start - 1}")
        rows = read_range(file, range(start, stop), failures)
        if rows.checksum() != expected:
            raise FeatureFileError(
                f"{path}: rows {start} to {stop - 1} do not match their checksum: damaged. {WAY_OUT}"
            )
        _refuse_unexplained(path, rows, allows_missing=allows_missing)
        expected_start = stop
        yield rows
    if expected_start != file["embeddings"].shape[0]:
        raise FeatureFileError(f"{path}: no checksum covers the rows from {expected_start} on")


def _allows_missing(file: h5py.File) -> bool:
    """Whether single numbers may be missing: heads fill them in where the recipe has a scaling."""
    recipe = json.loads(file["recipe"][:].tobytes())
    return isinstance(recipe, dict) and recipe.get("scaling", "none") != "none"


def _refuse_unexplained(path: Location, rows: Rows, *, allows_missing: bool) -> None:
    """Refuse samples with status 0 whose embeddings are not finite, and failed samples without a reason."""
    is_ok = rows.status == Status.OK
    if allows_missing:
        is_missing = np.isnan(rows.embeddings)
        is_finite = (np.isfinite(rows.embeddings) | is_missing).all(axis=(1, 2)) & ~is_missing.all(axis=(1, 2))
    else:
        is_finite = np.isfinite(rows.embeddings).all(axis=(1, 2))
    has_reason = np.isin(np.arange(rows.start, rows.start + len(is_ok)), list(rows.failures))
    for wrong, what in (
        (is_ok & ~is_finite, "embeddings that are not finite"),
        # Every sample either is fine or has a reason: both at once is as wrong as neither.
        (is_ok == has_reason, "a status that the failures do not explain"),
    ):
        if wrong.any():
            raise FeatureFileError(
                f"{path}: {np.count_nonzero(wrong)} samples have {what}, the first in row "
                f"{rows.start + int(wrong.argmax())}; cellfeat writes no such file: extract again into another --output"
            )
