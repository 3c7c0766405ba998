"""NumPy's ``.npy`` and ``.npz``; objects, which NumPy keeps as pickles, are never read."""

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.source import Source, check_same_length
from cellfeat.text import first_line, first_ten

_NUMBERS = ("x", "features", "embeddings", "data", "arr_0", "feats", "profiles")
_IDS = ("ids", "id", "sample_id", "sample_ids", "names", "index", "filenames", "files", "filename", "file_names",
        "image_names", "image_name", "image_ids", "image_id", "images", "paths", "path", "image_paths")  # fmt: skip
_LABELS = ("y", "labels", "label", "targets", "target", "classes")
_GROUPS = ("groups", "group", "plates", "plate", "donors", "donor")
_NAMES = ("feature_names", "columns", "feature_columns", "var_names")
_MOST_AXES = 3
_IMAGES = (
    "these look like images, and a table has rows of features; for images, save each as a TIFF in a folder of its "
    "class, "
    "such as tifffile.imwrite(f'images/{label}/{number}.tif', image), and run cellfeat init images"
)
_MOST_BYTES = 16_000_000_000
_FAULTS = (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError,
           zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OverflowError, MemoryError,
           tokenize.TokenError)  # fmt: skip
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
    except _FAULTS as error:
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
    except _FAULTS as error:
        raise _damaged(path, error) from None
    name = _numbers_name(path, arrays)
    return _source(path, arrays.pop(name), arrays, f"array {name} of a NumPy archive")


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        return _read_array(path, info.filename, file, info.file_size)


def _read_array(path: Path, name: str, file: IO[bytes], n_bytes: int) -> NDArray[Any]:
    """Read an array after a check that its header claims no more than there is."""
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = header(file)
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
    images = [name for name, array in arrays.items() if array.ndim > _MOST_AXES and array.dtype.kind in "buif"]
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
    if array.dtype.kind in "buif" and array.ndim > _MOST_AXES:
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
