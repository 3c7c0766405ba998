"""AnnData files (``.h5ad``) and datasets of other HDF5 files, read with h5py alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import scipy.sparse
from numpy.typing import NDArray

from cellfeat.errors import CellfeatError, ManifestError, UnknownNameError
from cellfeat.interop.tables.source import Source, check_same_length
from cellfeat.text import first_line, first_ten, near_names

MOST_BYTES = 16_000_000_000
"""Largest matrix that is read: a sparse one of many genes may be small in its file and not in memory."""

MOST_OBJECTS = 10_000
"""Objects of a file that are looked at."""

_FAULTS = (OSError, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError, AttributeError)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except CellfeatError:
        raise
    except MemoryError:
        raise ManifestError(f"{path}: does not fit into memory, or is damaged") from None
    except _FAULTS as error:
        raise ManifestError(
            f"{path}: cannot be read as HDF5: {first_line(error)}; it is damaged, still being written, or has a form "
            "that is not read"
        ) from None


def is_anndata(path: Path) -> bool:
    """Whether an HDF5 file has the groups of AnnData."""
    with _opened(path) as file:
        return "obs" in file and ("X" in file or "obsm" in file)


def is_feature_file(path: Path) -> bool:
    """Whether cellfeat wrote an HDF5 file."""
    with _opened(path) as file:
        return "format" in file.attrs and "fingerprint" in file.attrs


def _matrices(file: h5py.File) -> list[str]:
    found = [name for name, item in _datasets(file) if item.ndim in (2, 3) and item.dtype.kind in "buif"]
    return [f"/{name}" for name in found]


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Datasets that lie in the file itself: links to other files are not followed."""
    waiting, n_seen = [("", file)], 0
    while waiting and n_seen < MOST_OBJECTS:
        prefix, group = waiting.pop(0)
        for name in group:
            n_seen += 1
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item, place = group[name], f"{prefix}{name}"
            if isinstance(item, h5py.Dataset) and item.shape is not None:
                yield place, item
            elif isinstance(item, h5py.Group) and prefix.count("/") < 8:
                waiting.append((f"{place}/", item))


def read_hdf5(path: Path, dataset: str | None) -> Source:
    """Read a dataset of an HDF5 file; datasets of one dimension and as many rows become columns beside it.

    Parameters
    ----------
    path
        The file.
    dataset
        Path of the dataset in the file; None: the only one of two or three dimensions.

    Raises
    ------
    ManifestError, UnknownNameError
        If there is no such dataset of numbers, or several where none is named.
    """
    with _opened(path) as file:
        if dataset is None:
            _check_program(path, file)
        name = dataset or _only_matrix(path, _matrices(file))
        if name not in file or not isinstance(file[name], h5py.Dataset):
            raise UnknownNameError(f"{path}: no dataset is called {name!r}; {near_names(name, _matrices(file))}")
        array = _numbers(path, name, file[name])
        columns = {
            f"/{other}": _column(item)
            for other, item in _datasets(file)
            if item.shape == (len(array),) and f"/{other}" != name and item.dtype.kind in "buifSUO"
        }
        return Source(path, pa.table(columns), array, what=f"dataset {name} of an HDF5 file")


def _check_program(path: Path, file: h5py.File) -> None:
    """Refuse files of programs that keep samples as columns, or names and ids apart from the numbers."""
    told = ""
    if {"row_attrs", "col_attrs"} <= set(file):
        told = "a loom file, which has a row for each gene: anndata.read_loom(FILE).write_h5ad('cells.h5ad')"
    elif isinstance(file.get("matrix"), h5py.Group) and "barcodes" in file["matrix"]:
        told = "a matrix of 10x Genomics: scanpy.read_10x_h5(FILE).write_h5ad('cells.h5ad')"
    elif any("pandas_type" in item.attrs for item in file.values() if isinstance(item, h5py.Group)):
        told = "a table that pandas wrote (to_hdf): pandas.read_hdf(FILE).to_parquet('cells.parquet')"
    if told:
        raise ManifestError(f"{path}: is {told} makes a file that is read; --dataset NAME takes an array as it stands")


