"""Why a file is not read as a feature file: the system refuses it, it is another kind of file, or it is damaged."""

import errno
import shlex
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import h5py

from cellfeat.errors import CellfeatError, FeatureFileError, ReadError
from cellfeat.storage.url import Location
from cellfeat.text import first_line, first_ten, shown_names

_ANOTHER = "for the output of cellfeat extract choose another --output"
CHOOSE = f"expected a feature file that cellfeat extract wrote; {_ANOTHER}"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# By number, too: macOS numbers these errors differently, and a file may come from another system's error.
_LOCKED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK, 11, 35}
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 37, 77}
_NOT_PERMITTED = {errno.EACCES, errno.EPERM}
_OF_CONTENT = {errno.EINVAL, errno.EOVERFLOW, errno.EFBIG}
"""A damaged file makes HDF5 seek to places that cannot be."""
_MOST_LOOKED_AT = 50
_UNLOCKED = "set the environment variable HDF5_USE_FILE_LOCKING=FALSE"
_HEADS: Mapping[bytes, str] = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"II+\0": "a TIFF image",
    b"PAR1": "a Parquet table",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"PK\x03\x04": "a ZIP archive, as .npz, .xlsx, .keras and .pt files are",
    b"\x1f\x8b": "a gzip file, to unpack first unless it is a table",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"CDF\x01": "a NetCDF 3 file",
    b"CDF\x02": "a NetCDF 3 file",
    b"version https://git-lfs": "a Git LFS pointer in place of the file: fetch the file with git lfs pull",
    b"<": "a web page or XML: perhaps a download that failed",
    b"{": "JSON text",
}
_TABLES = ("a Parquet table", "(.npy)", ".npz", "a table (CSV)", "a gzip file")
"""Kinds that ``cellfeat import`` reads, by words of `_HEADS`."""
_OWNERS: Mapping[str, str] = {
    "obs": "AnnData (.h5ad)",
    "model_weights": "Keras",
    "optimizer_weights": "Keras",
    "col_attrs": "Loom",
    "matrix": "10x Genomics",
    "DataSetInfo": "Imaris",
    "Measurements": "CellProfiler",
    "exported_data": "ilastik",
    "t00000": "BigDataViewer",
    "#refs#": "MATLAB",
}
"""Programs by a name that their HDF5 files have at the top."""


def why_not_read(path: Path, error: Exception, shown: Location | None = None) -> CellfeatError:
    """Explain an error of HDF5 about a feature file. Only a file that must be damaged is called damaged.

    Parameters
    ----------
    path
        The file.
    error
        What HDF5 raised.
    shown
        The address that it was fetched from, for messages. None: `path`.

    Returns
    -------
    CellfeatError
        The error to raise.
    """
    refused = system_refusal(path, error)
    if refused is not None:
        return refused
    shown = shown or path
    try:
        kind = _kind_of(path)
    except OSError as unread:
        return system_refusal(path, unread) or FeatureFileError(f"{shown}: cannot be read ({unread})")
    if kind is not None:
        advice = import_command(path, kind) if isinstance(shown, Path) else ""
        return FeatureFileError(f"{shown}: {kind}; {advice or CHOOSE}")
    return FeatureFileError(
        f"{shown}: damaged, or still being copied ({first_line(error)}); take it from a copy, or extract again into "
        f"another --output"
    )


def import_command(path: Path, kind: str) -> str:
    """Give the command that makes a feature file of a table, as advice; "" for what is no table.

    Parameters
    ----------
    path
        The file.
    kind
        What it is, in words.
    """
    if not any(word in kind for word in _TABLES):
        return ""
    more = " --labels TABLE" if "(.npy)" in kind else ""
    return f"make a feature file of it with: {_command(path)}{more}; {_ANOTHER}"


def _command(path: Location) -> str:
    return f"cellfeat import {shlex.quote(str(path))}"


