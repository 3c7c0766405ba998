"""Lengths of texts that HDF5 would believe."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.extraction.store.texts import refuse_long_texts

TEXT = h5py.string_dtype()
TABLES = {
    "texts": (["ten of them"] * 3, TEXT),
    "numbers before": ([(1, "ten of them")] * 3, [("row", "i8"), ("reason", TEXT)]),
    "texts before": ([("", "ten of them", 7)] * 3, [("a", TEXT), ("b", TEXT), ("row", "i8")]),
    "no text": ([1, 2, 3], "i8"),
    "none at all": ([], [("row", "i8"), ("reason", TEXT)]),
}


def written(path: Path, rows: list[object], dtype: object, **options: object) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("table", data=np.array(rows, dtype), **options)
    return path


def refuse(path: Path) -> None:
    with h5py.File(path) as file:
        refuse_long_texts(path, file["table"])


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_ours_are_taken(name: str, tmp_path: Path) -> None:
    refuse(written(tmp_path / "cells.h5", *TABLES[name]))


@pytest.mark.parametrize("name", ["texts", "numbers before", "texts before"])
@pytest.mark.parametrize("length", [3000, 2**32 - 1])
def test_texts_that_claim_more_than_the_file_are_refused(name: str, length: int, tmp_path: Path) -> None:
    rows, dtype = TABLES[name]
    path = written(tmp_path / "cells.h5", rows, dtype)
    content, stated = path.read_bytes(), len("ten of them").to_bytes(4, "little")
    with h5py.File(path) as file:
        start = content.index(stated, file["table"].id.get_offset())
    path.write_bytes(content[:start] + length.to_bytes(4, "little") + content[start + 4 :])
    if length > len(content):
        with pytest.raises(ValueError, match=f"claim {length + 22} bytes in a file of {len(content)}"):
            refuse(path)
    else:
        refuse(path)


@pytest.mark.parametrize(
    "dtype", [h5py.vlen_dtype("u1"), h5py.vlen_dtype(TEXT), [("a", TEXT, (2,))], [("a", [("b", TEXT)])]]
)
def test_types_that_no_table_has_are_refused(dtype: object, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file.create_dataset("table", 3, np.dtype(dtype))
    with pytest.raises(ValueError, match="which no table has"):
        refuse(tmp_path / "cells.h5")


def test_texts_in_chunks_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "cells.h5", *TABLES["texts"], chunks=(2,))
    with pytest.raises(ValueError, match="cut into chunks"):
        refuse(path)
