"""Open a feature file only if it is one: anything else, and anything that would make HDF5 read elsewhere, is refused.

The types, shapes and places of all datasets are checked before a number of them is read. Variable-length types are
refused, too: HDF5 reads them without any checks.
"""

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import h5py
import numpy as np

from cellfeat.errors import CellfeatError, FeatureFileError, MissingFileError
from cellfeat.extraction.store.checksums import verified_ranges, verify_table
from cellfeat.extraction.store.columns import BYTES, OFFSETS
from cellfeat.extraction.store.format import CHECKSUM, DIGEST_BYTES, DIGESTS, FORMAT, parts_folder
from cellfeat.extraction.store.geometry import FIELD, GEOMETRY, NUMBERS, OPTIONAL
from cellfeat.extraction.store.samples import INTENSITIES, PROPERTIES
from cellfeat.extraction.store.stored_type import STORED_TYPES
from cellfeat.extraction.store.unreadable import CHOOSE, foreign_hdf5, why_not_read
from cellfeat.provenance import link_target
from cellfeat.storage.file_cache import fetched
from cellfeat.storage.url import Location, Url, as_location

LONGEST_ATTRIBUTE = 4096
HDF5_FAULTS = (OSError, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError, AttributeError)
"""What reading a damaged file may raise, beside MemoryError."""
_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_Shape = tuple[int | None, ...]


@contextmanager
def opened(location: Location) -> Iterator[h5py.File]:
    """Open a feature file for reading; any error of HDF5 in the block becomes a `FeatureFileError`.

    A file of an object store is fetched to the cache, and verified there once: see `cellfeat.storage.file_cache`.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ReadError
        If the system does not let it be read: it is locked, not permitted, or its disk fails.
    FeatureFileError
        If it is not a feature file of this format, or damaged.
    """
    location = as_location(location)  # a path may be an address whose // was shortened
    if isinstance(location, Path):
        _refuse_all_but_files(location)
        path = location
    else:
        path = fetched(location, partial(_verify, location))
    with _opened_as(location, path) as file:
        yield file


_MOST_SHOWN = 10
"""Feature files beside a missing one that are named."""


def _verify(url: Url, path: Path) -> None:
    """Verify every checksum of a file that was just fetched."""
    with _opened_as(url, path) as file:
        verify_table(url, file)
        for _ in verified_ranges(url, file):
            pass


@contextmanager
def _opened_as(shown: Location, path: Path) -> Iterator[h5py.File]:
    """Open the file at `path`; errors name it as `shown`."""
    try:
        with h5py.File(path, "r") as file:
            _refuse_other_formats(shown, file)
            _check_layout(Layout(shown, file))
            yield file
    except CellfeatError:
        # It is also a ValueError or an OSError, which the last handler would wrap again.
        raise
    except MemoryError as error:
        raise FeatureFileError(
            f"{shown}: does not fit into memory ({error}), or is damaged; read it on a machine with more memory, take "
            f"it from a copy, or extract again into another --output"
        ) from error
    except HDF5_FAULTS as error:
        raise why_not_read(path, error, shown) from error


