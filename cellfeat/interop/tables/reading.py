"""Read a table of any kind; the content of the file decides what it is."""

import zipfile
from pathlib import Path

from cellfeat.errors import FeatureFileError, ManifestError, MissingFileError, ReadError
from cellfeat.interop.tables.hdf5 import is_anndata, is_feature_file, read_anndata, read_hdf5
from cellfeat.interop.tables.numpy_files import read_npy, read_npz
from cellfeat.interop.tables.source import Source
from cellfeat.interop.tables.text_tables import read_csv, read_excel, read_parquet
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr
from cellfeat.samples.tables.foreign import foreign_kind
from cellfeat.text import NO_URLS, is_url, without_credentials

_NUMPY = b"\x93NUMPY"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_KINDS = "CSV, Parquet, Excel, .npy, .npz, .h5ad and HDF5"


def read_source(path: Path, dataset: str | None = None) -> Source:
    """Read a table.

    Parameters
    ----------
    path
        CSV (also compressed by gzip), Parquet, Excel, ``.npy``, ``.npz``, ``.h5ad`` or another HDF5 file.
    dataset
        Dataset of an HDF5 file, or matrix of an AnnData file.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ManifestError, UnknownNameError
        If it is no such table, or damaged.
    FeatureFileError
        If it is a feature file already.
    """
    head = _head(path)
    is_hdf5 = head.startswith(_HDF5)
    kind = None if is_hdf5 or head.startswith(_NUMPY) else foreign_kind(head, path.name)
    if kind is not None:
        raise ManifestError(f"{path}: is {kind}")
    if dataset is not None and not is_hdf5:
        raise ManifestError(f"{path}: --dataset names a part of an HDF5 or .h5ad file, and this is none")
    if is_hdf5:
        return _read_hdf5(path, dataset)
    if head.startswith(b"PAR1"):
        return read_parquet(path)
    if head.startswith(_NUMPY):
        return read_npy(path)
    if head.startswith(b"PK\x03\x04"):
        if path.suffix.lower() in (".xlsx", ".xlsm") and not zipfile.is_zipfile(path):
            raise ManifestError(f"{path}: a damaged or truncated Excel file; copy or save it again")
        # The reader of Excel says what an archive is that is none.
        return read_npz(path) if _holds_arrays(path) else read_excel(path)
    return read_csv(path)


def _read_hdf5(path: Path, dataset: str | None) -> Source:
    if is_feature_file(path):
        raise FeatureFileError(f"{path}: is a feature file already: name it with --features")
    return read_anndata(path, dataset) if is_anndata(path) else read_hdf5(path, dataset)


def _head(path: Path) -> bytes:
    if is_url(str(path)):
        raise MissingFileError(f"{without_credentials(str(path))}: {NO_URLS}")
    if not path.exists():
        raise MissingFileError(f"the table {path} does not exist")
    if not path.is_file():
        raise ManifestError(_of_folder(path) if path.is_dir() else f"{path}: no file")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not head:
        raise ManifestError(f"{path}: is empty (0 bytes); expected {_KINDS}")
    return head


def _of_folder(path: Path) -> str:
    """Say what a folder is that was named as a table, and how to make one file of it."""
    if is_zarr(path):
        return (
            f"{path}: is a folder of Zarr: numpy.savez('cells.npz', X=zarr.open({path.name!r})[...]) writes an array, "
            f"and anndata.read_zarr({path.name!r}).write_h5ad('cells.h5ad') a table of AnnData"
        )
    if path.suffix.lower() == ".parquet" or any(path.glob("*.parquet")):
        return (
            f"{path}: is a folder of Parquet files: pandas.read_parquet({path.name!r}).to_parquet('cells.parquet') "
            "makes one of them"
        )
    return f"{path}: is a folder; expected one file ({_KINDS})"


def _holds_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist()) or path.suffix.lower() == ".npz"
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        # Reading it as .npz says what is wrong.
        return True
