"""Heaps of texts: what HDF5 would walk without end is seen, and nothing else."""

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.extraction.store.heaps import has_endless_heap


def texts(path: Path, n: int) -> bytearray:
    with h5py.File(path, "w") as file:
        file["embeddings"] = np.zeros((n, 1, 4), np.float32)
        file["ids"] = np.array([f"plate {number}, well {number % 96}" for number in range(n)], object)
    return bytearray(path.read_bytes())


def walks_without_end(content: bytes) -> bool:
    """The same, object by object."""
    start = content.find(b"GCOL\1\0\0\0")
    while start >= 0:
        position, end = start + 16, min(start + int.from_bytes(content[start + 8 : start + 16], "little"), len(content))
        while position + 16 <= end:
            number, length = struct.unpack_from("<H6xQ", content, position)
            step = 16 + (length + 7) // 8 * 8 if number else length
            if not 0 < step <= end - position:
                return True
            position += step
        start = content.find(b"GCOL\1\0\0\0", start + 1)
    return False


def test_sound_heaps_are_no_reason_to_refuse(tmp_path: Path) -> None:
    for n in (1, 7, 3000):
        texts(tmp_path / "cells.h5", n)
        assert not has_endless_heap(tmp_path / "cells.h5")


@pytest.mark.parametrize("length", [0, 2**63, 2**64 - 1, 2**64 - 8, 5000])
def test_a_length_that_leads_nowhere_is_seen(tmp_path: Path, length: int) -> None:
    content = texts(tmp_path / "cells.h5", 3000)
    start = content.rindex(b"GCOL") + 16
    content[start : start + 16] = struct.pack("<H6xQ", 0 if length == 0 else 1, length)
    (tmp_path / "cells.h5").write_bytes(content)
    assert has_endless_heap(tmp_path / "cells.h5")


def test_whatever_stands_in_a_heap_it_is_judged_as_by_walking_through_it(tmp_path: Path) -> None:
    sound, rng = texts(tmp_path / "sound.h5", 300), np.random.default_rng(0)
    first, judged = sound.index(b"GCOL") + 16, []
    for _ in range(300):
        content = sound.copy()
        place = first + int(rng.integers(len(sound) - first - 16))
        content[place] = int(rng.integers(256))
        (tmp_path / "cells.h5").write_bytes(content)
        judged.append(has_endless_heap(tmp_path / "cells.h5"))
        assert judged[-1] == walks_without_end(bytes(content))
    assert 20 < sum(judged) < 280


def test_a_heap_cut_off_by_the_end_of_the_file_is_left_to_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["embeddings"] = np.zeros((1, 1, 4), np.float32)
    with (tmp_path / "cells.h5").open("ab") as file:
        file.write(b"GCOL\1\0\0\0\0\0")
    assert not has_endless_heap(tmp_path / "cells.h5")
