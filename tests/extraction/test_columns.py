"""Columns of text: any text comes back, and no column is much larger than its texts."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.extraction.store.columns import read_strings, read_texts, write_texts

COLUMNS = {
    "plain": ["a", "", "well 3"],
    "accents": ["é", "", "µm α"],
    "empty texts": ["", "", ""],
    "no rows": [],
    "a NUL inside": ["a\0b", "\0c"],
    "a NUL at the end": ["a\0", "b", "\0"],
    "one long name": ["x" * 5000, *["y"] * 5000],
    "one very long name": ["x" * 10**6],
    "line breaks": ["a\nb", "\r", " "],
}
WITH_OFFSETS = {"a NUL at the end", "one long name"}


@pytest.mark.slow
@pytest.mark.parametrize("name", COLUMNS)
def test_texts_are_read_back(name: str, tmp_path: Path) -> None:
    texts = COLUMNS[name]
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        write_texts(file, "column", texts)
        assert read_texts(file, "column") == texts
        assert read_strings(file, "column").tolist() == [text.rstrip("\0") for text in texts]
        assert read_strings(file, "column").dtype.kind == "U"
        assert isinstance(file["column"], h5py.Group) == (name in WITH_OFFSETS)
        if name not in WITH_OFFSETS:
            assert file["column"].asstr()[:].tolist() == texts
    n_bytes = sum(len(text.encode()) for text in texts)
    assert (tmp_path / "cells.h5").stat().st_size < 4 * (n_bytes + 8 * len(texts)) + 10_000


def test_surrogates_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file, pytest.raises(ValueError, match="surrogates"):
        write_texts(file, "column", ["\ud800"])


@pytest.mark.parametrize("offsets", [[0, 1], [0, 2, 1, 3], [1, 3], [0, 4], [-1, 3]])
def test_offsets_that_do_not_fit_are_refused(offsets: list[int], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["column/bytes"], file["column/offsets"] = np.frombuffer(b"abc", np.uint8), np.array(offsets)
        with pytest.raises(ValueError, match="offsets of '/column'"):
            read_texts(file, "column")
