"""Parts that many processes write: made twice, by other machines, by another version."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from cellfeat.errors import BitsError, FingerprintError, ImageError
from cellfeat.extraction.store import PartStore, parts_folder
from cellfeat.provenance import temporary_beside
from cellfeat.records import seal
from tests.extraction.store_runs import HEADER, make_rows


def test_temporary_file_of_a_live_process_stays(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    live = temporary_beside(output)
    dead = tmp_path / live.name.replace(f".{os.getpid()}.", ".4194304.")  # above the highest number of a process
    live.touch()
    dead.touch()
    PartStore(output, HEADER)
    assert live.exists()
    assert not dead.exists()


def test_plan_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    record = parts_folder(output) / "run.json"
    record.write_text(json.dumps(seal({**asdict(HEADER), "engine": "warp", "plan": {"cellfeat": "9.1"}})))
    before = record.read_bytes()
    with pytest.raises(FingerprintError, match=r"cellfeat 9\.1.*another --output"):
        PartStore(output, HEADER)
    assert record.read_bytes() == before


def test_part_made_twice_is_compared(tmp_path: Path) -> None:
    parts, rows = PartStore(tmp_path / "cells.h5", HEADER, made_by={"host": "node1"}), make_rows(range(0, 4))
    assert not parts.write(rows)
    assert parts.write(rows), "the same bits are a proof, not an error"
    again = PartStore(tmp_path / "cells.h5", HEADER, made_by={"host": "node2"})
    other = make_rows(range(0, 4))
    other.embeddings[1, 0, 2] = np.nextafter(other.embeddings[1, 0, 2], np.float32(9))
    with pytest.raises(BitsError, match=r"rows 0 to 3.*1 of 4.*node1.*node2"):
        again.write(other)
    moved = make_rows(range(0, 4))
    moved.pixel_digest[2, 0] ^= 1
    with pytest.raises(ImageError, match=r"row 2.*node1.*node2.*different pixels"):
        again.write(moved)
    kept = parts.read_part(range(0, 4))
    assert kept is not None
    assert kept.host == "node1"
    np.testing.assert_array_equal(kept.rows.embeddings, rows.embeddings)


def test_damaged_part_is_replaced_by_the_next_writer(tmp_path: Path) -> None:
    parts, rows = PartStore(tmp_path / "cells.h5", HEADER), make_rows(range(0, 4))
    parts.write(rows)
    (path,) = parts_folder(tmp_path / "cells.h5").glob("rows-*.h5")
    path.write_bytes(path.read_bytes()[:-9])
    assert not parts.write(rows)
    assert parts.read(range(0, 4)) is not None