def system_refusal(path: Location, error: Exception) -> ReadError | None:
    """Explain an error of the system, which says nothing about the content of the file; None for any other error.

    Parameters
    ----------
    path
        The file.
    error
        What was raised.
    """
    if "already open for write" in str(error):
        return ReadError(
            f"{path}: is marked as open for writing: a program has it open, or was ended while it had. Close that "
            f"program; if there is none: h5clear -s {path}"
        )
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number in _OF_CONTENT:
        return None
    is_lock = "lock" in str(error)
    if number in _NOT_PERMITTED and not is_lock:
        return ReadError(f"{path}: cannot be read, permission is denied: ask its owner for access")
    if number in NO_LOCKS:
        return ReadError(f"{path}: cannot be locked, its file system offers no locks: {_UNLOCKED}, and start again")
    if number in _LOCKED or is_lock:
        return ReadError(
            f"{path}: is locked: another program has it open. Wait for that program, or close it; if there is none, "
            f"as on some network disks, {_UNLOCKED}"
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ReadError(f"{path}: cannot be read ({reason.splitlines()[0]}): check the disk or the connection to it")


def foreign_hdf5(path: Location, file: h5py.File) -> FeatureFileError:
    """Say whose an HDF5 file is that cellfeat did not write.

    Parameters
    ----------
    path
        The file.
    file
        The same file, opened.
    """
    names = [name for name, _ in zip(file, range(50), strict=False)]
    owners = [owner for name, owner in _OWNERS.items() if name in names]
    if "run" in file.attrs and "start" in file.attrs:
        whose = "it is a part of an unfinished run: start the same extract again"
    elif owners:
        whose = f"it is a file of {owners[0]}"
    else:
        whose = f"it holds {first_ten(shown_names(names)) or 'nothing'}"
    matrix = _first_matrix(file)
    advice = CHOOSE
    if owners[:1] == ["AnnData (.h5ad)"] or matrix:
        more = "" if owners[:1] == ["AnnData (.h5ad)"] else f" --dataset {shlex.quote(matrix)}"
        advice = f"make a feature file of it with: {_command(path)}{more}; {_ANOTHER}"
    return FeatureFileError(
        f"{path}: an HDF5 file, but not a feature file of cellfeat: {whose}; it has no integer attribute 'format' "
        f"beside a 'fingerprint'; {advice}"
    )


def _first_matrix(file: h5py.File) -> str:
    """The first dataset of numbers with two dimensions, near the top; "" where there is none."""
    for name in islice(file, _MOST_LOOKED_AT):
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            continue
        group = file[name]
        inner = islice(group, _MOST_LOOKED_AT) if isinstance(group, h5py.Group) else [None]
        for place in (name if one is None else f"{name}/{one}" for one in inner):
            is_here = isinstance(file.get(place, getlink=True), h5py.HardLink)
            item = file[place] if is_here else None
            if isinstance(item, h5py.Dataset) and item.ndim == 2 and item.dtype.kind in "iuf":
                return f"/{place}"
    return ""


def _kind_of(path: Path) -> str | None:
    """Describe a file that is not HDF5; None for one that is, or that nothing is known of."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        return "is empty (0 bytes), so it holds no features"
    if head.startswith(_HDF5):
        return None
    for magic, kind in _HEADS.items():
        if head.startswith(magic):
            return f"is not HDF5, but {kind}"
    if not head.strip(b"\0"):
        return "starts with zeros in place of HDF5: an incomplete copy, or a damaged file; take it from a copy"
    return f"is not HDF5, but {_kind_of_text(head)}"


def _kind_of_text(head: bytes) -> str:
    try:
        line = head.decode("utf-8-sig", errors="strict" if len(head) < 4096 else "ignore").partition("\n")[0]
    except UnicodeDecodeError:
        return f"a file that starts with {head[:8]!r}"
    if not line.rstrip("\r").isprintable():
        return f"a file that starts with {head[:8]!r}"
    return "a table (CSV)" if any(separator in line for separator in ",;\t") else "text"
