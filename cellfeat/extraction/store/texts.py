"""How long texts say they are, looked at before HDF5 reads them.

It believes the length that stands beside a text's address, and takes 4 GB for one in a file of 8 kB. Texts in
attributes are left to HDF5, which puts a checksum over them.
"""

from pathlib import Path

import h5py
import numpy as np

_PLAIN = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeStringID)
_ADDRESS_BYTES = 8
"""What a text takes more in a file than in memory."""


def refuse_long_texts(path: Path, dataset: h5py.Dataset) -> None:
    """Refuse a dataset whose texts claim more than the file, or that has not the type or layout of cellfeat's tables.

    Raises
    ------
    ValueError
        If it is such a dataset.
    """
    members = _texts_in(dataset)
    if not members or not dataset.size:
        return
    file_bytes = path.stat().st_size
    offset, stored = dataset.id.get_offset(), dataset.id.get_storage_size()
    if offset is None:
        raise ValueError(f"the texts of {dataset.name!r} are cut into chunks, or lie elsewhere; no table's do")
    rows = np.fromfile(path, np.uint8, stored, offset=offset).reshape(dataset.size, -1)
    claimed = sum(int(_numbers_at(rows, member).sum(dtype=np.uint64)) for member in members)
    if claimed > file_bytes:
        raise ValueError(f"the texts of {dataset.name!r} claim {claimed} bytes in a file of {file_bytes}")


def _texts_in(dataset: h5py.Dataset) -> list[int]:
    """Where the lengths of texts stand in a row of the file."""
    row = dataset.id.get_type()
    members = [(0, row)]
    if isinstance(row, h5py.h5t.TypeCompoundID):
        members = [(row.get_member_offset(i), row.get_member_type(i)) for i in range(row.get_nmembers())]
    if not all(isinstance(member, _PLAIN) for _, member in members):
        raise ValueError(f"dataset {dataset.name!r} is of type {dataset.dtype}, which no table has")
    texts = sorted(
        at for at, member in members if isinstance(member, h5py.h5t.TypeStringID) and member.is_variable_str()
    )
    # HDF5 tells where members stand in memory.
    return [at + _ADDRESS_BYTES * earlier for earlier, at in enumerate(texts)]


def _numbers_at(rows: np.ndarray, member: int) -> np.ndarray:
    return np.ascontiguousarray(rows[:, member : member + 4]).view("<u4")
