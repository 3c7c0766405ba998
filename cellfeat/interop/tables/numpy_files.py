"""NumPy's ``.npy`` and ``.npz``; objects, which NumPy keeps as pickles, are never read."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.source import Source, check_same_length
from cellfeat.samples.tables.numpy_headers import DAMAGED_NUMPY, MOST_TABLE_AXES, SAVE_IMAGES, read_numpy_header
from cellfeat.text import first_line, first_ten

_NUMBERS = ("x", "features", "embeddings", "data", "arr_0", "feats", "profiles")
_IDS = ("ids", "id", "sample_id", "sample_ids", "names", "index", "filenames", "files", "filename", "file_names",
        "image_names", "image_name", "image_ids", "image_id", "images", "paths", "path", "image_paths")  # fmt: skip
_LABELS = ("y", "labels", "label", "targets", "target", "classes")
_GROUPS = ("groups", "group", "plates", "plate", "donors", "donor")
_NAMES = ("feature_names", "columns", "feature_columns", "var_names")
_IMAGES = f"these look like images, and a table has rows of features; for images, {SAVE_IMAGES}"
_MOST_BYTES = 16_000_000_000
_PICKLE = (
    "holds Python objects (a pickle), which can run code and are never read; save plain numbers and text, "
    "as with labels.astype(str)"
)


def read_npy(path: Path) -> Source:
    """Read one array; its rows are samples.

    Raises
    ------
    ManifestError
        If it is damaged, or not an array of numbers.
    """
    try:
        with path.open("rb") as file:
            array = _read_array(path, path.name, file, path.stat().st_size)
    except DAMAGED_NUMPY as error:
        raise _damaged(path, error) from None
    return _source(path, array, {}, "a NumPy array")


def read_npz(path: Path) -> Source:
    """Read arrays that are named ``X``, ``y``, ``ids`` and ``groups``, or in similar words.

    Raises
    ------
    ManifestError
        If it is damaged, or holds no array of numbers, or several that could be meant.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {
                info.filename.removesuffix(".npy"): _member(path, archive, info)
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
    except DAMAGED_NUMPY as error:
        raise _damaged(path, error) from None
    name = _numbers_name(path, arrays)
    return _source(path, arrays.pop(name), arrays, f"array {name} of a NumPy archive")


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        return _read_array(path, info.filename, file, info.file_size)


def _read_array(path: Path, name: str, file: IO[bytes], n_bytes: int) -> NDArray[Any]:
    """Read an array after a check that its header claims no more than there is."""
    shape, is_fortran, dtype = read_numpy_header(file)
    if dtype.hasobject:
        raise ManifestError(f"{path}: {name} {_PICKLE}")
    n_items = int(np.prod([int(n) for n in shape], dtype=object)) if shape else 1
    if n_items * dtype.itemsize > min(n_bytes, _MOST_BYTES) or n_items < 0:
        raise ManifestError(f"{path}: {name} claims the shape {shape} of {dtype}, more than the file holds; damaged")
    content = file.read(n_items * dtype.itemsize)
    array = np.frombuffer(content, dtype, count=n_items)
    return array.reshape(shape[::-1]).T if is_fortran else array.reshape(shape)


def _damaged(path: Path, error: Exception) -> ManifestError:
    if isinstance(error, ManifestError):
        return error
    return ManifestError(f"{path}: cannot be read as a NumPy file: {first_line(error)}; copy or save it again")


def _numbers_name(path: Path, arrays: dict[str, NDArray[Any]]) -> str:
    candidates = [name for name, array in arrays.items() if array.ndim in (2, 3) and array.dtype.kind in "buif"]
    named = [name for name in candidates if name.lower() in _NUMBERS]
    if len(named) != 1:
        named = candidates
    if len(named) == 1:
        return named[0]
    images = [name for name, array in arrays.items() if array.ndim > MOST_TABLE_AXES and array.dtype.kind in "buif"]
    if not named and images:
        raise ManifestError(f"{path}: its array {images[0]} has the shape {arrays[images[0]].shape}: {_IMAGES}")
    if not named:
        raise ManifestError(
            f"{path}: holds no array of numbers with a row for each sample, only {first_ten(arrays) or 'nothing'}; "
            "expected one named X"
        )
    raise ManifestError(f"{path}: holds {len(named)} arrays of numbers: {first_ten(named)}; call the features X")


def _source(path: Path, array: NDArray[Any], others: dict[str, NDArray[Any]], what: str) -> Source:
    if array.dtype.names:
        columns = {name: _column(array[name]) for name in array.dtype.names if array[name].ndim == 1}
        return Source(path, pa.table(columns), what=f"{what} of records")
    if array.dtype.kind in "buif" and array.ndim > MOST_TABLE_AXES:
        raise ManifestError(f"{path}: has the shape {array.shape}: {_IMAGES}")
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3) or 0 in array.shape:
        raise ManifestError(
            f"{path}: has the type {array.dtype} and the shape {array.shape}; expected numbers of shape "
            "(n_samples, n_features) or (n_samples, n_views, n_features)"
        )
    source = Source(path, pa.table({}), array)
    columns = {}
    for name, values in others.items():
        if values.ndim == 1 and values.dtype.kind in "buifSU" and name.lower() not in _NAMES:
            check_same_length(source, len(values), f"its array {name}")
            columns[name] = _column(values)
    return Source(
        path,
        pa.table(columns),
        array,
        names=_names(others, array.shape[-1]),
        what=what,
        own_id=_named(columns, _IDS),
        own_label=_named(columns, _LABELS),
        own_group=_named(columns, _GROUPS),
    )


def _names(others: dict[str, NDArray[Any]], n_columns: int) -> list[str] | None:
    name = _named(others, _NAMES)
    if not name or others[name].shape != (n_columns,):
        return None
    names = [str(value) for value in _column(others[name]).to_pylist()]
    return names if len(set(names)) == n_columns else None


def _named(columns: dict[str, Any], words: tuple[str, ...]) -> str:
    return next((name for word in words for name in columns if name.lower() == word), "")


def _column(values: NDArray[Any]) -> pa.Array:
    if values.dtype.kind == "S":
        return pa.array([value.decode("utf-8", errors="replace") for value in values.tolist()], pa.string())
    if values.dtype.kind == "U":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values.astype(values.dtype.newbyteorder("=")))
