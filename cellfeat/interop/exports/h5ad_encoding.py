"""The on-disk encodings of AnnData: arrays, texts, categories, tables.

They are those that anndata documents since 0.8: every group and dataset names its encoding in two attributes. Texts
are ``string-array`` and ``categorical``, and never ``nullable-string-array``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cellfeat.interop.exports.names import plain_text
from cellfeat.types import Integers, Strings

_CHUNK_BYTES = 1 << 20
_TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True)
class Categorical:
    """A column of few different values.

    Attributes
    ----------
    codes
        Number of the category of each row, shape ``(n_rows,)``; -1 where the value is missing.
    categories
        The values, shape ``(n_categories,)``.
    """

    codes: Integers
    categories: Strings


ObsColumn = Categorical | NDArray[Any]
"""A column of a table: categories or numbers."""


def categorical(values: NDArray[Any], order: Sequence[str] | None = None) -> Categorical:
    """Make categories of texts; an empty text is a missing value.

    Parameters
    ----------
    values
        Texts, shape ``(n_rows,)``.
    order
        The categories in order; None for those that occur, sorted.
    """
    categories = np.array(sorted({*values.tolist()} - {""}) if order is None else list(order), dtype=np.str_)
    code_of = {name: code for code, name in enumerate(categories.tolist())} | {"": -1}
    smallest = np.int8 if len(categories) < 128 else np.int16 if len(categories) < 32768 else np.int32
    return Categorical(np.array([code_of[value] for value in values.tolist()], dtype=smallest), categories)


def create_group(parent: h5py.Group, name: str, encoding: str, version: str) -> h5py.Group:
    """Create a group of an encoding.

    Parameters
    ----------
    parent
        Where to create it.
    name
        Its name.
    encoding, version
        The encoding and its version.
    """
    group = parent.create_group(name)
    group.attrs.update({"encoding-type": encoding, "encoding-version": version})
    return group


def create_array(parent: h5py.Group, name: str, shape: tuple[int, int]) -> h5py.Dataset:
    """Create an array of float32 to be filled by rows.

    Parameters
    ----------
    parent
        Where to create it.
    name
        Its name.
    shape
        Its shape.
    """
    rows = max(1, min(shape[0], _CHUNK_BYTES // (4 * max(1, shape[1]))))
    # In chunks of whole rows, because anndata reads rows of a file that stays on disk.
    dataset = parent.create_dataset(name, shape, np.float32, chunks=(rows, shape[1]))
    return _encoded(dataset, "array", "0.2.0")


def write_array(parent: h5py.Group, name: str, array: NDArray[Any]) -> None:
    """Write an array of numbers.

    Parameters
    ----------
    parent
        Where to write it.
    name
        Its name.
    array
        Numbers of any shape.
    """
    _encoded(parent.create_dataset(name, data=array), "array", "0.2.0")


def write_strings(parent: h5py.Group, name: str, values: Strings) -> None:
    """Write texts.

    Parameters
    ----------
    parent
        Where to write them.
    name
        Their name.
    values
        Shape ``(n_rows,)``.
    """
    texts = [plain_text(value) for value in values.tolist()]
    _encoded(parent.create_dataset(name, data=np.array(texts, dtype=object), dtype=_TEXT), "string-array", "0.2.0")


def write_json(parent: h5py.Group, name: str, value: Any) -> None:
    """Write a value as one text of JSON.

    Parameters
    ----------
    parent
        Where to write it.
    name
        Its name.
    value
        Plain JSON values.
    """
    text = json.dumps(value, ensure_ascii=True)
    _encoded(parent.create_dataset(name, data=text, dtype=_TEXT), "string", "0.2.0")


def write_frame(
    parent: h5py.Group, name: str, index_name: str, index: Strings, columns: Mapping[str, ObsColumn]
) -> None:
    """Write a table with an index.

    Parameters
    ----------
    parent
        Where to write it.
    name
        Its name.
    index_name
        Name of the index.
    index
        Shape ``(n_rows,)``.
    columns
        Its columns by name, shape ``(n_rows,)`` each.
    """
    frame = create_group(parent, name, "dataframe", "0.2.0")
    frame.attrs["_index"] = index_name
    frame.attrs.create("column-order", np.array(list(columns), dtype=object), dtype=_TEXT)
    write_strings(frame, index_name, index)
    for column, values in columns.items():
        if isinstance(values, Categorical):
            _write_categorical(frame, column, values)
        else:
            write_array(frame, column, values)


def _write_categorical(frame: h5py.Group, name: str, column: Categorical) -> None:
    group = create_group(frame, name, "categorical", "0.2.0")
    group.attrs["ordered"] = False
    write_array(group, "codes", column.codes)
    write_strings(group, "categories", column.categories)


def _encoded(dataset: h5py.Dataset, encoding: str, version: str) -> h5py.Dataset:
    dataset.attrs.update({"encoding-type": encoding, "encoding-version": version})
    return dataset
