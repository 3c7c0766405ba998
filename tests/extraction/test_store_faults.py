"""Faults of the store on purpose: kills at any line, flipped bytes, a full disk."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pytest

from cellfeat import provenance, storage
from cellfeat.errors import DiskFullError, FeatureFileError
from cellfeat.extraction import store
from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    load_features,
    no_intensities,
    no_properties,
    parts_folder,
    unfinished_run,
    verify_features,
)
from cellfeat.extraction.store.format import RowShape
from cellfeat.extraction.store.writing import Content, write_features
from tests.extraction.store_runs import (
    HEADER,
    PROVENANCE,
    RECIPE,
    TABLE,
    MakeRows,
    contents,
    make_rows,
    run_to_end,
    update_to_end,
)

RecordProperty = Callable[[str, object], None]
Run = Callable[[Path, MakeRows], int]


class Killed(NamedTuple):
    """How a run in a process of its own came to its end."""

    was_killed: bool
    n_made: int
    """Parts that it had made by then."""


def killed_at_event(k: int, run: Run, output: Path) -> Killed:
    """Run to the end in a process that is killed at its k-th line inside the store, if it has as many."""
    made, tell_made = os.pipe()

    def make_and_tell(part: range) -> Rows:
        rows = make_rows(part)
        os.write(tell_made, b"1")
        return rows

    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        n_events = 0
        folders = (store.__file__, storage.__file__)
        files = {str(path) for file in folders for path in Path(file).parent.glob("*.py")} | {provenance.__file__}

        def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
            nonlocal n_events
            if frame.f_code.co_filename not in files:
                return None
            if event == "line":
                n_events += 1
                if n_events == k:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            run(output, make_and_tell)
        finally:
            sys.settrace(None)
            os._exit(0)
    os.close(tell_made)
    with os.fdopen(made, "rb") as told:
        return Killed(os.WIFSIGNALED(os.waitpid(pid, 0)[1]), len(told.read()))


def nothing_yet(output: Path) -> None:
    output.parent.mkdir()


def finished_before(output: Path) -> None:
    run_to_end(output)


def check_kills(
    folder: Path,
    step: int,
    run: Run = run_to_end,
    prepare: Callable[[Path], None] = nothing_yet,
    first: int = 1,
) -> int:
    undisturbed = folder / "undisturbed" / "cells.h5"
    prepare(undisturbed)
    n_parts = run(undisturbed, make_rows)
    expected = contents(undisturbed)
    n_killed, k = 0, first
    n_made_twice = set()
    while True:
        output = folder / f"killed-{k}" / "cells.h5"
        prepare(output)
        killed = killed_at_event(k, run, output)
        if not killed.was_killed:
            assert n_made_twice == {0, 1}
            return n_killed
        n_killed += 1
        if output.exists():
            verify_features(output)
        n_made = killed.n_made + run(output, make_rows)
        assert n_parts <= n_made <= n_parts + 1, f"killed at line event {k}: one part at most is computed again"
        n_made_twice.add(n_made - n_parts)
        assert contents(output) == expected, f"killed at line event {k}"
        assert [path.name for path in output.parent.iterdir()] == ["cells.h5"], f"killed at line event {k}"
        k += step


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_run_is_finished_with_the_same_bytes(tmp_path: Path) -> None:
    assert check_kills(tmp_path, step=101) > 20


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_update_leaves_old_or_new_file(tmp_path: Path) -> None:
    assert check_kills(tmp_path, step=173, run=update_to_end, prepare=finished_before) > 10


SHARES = 4
"""Test processes that share the lines."""

EVERY = 1 if "CELLFEAT_KILLS" in os.environ else 25
"""A run is killed at one of so many lines: at each one for ``make torture``, which has half an hour."""


@pytest.mark.slow
@pytest.mark.timeout(3600)  # two processes for each of some hundred kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("first", range(1, SHARES + 1))
def test_killed_at_lines_of_an_update(first: int, tmp_path: Path, record_property: RecordProperty) -> None:
    n_killed = check_kills(tmp_path, step=SHARES * EVERY, run=update_to_end, prepare=finished_before, first=first)
    record_property("faults", n_killed)
    assert n_killed > 300 / (SHARES * EVERY)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # two processes for each of some hundred kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("first", range(1, SHARES + 1))
def test_killed_at_lines_of_the_store(first: int, tmp_path: Path, record_property: RecordProperty) -> None:
    n_killed = check_kills(tmp_path, step=SHARES * EVERY, first=first)
    record_property("faults", n_killed)
    assert n_killed > 300 / (SHARES * EVERY)


@pytest.mark.slow
def test_flipped_byte_of_a_file_is_found_or_changes_nothing(tmp_path: Path, record_property: RecordProperty) -> None:
    finished = tmp_path / "cells.h5"
    run_to_end(finished)
    whole = finished.read_bytes()
    record_property("faults", len(range(0, len(whole), 23)))
    expected = load_features(finished)
    n_found = 0
    for position in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        finished.write_bytes(damaged)
        try:
            features = load_features(finished)
        except FeatureFileError:
            n_found += 1
            continue
        np.testing.assert_array_equal(features.embeddings, expected.embeddings)
        for name in ("ids", "labels", "groups", "status", "digests"):
            np.testing.assert_array_equal(getattr(features.samples, name), getattr(expected.samples, name))
        assert features.samples.properties is not None
        assert expected.samples.properties is not None
        np.testing.assert_array_equal(features.samples.properties.records, expected.samples.properties.records)
        assert (features.fingerprint, features.provenance) == (expected.fingerprint, expected.provenance)
    assert n_found > 50


@pytest.mark.slow
def test_flipped_byte_of_a_part_is_found_or_changes_nothing(tmp_path: Path, record_property: RecordProperty) -> None:
    output, part = tmp_path / "cells.h5", range(4, 8)
    store_of_parts = PartStore(output, HEADER)
    store_of_parts.write(make_rows(part))
    path = next(parts_folder(output).glob("rows-*.h5"))
    whole = path.read_bytes()
    expected = store_of_parts.read(part)
    assert expected is not None
    record_property("faults", len(range(0, len(whole), 11)))
    n_found = 0
    for position in range(0, len(whole), 11):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        rows = store_of_parts.read(part)
        if rows is None:
            n_found += 1
            assert not store_of_parts.write(make_rows(part)), "it is made again in its place"
            assert store_of_parts.read(part) is not None
        else:
            assert rows.checksum() == expected.checksum()
            assert rows.failures == expected.failures
    assert n_found > 50


def test_flipped_byte_of_a_run_header_is_found(tmp_path: Path, record_property: RecordProperty) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER)
    path = parts_folder(output) / "run.json"
    whole = path.read_bytes()
    record_property("faults", len(whole))
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        assert unfinished_run(output) in (None, HEADER)


def fill(disk: Path, *, leave: int) -> Path:
    """Write a file that leaves so many bytes free."""
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    return filler


@pytest.mark.parametrize("n_parts", [0, 1, 2, 3])
def test_full_disk_says_what_is_needed_and_next_run_continues(n_parts: int, small_disk: Path, tmp_path: Path) -> None:
    output = small_disk / "cells.h5"
    store_of_parts = PartStore(output, HEADER)
    for part in HEADER.part_rows()[:n_parts]:
        store_of_parts.write(make_rows(part))
    filler = fill(small_disk, leave=50_000)
    expected = r"cells\.h5: the disk is full: about 0\.\d MB are still needed there, and 0\.\d MB are free.*make room"
    if n_parts < 3:
        with pytest.raises(DiskFullError, match=expected):
            store_of_parts.write(make_rows(HEADER.part_rows()[n_parts]))
    else:
        with pytest.raises(DiskFullError, match=expected):
            store_of_parts.consolidate(TABLE, PROVENANCE)
    with pytest.raises(DiskFullError, match=expected):
        run_to_end(output)
    kept = {path.name for path in parts_folder(output).iterdir()}
    assert kept == {"run.json", *(f"rows-{rows.start:09d}.h5" for rows in HEADER.part_rows()[:n_parts])}
    filler.unlink()
    assert run_to_end(output) == 3 - n_parts, "what was finished is not made again"
    run_to_end(tmp_path / "undisturbed.h5")
    assert contents(output) == contents(tmp_path / "undisturbed.h5")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow
def test_disk_full_at_any_byte_of_a_file_is_an_error(small_disk: Path, record_property: RecordProperty) -> None:
    lefts = range(0, 110_000, 8_192)
    record_property("faults", len(lefts))
    for left in lefts:
        filler = fill(small_disk, leave=left)
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = 1
            try:
                write_vast(small_disk / "cells.h5")
            except DiskFullError:
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0, f"{left} bytes were left"
        filler.unlink()
        assert list(small_disk.iterdir()) == []


def write_vast(path: Path) -> None:
    """Write a file of 120 kB without a look at the disk."""
    failures = {row: f"truncated {row:050d}" for row in range(400)}
    arrays = (
        np.ones((400, 2, 25), "f4"),
        np.ones(400, "u1"),
        np.zeros((400, 32), "u1"),
        no_properties(400),
        no_intensities(400),
    )
    rows = Rows.from_arrays(0, arrays, failures)
    table = SampleTable([f"s{i}" for i in range(400)], [""] * 400, [""] * 400)
    write_features(path, 400, RowShape(2, 25, 1), Content([rows], table, RECIPE, "sha256:samples", PROVENANCE))


def test_run_that_the_disk_cannot_hold_is_refused_at_once(small_disk: Path) -> None:
    vast = RunHeader(**{**HEADER.__dict__, "n_samples": 10**6, "embedding_dim": 1024, "part_size": 1024})
    with pytest.raises(DiskFullError, match=r"about 16,\d+\.\d MB are still needed there, and [01]\.\d MB are free"):
        PartStore(small_disk / "cells.h5", vast)