def _only_matrix(path: Path, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise ManifestError(f"{path}: holds no dataset of numbers with one row for each sample")
    raise ManifestError(
        f"{path}: holds {len(names)} datasets of two or three dimensions: {first_ten(names)}; say which with --dataset"
    )


def read_anndata(path: Path, matrix: str | None) -> Source:
    """Read an AnnData file: ``X``, a layer or a matrix of ``obsm``, with the columns of ``obs``.

    Parameters
    ----------
    path
        The file.
    matrix
        ``X``, ``obsm/NAME`` or ``layers/NAME``, also without its group; None: ``X``, or the only matrix of ``obsm``
        where there is no ``X``.

    Raises
    ------
    ManifestError, UnknownNameError
        If there is no such matrix, or the file is not as AnnData writes it.
    """
    with _opened(path) as file:
        known = _anndata_matrices(file)
        name = _chosen(path, matrix, known)
        array = _matrix(path, name, file[name])
        columns, index = _frame(path, file, "obs")
        if isinstance(file[name], h5py.Group) and _encoding(file[name]) == "dataframe":
            names = _column_order(file[name])
        elif name.startswith("obsm/"):
            names = None
        else:
            names = _frame_index(path, file, "var").tolist()
        source = Source(
            path,
            pa.table(columns),
            array,
            names=names if names and len(names) == array.shape[-1] else None,
            what=f"{name} of an AnnData file",
            own_id=index,
        )
        check_same_length(source, len(source.table), "obs")
        return source


def _anndata_matrices(file: h5py.File) -> list[str]:
    found = ["X"] if "X" in file and _encoding(file["X"]) != "null" else []
    for group in ("obsm", "layers"):
        found += [f"{group}/{name}" for name in file[group]] if isinstance(file.get(group), h5py.Group) else []
    return found


def _chosen(path: Path, matrix: str | None, known: list[str]) -> str:
    if matrix is None:
        others = [name for name in known if name.startswith("obsm/")]
        if "X" in known:
            return "X"
        if len(others) == 1:
            return others[0]
        raise ManifestError(f"{path}: has no X; name a matrix with --dataset: {first_ten(known) or 'there is none'}")
    wanted = matrix.strip("/")
    found = [name for name in known if wanted in (name, name.partition("/")[2])]
    if not found:
        raise UnknownNameError(f"{path}: no matrix is called {wanted!r}; {near_names(wanted, known)}")
    return found[0]


def _matrix(path: Path, name: str, item: h5py.Dataset | h5py.Group) -> NDArray[Any]:
    if isinstance(item, h5py.Dataset):
        return _numbers(path, name, item)
    encoding = _encoding(item)
    if encoding == "dataframe":
        return np.stack([np.asarray(_column(item[key]), dtype=np.float64) for key in _column_order(item)], axis=1)
    if encoding not in ("csr_matrix", "csc_matrix", "csr", "csc"):
        raise ManifestError(f"{path}: {name} is encoded as {encoding!r}; expected a dense, CSR or CSC matrix")
    return _dense(path, name, item, encoding)


def _dense(path: Path, name: str, item: h5py.Group, encoding: str) -> NDArray[Any]:
    shape = tuple(int(n) for n in item.attrs.get("shape", item.attrs.get("h5sparse_shape", ())))
    if len(shape) != 2 or min(shape) < 1:
        raise ManifestError(f"{path}: {name}: a sparse matrix of the shape {shape}; expected (n_samples, n_features)")
    _check_size(path, name, shape, 4)
    parts = [_plain(path, f"{name}/{part}", item[part])[:] for part in ("data", "indices", "indptr")]
    kind = scipy.sparse.csr_matrix if encoding.startswith("csr") else scipy.sparse.csc_matrix
    sparse = kind(tuple(parts), shape=shape)
    # Entries that a damaged file places wrongly would be written beyond the array. The check looks at the last pointer
    # alone where that says that there are no entries.
    if parts[2].dtype.kind not in "iu" or (np.diff(parts[2].astype(np.int64)) < 0).any():
        raise ManifestError(f"{path}: {name}/indptr is not a sequence of integers that never decreases; damaged")
    sparse.check_format(full_check=True)
    return np.asarray(sparse.astype(np.float64 if parts[0].dtype.itemsize > 4 else np.float32).toarray())


def _numbers(path: Path, name: str, item: h5py.Dataset) -> NDArray[Any]:
    if item.dtype.kind not in "buif" or item.ndim not in (2, 3) or 0 in item.shape:
        raise ManifestError(
            f"{path}: {name} has the type {item.dtype} and the shape {item.shape}; expected numbers of shape "
            "(n_samples, n_features) or (n_samples, n_views, n_features)"
        )
    _check_size(path, name, item.shape, item.dtype.itemsize)
    return np.asarray(_plain(path, name, item)[:])


def _plain(path: Path, name: str, item: h5py.Dataset) -> h5py.Dataset:
    """Refuse data outside the file, and a shape that claims what was never written."""
    created = item.id.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise ManifestError(f"{path}: {name} takes its data from other files: refused; copy them into one file")
    if item.size and not created.get_nfilters() and item.id.get_storage_size() < item.size * item.dtype.itemsize:
        raise ManifestError(f"{path}: {name} holds less than its shape {item.shape} claims; damaged")
    return item


def _check_size(path: Path, name: str, shape: tuple[int, ...], itemsize: int) -> None:
    n_bytes = float(np.prod(np.array(shape, dtype=np.float64))) * itemsize
    if n_bytes > MOST_BYTES:
        raise ManifestError(
            f"{path}: {name} of shape {shape} takes {n_bytes / 1e9:.0f} GB; at most {MOST_BYTES / 1e9:.0f} are read: "
            "choose fewer features, or a reduced matrix (--dataset obsm/NAME)"
        )


def _encoding(item: h5py.Dataset | h5py.Group) -> str:
    value = item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", ""))
    return value.decode() if isinstance(value, bytes) else str(value)


def _frame(path: Path, file: h5py.File, name: str) -> tuple[dict[str, pa.Array], str]:
    """Columns of a data frame, and the name of the one that is its index."""
    item = file.get(name)
    if isinstance(item, h5py.Dataset):  # as AnnData wrote them before version 0.7
        records = item[:]
        columns = {key: _values(records[key]) for key in records.dtype.names or ()}
        return columns, next(iter(columns), "")
    if not isinstance(item, h5py.Group):
        raise ManifestError(f"{path}: has no {name}; expected an AnnData file")
    index = _text(item.attrs.get("_index", "_index"))
    keys = [key for key in dict.fromkeys([index, *_column_order(item)]) if key in item]
    earlier = item.get("__categories")
    columns = {}
    for key in keys:
        columns[key] = _column(item[key])
        if isinstance(earlier, h5py.Group) and key in earlier:
            columns[key] = _of_codes(item[key][:], earlier[key])
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ManifestError(f"{path}: the columns of {name} differ in length: {lengths}; damaged")
    return columns, index if index in columns else ""


def _frame_index(path: Path, file: h5py.File, name: str) -> NDArray[np.str_]:
    if name not in file:
        return np.array([], dtype=str)
    columns, index = _frame(path, file, name)
    return np.array([str(value) for value in columns[index].to_pylist()]) if index else np.array([], dtype=str)


def _column_order(item: h5py.Group) -> list[str]:
    order = item.attrs.get("column-order")
    names = [_text(name) for name in order] if order is not None else [key for key in item if key != "__categories"]
    return [name for name in names if name in item]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _column(item: h5py.Dataset | h5py.Group) -> pa.Array:
    """Read a column: an array, a categorical, or values with a mask."""
    if isinstance(item, h5py.Dataset):
        return _values(item[:])
    if "categories" in item and "codes" in item:
        return _of_codes(item["codes"][:], item["categories"])
    if "values" in item and "mask" in item:
        return pa.array(_values(item["values"][:]).to_pylist(), mask=item["mask"][:].astype(bool))
    raise ManifestError(f"{item.file.filename}: {item.name} is encoded as {_encoding(item)!r}, which is not read")


def _of_codes(codes: NDArray[Any], categories: h5py.Dataset | h5py.Group) -> pa.Array:
    values = _column(categories).to_pylist()
    if len(codes) and not -1 <= int(codes.min()) <= int(codes.max()) < max(len(values), 1):
        raise ManifestError(f"{categories.file.filename}: {categories.name}: codes beyond its {len(values)} categories")
    return pa.array([None if code < 0 else values[code] for code in codes.tolist()])


def _values(values: NDArray[Any]) -> pa.Array:
    if values.dtype.kind in "SO":
        return pa.array([_text(value) for value in values.tolist()], pa.string())
    if values.dtype.kind in "buif":
        return pa.array(values.astype(values.dtype.newbyteorder("=")))
    return pa.array([str(value) for value in values.tolist()], pa.string())
