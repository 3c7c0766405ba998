"""Two processes that write the parts of one run at the same time, one of which is killed at any line of the store."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cellfeat.extraction.store import PartStore
from tests.extraction.store_runs import HEADER, MakeRows, contents, make_rows, run_to_end
from tests.extraction.test_store_faults import EVERY, RecordProperty, killed_at_event

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

STEP = 2 if EVERY == 1 else 300
"""A writer is killed at one of so many lines."""


def write_parts(output: Path, make: MakeRows) -> int:
    """What a share does with the store."""
    parts = PartStore(output, HEADER)
    for rows in HEADER.part_rows():
        parts.write(make(rows))
    return len(HEADER.part_rows())


def beside(output: Path) -> int:
    """Start another process that writes the same parts; return its id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            write_parts(output, make_rows)
            code = 0
        finally:
            os._exit(code)
    return pid


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "this file system has no hard links")


@pytest.mark.parametrize("links", ["links", "no links"])
def test_writer_killed_beside_another(
    links: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: RecordProperty
) -> None:
    if links == "no links":
        monkeypatch.setattr(os, "link", no_links)
    run_to_end(tmp_path / "undisturbed.h5")
    expected = contents(tmp_path / "undisturbed.h5")
    k, n_killed = 1, 0
    while True:
        output = tmp_path / f"killed-{k}" / "cells.h5"
        output.parent.mkdir()
        other = beside(output)
        was_killed = killed_at_event(k, write_parts, output).was_killed
        assert os.waitpid(other, 0)[1] == 0, f"killed at line {k}: the other one goes on"
        parts = PartStore(output, HEADER)
        assert all(parts.read(part) is not None for part in HEADER.part_rows()), f"killed at line {k}"
        assert run_to_end(output) == 0
        assert contents(output) == expected, f"killed at line {k}"
        assert [path.name for path in output.parent.iterdir()] == ["cells.h5"], f"killed at line {k}"
        if not was_killed:
            break
        n_killed += 1
        k += STEP
    record_property("faults", n_killed)
    assert n_killed > 500 / STEP


@pytest.mark.parametrize("n", [4])
def test_writers_at_once_without_hard_links(
    n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    record_property("faults", n)
    output = tmp_path / "cells.h5"
    writers = [beside(output) for _ in range(n)]
    assert [os.waitpid(writer, 0)[1] for writer in writers] == [0] * n
    parts = PartStore(output, HEADER)
    assert all(parts.read(part) is not None for part in HEADER.part_rows())