def _refuse_all_but_files(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno not in _MISSING:
            raise why_not_read(path, error) from error
        raise MissingFileError(_why_missing(path)) from None
    except ValueError:  # a NUL character in the name
        raise MissingFileError(f"the feature file {path} does not exist") from None
    if stat.S_ISDIR(mode):
        results = f"{path}: is a folder of results; name its feature file, and the folder with --results where it goes"
        is_of_results = (path / "samples.json").is_file()
        raise FeatureFileError(results if is_of_results else f"{path}: is a folder; {CHOOSE}")
    if not stat.S_ISREG(mode):  # opening a pipe would wait forever
        raise FeatureFileError(f"{path}: is not a regular file; {CHOOSE}")


def _why_missing(path: Path) -> str:
    if path.is_symlink():
        return f"the feature file {path} is a link to {link_target(path)}, which does not exist: mount that disk"
    unfinished = parts_folder(path)
    hint = f"{unfinished} holds an unfinished run: start the same extract again" if unfinished.exists() else None
    beside = sorted(one.name for one in path.parent.glob("*.h5"))[:_MOST_SHOWN]
    near = f"; beside it: {', '.join(beside)}" if beside else ""
    make = f"make it with: cellfeat extract (of images) or cellfeat import (of a table){near}"
    return f"the feature file {path} does not exist; {hint or make}"


@dataclass(frozen=True)
class Layout:
    """Checks what lies in an HDF5 file against what cellfeat writes, without reading any of it.

    Attributes
    ----------
    path
        The file's name, for messages.
    file
        The open file.
    """

    path: Location
    file: h5py.File

    @cached_property
    def _n_bytes(self) -> int:
        return int(self.file.id.get_filesize())

    def dataset(self, name: str, dtype: np.dtype | type | tuple[np.dtype, ...], shape: _Shape) -> h5py.Dataset:
        """Find a dataset; one of another type or shape, or whose data lie elsewhere, is refused.

        Parameters
        ----------
        name
            Its path in the file.
        dtype
            Its type, or its possible types.
        shape
            Its shape; None stands for any number.
        """
        found = self._plain_dataset(name)
        allowed = dtype if isinstance(dtype, tuple) else (np.dtype(dtype),)
        if found.dtype not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise FeatureFileError(f"{self.path}: dataset {name!r} has type {found.dtype}, expected {wanted}")
        self._shape(name, found, shape)
        return found

    def texts(self, name: str, n_rows: int | None) -> None:
        """Refuse anything but a column of text: fixed-length, or bytes with offsets.

        Parameters
        ----------
        name
            Its path in the file.
        n_rows
            Its number of rows; None: any.
        """
        found = self._found(name)
        if isinstance(found, h5py.Group):
            self.group(name, {BYTES, OFFSETS})
            self.dataset(f"{name}/{BYTES}", np.uint8, (None,))
            self.dataset(f"{name}/{OFFSETS}", np.dtype("<i8"), (None if n_rows is None else n_rows + 1,))
            return
        found = self._plain_dataset(name, found)
        kind = found.id.get_type()
        if not isinstance(kind, h5py.h5t.TypeStringID) or kind.is_variable_str():
            raise FeatureFileError(f"{self.path}: dataset {name!r} has type {found.dtype}, expected fixed-length text")
        self._shape(name, found, (n_rows,))

    def group(self, name: str, members: set[str] | None = None) -> None:
        """Refuse a group that is missing or a link.

        Parameters
        ----------
        name
            Its path in the file; the groups above it are checked already.
        members
            The only names that may be in it; None: any.
        """
        found = self._found(name)
        if not isinstance(found, h5py.Group):
            raise FeatureFileError(f"{self.path}: group {name!r} is missing or a link to elsewhere")
        others = set() if members is None else set(found) - members
        if others:
            raise FeatureFileError(f"{self.path}: group {name!r} holds {min(others)!r}, which no feature file has")

    def text_attribute(self, name: str) -> str:
        """Read a short text attribute of the file, unless it is of another type."""
        if name not in self.file.attrs:
            raise FeatureFileError(f"{self.path}: damaged: attribute {name!r} is missing")
        found = self.file.attrs.get_id(name)
        kind = found.get_type()
        is_text = isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
        if not is_text or found.shape != () or kind.get_size() > LONGEST_ATTRIBUTE:
            raise FeatureFileError(f"{self.path}: damaged: attribute {name!r} is not a short fixed-length text")
        return str(self.file.attrs[name].decode())

    def number_attribute(self, name: str) -> int | None:
        """Read an integer attribute of the file; None where it is missing or of another type."""
        if name not in self.file.attrs:
            return None
        found = self.file.attrs.get_id(name)
        is_integer = isinstance(found.get_type(), h5py.h5t.TypeIntegerID) and found.shape == ()
        return int(self.file.attrs[name]) if is_integer else None

    def _found(self, name: str) -> h5py.Dataset | h5py.Group | None:
        """Find an object that lies in this file; None where it is missing or a link."""
        links, place = self.file.id.links, name.encode()
        is_here = links.exists(place) and links.get_info(place).type == h5py.h5l.TYPE_HARD
        return self.file[name] if is_here else None

    def _plain_dataset(self, name: str, dataset: h5py.Dataset | h5py.Group | None = None) -> h5py.Dataset:
        """Find a dataset that lies in this file, unfiltered, and is stored whole.

        A few bytes can claim a shape of terabytes, and reading that would end the process.
        """
        dataset = self._found(name) if dataset is None else dataset
        if dataset is None:
            raise FeatureFileError(f"{self.path}: dataset {name!r} is missing or a link to elsewhere")
        if not isinstance(dataset, h5py.Dataset):
            raise FeatureFileError(f"{self.path}: {name!r} is not a dataset")
        created = dataset.id.get_create_plist()
        is_elsewhere = created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count()
        if is_elsewhere or created.get_nfilters():
            raise FeatureFileError(
                f"{self.path}: dataset {name!r} takes its data from elsewhere or through a filter: refused"
            )
        # The size is None for a dataset without a shape.
        claimed, stored = (dataset.size or 0) * dataset.id.get_type().get_size(), dataset.id.get_storage_size()
        if stored < claimed:
            raise FeatureFileError(
                f"{self.path}: dataset {name!r} holds less than its shape {dataset.shape} claims; damaged"
            )
        if stored > self._n_bytes:
            raise FeatureFileError(f"{self.path}: dataset {name!r} claims more bytes than the file has; damaged")
        return dataset

    def _shape(self, name: str, dataset: h5py.Dataset, expected: _Shape) -> None:
        found = dataset.shape
        is_scalar_or_null = found is None or len(found) != len(expected)
        if is_scalar_or_null or any(n not in (None, m) for n, m in zip(expected, found, strict=True)):
            wanted = ", ".join("any" if n is None else str(n) for n in expected)
            raise FeatureFileError(f"{self.path}: dataset {name!r} has shape {found}, expected ({wanted})")


def _refuse_other_formats(path: Location, file: h5py.File) -> None:
    found = Layout(path, file).number_attribute("format")
    # Other programs number their formats, too.
    if found is None or "fingerprint" not in file.attrs:
        raise foreign_hdf5(path, file)
    if found == 1:
        raise FeatureFileError(
            f"{path}: a feature file of format 1, written by cellfeat 0.1; expected format {FORMAT}: extract again "
            f"into another --output, or read it with cellfeat 0.1"
        )
    if found != FORMAT:
        raise FeatureFileError(
            f"{path}: feature file format {found}, expected {FORMAT}; it was written by a newer version of cellfeat: "
            f"install that version, or extract again into another --output"
        )


def _check_layout(layout: Layout) -> None:
    n_samples = layout.dataset("embeddings", STORED_TYPES, (None, None, None)).shape[0]
    if n_samples == 0:
        raise FeatureFileError(f"{layout.path}: holds no samples; extract again into another --output")
    layout.dataset("status", np.uint8, (n_samples,))
    layout.dataset("pixel_digest", np.uint8, (n_samples, DIGEST_BYTES))
    layout.dataset("properties", PROPERTIES, (n_samples,))
    layout.dataset("intensities", INTENSITIES, (n_samples, None))
    layout.dataset("checksums", CHECKSUM, (None,))
    for name in ("recipe", "provenance"):
        layout.dataset(name, np.uint8, (None,))
    check_failures(layout)
    _check_table(layout, n_samples)
    _check_geometry(layout, n_samples)
    for name in (*DIGESTS, "checksum"):
        layout.text_attribute(name)


def check_failures(layout: Layout) -> None:
    """Refuse failures that are not rows and reasons, in a feature file or a part."""
    layout.group("failures", {"row", "reason"})
    rows = layout.dataset("failures/row", np.dtype("<i8"), (None,))
    layout.texts("failures/reason", rows.shape[0])


def _check_table(layout: Layout, n_samples: int) -> None:
    layout.texts("sample_id", n_samples)
    layout.group("manifest", {"label", "group", "column_names", "columns"})
    for name in ("label", "group"):
        layout.texts(f"manifest/{name}", n_samples)
    # First that it is a group, because its length is taken next.
    layout.group("manifest/columns")
    numbers = [f"{number:03d}" for number in range(len(layout.file["manifest/columns"]))]
    layout.group("manifest/columns", set(numbers))
    layout.texts("manifest/column_names", len(numbers))
    for number in numbers:
        layout.texts(f"manifest/columns/{number}", n_samples)


def _check_geometry(layout: Layout, n_samples: int) -> None:
    """Refuse places on fields that are not a row for each sample; a file of whole images has none."""
    # As a name, which a link to elsewhere has too.
    if GEOMETRY not in set(layout.file):
        return
    layout.group(GEOMETRY, {FIELD, *NUMBERS})
    layout.texts(f"{GEOMETRY}/{FIELD}", n_samples)
    present = set(layout.file[GEOMETRY])
    for name, (dtype, n_numbers) in NUMBERS.items():
        if name in present or name not in OPTIONAL:
            layout.dataset(f"{GEOMETRY}/{name}", dtype, (n_samples, *([n_numbers] if n_numbers else [])))
