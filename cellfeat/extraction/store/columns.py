"""Columns of text in HDF5, stored without its variable-length type.

HDF5 keeps variable-length texts in heaps that it reads without checks: it never returns from a heap of zeros, and takes
4 GB for a text of 8 bytes that claims them. Fixed-length UTF-8 has no such lengths, and is read in one step.

The rule: a column is fixed-length UTF-8, unless that takes more than four times the room of bytes with offsets (one
very long name among a million rows), or a value ends in NUL (the padding, which readers strip). Then it is a group of
two datasets: ``bytes``, all values one after another, and ``offsets``, where each begins and the last ends.
"""

from collections.abc import Sequence
from itertools import pairwise

import h5py
import numpy as np
from numpy.typing import NDArray

from cellfeat.types import Strings

BYTES, OFFSETS = "bytes", "offsets"
_OFFSET = np.dtype("<i8")
_LARGEST_FACTOR = 4


def write_texts(group: h5py.Group, name: str, values: Sequence[str]) -> None:
    """Write a column of text.

    Parameters
    ----------
    group
        Where to.
    name
        Name of the dataset, or of the group of two where the values need offsets.
    values
        The texts, one for each row.

    Raises
    ------
    ValueError
        If a text holds surrogates, which UTF-8 lacks.
    """
    encoded = [value.encode() for value in values]
    ends = np.cumsum(np.fromiter(map(len, encoded), _OFFSET, len(encoded)), dtype=_OFFSET)
    offsets = np.concatenate([np.zeros(1, _OFFSET), ends])
    content = np.frombuffer(b"".join(encoded), np.uint8)
    width = max(int(np.diff(offsets).max(initial=0)), 1)
    if width * len(encoded) <= _LARGEST_FACTOR * (offsets.nbytes + len(content)) and not _ends_in_nul(content, offsets):
        dtype = h5py.string_dtype("utf-8", width)
        group.create_dataset(name, data=np.array(encoded, dtype), dtype=dtype)
    else:
        pair = group.create_group(name)
        pair[BYTES], pair[OFFSETS] = content, offsets


def read_texts(group: h5py.Group, name: str) -> list[str]:
    """Read a column of text; what `write_texts` wrote comes back.

    Parameters
    ----------
    group, name
        As for `write_texts`.

    Raises
    ------
    ValueError
        If the bytes are not UTF-8, or the offsets do not fit the bytes.
    """
    column = group[name]
    if isinstance(column, h5py.Dataset):
        return _decoded(column[:]).tolist()
    content, offsets = column[BYTES][:].tobytes(), column[OFFSETS][:]
    if offsets[0] != 0 or offsets[-1] != len(content) or (np.diff(offsets) < 0).any():
        raise ValueError(f"the offsets of {column.name!r} do not fit its {len(content)} bytes")
    return [content[start:stop].decode() for start, stop in pairwise(offsets.tolist())]


def read_strings(group: h5py.Group, name: str) -> Strings:
    """Read a column of text as an array of shape ``(n,)``, whose values lose NULs at their end.

    Parameters
    ----------
    group, name
        As for `write_texts`.

    Raises
    ------
    ValueError
        As for `read_texts`.
    """
    column = group[name]
    if isinstance(column, h5py.Dataset):
        return _decoded(column[:])
    return np.array(read_texts(group, name), dtype=np.str_)


def _ends_in_nul(content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> bool:
    last = offsets[1:][np.diff(offsets) > 0] - 1
    return bool((content[last] == 0).any())


def _decoded(values: NDArray[np.bytes_]) -> Strings:
    """UTF-8 as text: ASCII, which most columns are, is converted in one step."""
    if values.size and values.view(np.uint8).max() < 128:
        return values.astype(np.str_)
    return np.char.decode(values, "utf-8")
