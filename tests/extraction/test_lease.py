"""Two hosts that share a folder without common locks: the second recognises the first by its signs of life."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from cellfeat.errors import BusyError
from cellfeat.extraction.store import held_output, lease
from cellfeat.extraction.store.lease import describe_holder, recorded_holder

FAR = {"host": "node17", "pid": 4711, "since": "2026-01-01T00:00:00+00:00", "name": "far", "sign": 3}


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS_BETWEEN_SIGNS", 0.1)
    monkeypatch.setattr(lease, "SECONDS_OF_SILENCE", 2.0)
    monkeypatch.setattr(lease, "SECONDS_TO_SETTLE", 0.5)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "cells.h5"


def leave(output: Path, holder: dict[str, object]) -> Path:
    path = output.with_name(f".{output.name}.holder")
    path.write_text(json.dumps(holder))
    return path


@contextmanager
def living(path: Path, delay: float = 0.0) -> Iterator[None]:
    """Refresh the file as a run on another host does, from `delay` seconds on."""
    end = threading.Event()

    def live() -> None:
        sign = 3
        end.wait(delay)
        while not end.wait(0.1):
            sign += 1
            temporary = path.with_suffix(".far")
            temporary.write_text(json.dumps({**FAR, "sign": sign}))
            temporary.replace(path)

    far = threading.Thread(target=live)
    far.start()
    try:
        yield
    finally:
        end.set()
        far.join()


def test_live_run_of_another_host_is_named_and_left_alone(output: Path) -> None:
    path = leave(output, FAR)
    lines: list[str] = []
    with (
        living(path),
        pytest.raises(BusyError, match="host node17, pid 4711, since 2026"),
        held_output(output, lines.append),
    ):
        pass
    assert json.loads(path.read_text())["name"] == "far"
    assert any("node17" in line and "watching" in line for line in lines)
    assert not output.with_name(f".{output.name}.lock").exists()


@pytest.mark.slow
def test_stalled_disk_does_not_make_a_live_run_seem_dead(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, stall, looks = leave(output, FAR), 2.5, count(1)
    seen = lease._seen

    def stalling(file: Path) -> bytes | None:
        if next(looks) == 3:
            time.sleep(stall)
        return seen(file)

    monkeypatch.setattr(lease, "_seen", stalling)
    # The other run's signs are held up by the same stall, and a little longer.
    with living(path, delay=stall + 0.3), pytest.raises(BusyError, match="node17"), held_output(output):
        pass


@pytest.mark.slow
def test_dead_run_of_another_host_is_taken_over(output: Path) -> None:
    path = leave(output, FAR)
    with held_output(output):
        assert json.loads(path.read_text())["host"] == socket.gethostname()
    assert list(output.parent.iterdir()) == []


def test_leftovers_of_a_killed_run_are_removed(output: Path) -> None:
    output.with_name(f".{output.name}.holder.0123").write_text("{")
    with held_output(output):
        pass
    assert list(output.parent.iterdir()) == []


def test_dead_run_of_this_host_is_taken_over_at_once(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(output, {**FAR, "host": socket.gethostname()})
    monkeypatch.setattr(lease, "SECONDS_OF_SILENCE", 1e6)
    with held_output(output):
        assert f"pid {os.getpid()}" in describe_holder(output)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"host": 1, "other": 2}'])
def test_empty_or_unreadable_file_is_taken_over_soon(
    content: bytes, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SECONDS_OF_SILENCE", 1e6)
    leave(output, {}).write_bytes(content)
    with held_output(output):
        assert f"pid {os.getpid()}" in describe_holder(output)


@pytest.mark.slow
def test_run_gives_signs_of_life_until_it_ends(output: Path) -> None:
    path = output.with_name(f".{output.name}.holder")
    with held_output(output):
        first = json.loads(path.read_text())["sign"]
        deadline = time.monotonic() + 60
        while json.loads(path.read_text())["sign"] == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert json.loads(path.read_text())["sign"] > first
    time.sleep(0.5)
    assert not path.exists()


@pytest.mark.parametrize("before", [None, FAR], ids=["nobody before", "a dead run before"])
@pytest.mark.slow
def test_one_of_many_hosts_that_begin_at_once_writes(
    before: dict[str, object] | None, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = threading.local()
    monkeypatch.setattr(socket, "gethostname", lambda: names.host)
    start, release = threading.Barrier(4), threading.Event()
    holding: list[str] = []
    if before:
        leave(output, before)

    def host(number: int) -> bool:
        names.host = f"node{number}"
        start.wait(60)
        with suppress(BusyError), recorded_holder(output, lambda _: None):
            holding.append(names.host)
            release.wait(60)
            return True
        return False

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(host, number) for number in range(4)]
        wait_until(lambda: sum(future.done() for future in futures) == 3)
        release.set()
        assert sum(future.result() for future in futures) == 1
    assert len(holding) == 1


def test_run_that_was_replaced_leaves_the_file_alone(output: Path) -> None:
    path = output.with_name(f".{output.name}.holder")
    with recorded_holder(output, lambda _: None):
        path.unlink()
        leave(output, FAR)
        time.sleep(0.5)
    assert json.loads(path.read_text()) == FAR


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
