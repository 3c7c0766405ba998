"""Feature tables that are fuzzed: seeds of each kind, and a call that imports them and looks at what came."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse

from cellfeat.interop.tables.importing import import_table
from tests.interop.tables.measured import cellprofiler, labels, numbers, write_anndata

N_ROWS = 12


def import_content(content: bytes) -> None:
    """Import a table; what it becomes must be a whole feature file."""
    with tempfile.TemporaryDirectory(prefix="cellfeat-fuzz-") as folder:
        path = Path(folder) / "table"
        path.write_bytes(content)
        features = import_table(path).features
        assert features.embeddings.dtype == np.float32
        assert not np.isinf(features.embeddings).any()
        assert len(features.samples.ids) == len(features.embeddings) == len(set(features.samples.ids.tolist()))


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="cellfeat-fuzz-") as folder:
        path = Path(folder) / "table"
        write(path)
        return path.read_bytes()


def hdf5_seeds() -> dict[str, bytes]:
    """AnnData files with dense and sparse matrices, without text of variable length, and a file of another program."""
    # HDF5 itself may read text of variable length without end where its heap is damaged: a limit of the library.
    kinds = {"dense": None, "csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix}
    seeds = {
        name: _written(lambda path, kind=kind: _fixed_anndata(path, kind and kind(numbers(N_ROWS))))
        for name, kind in kinds.items()
    }
    return seeds | {"other": _written(_foreign)}


def _fixed_anndata(path: Path, matrix: object) -> None:
    write_anndata(path, matrix, N_ROWS)
    with h5py.File(path, "r") as old, h5py.File(path.with_suffix(".fixed"), "w") as new:
        _copied(old, new)
    path.with_suffix(".fixed").replace(path)


def _copied(old: h5py.Group, new: h5py.Group) -> None:
    for name, value in old.attrs.items():
        fixed = np.array(value, "S") if isinstance(value, str) else value
        new.attrs[name] = np.array([str(one) for one in value], "S") if name == "column-order" and len(value) else fixed
    for name, item in old.items():
        if isinstance(item, h5py.Group):
            _copied(item, new.create_group(name))
        else:
            new[name] = np.array(item[:], "S") if item.dtype.kind == "O" else item[:]


def _foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["deep/features"], file["ids"], file["y"] = numbers(N_ROWS), np.arange(N_ROWS), labels(N_ROWS).astype("S")


def numpy_seeds() -> dict[str, bytes]:
    """An array, and archives with and without compression."""
    file = io.BytesIO()
    np.save(file, numbers(N_ROWS))
    arrays = {"X": numbers(N_ROWS), "y": labels(N_ROWS), "ids": np.arange(N_ROWS)}
    plain, packed = io.BytesIO(), io.BytesIO()
    np.savez(plain, **arrays)
    np.savez_compressed(packed, **arrays)
    return {"npy": file.getvalue(), "npz": plain.getvalue(), "packed": packed.getvalue()}


def table_seeds() -> dict[str, bytes]:
    """CellProfiler's columns as CSV and as Parquet."""
    table: pd.DataFrame = cellprofiler(N_ROWS * 2)
    return {"csv": table.to_csv(index=False).encode(), "parquet": _written(table.to_parquet)}
