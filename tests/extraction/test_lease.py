"""Two hosts that share a folder whose locks end at each host: the second finds the first by its signs of life."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from cellfeat.errors import BusyError
from cellfeat.extraction.store import held_output
from cellfeat.extraction.store import lease as holder_module
from cellfeat.extraction.store.lease import describe_holder, told_holder

FAR = {"host": "node17", "pid": 4711, "since": "2026-01-01T00:00:00+00:00", "name": "far", "sign": 3}


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder_module, "SECONDS_BETWEEN_SIGNS", 0.2)
    monkeypatch.setattr(holder_module, "SECONDS_OF_SILENCE", 4.0)
    monkeypatch.setattr(holder_module, "SECONDS_TO_SETTLE", 0.5)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "cells.h5"


def leave(output: Path, holder: dict[str, object]) -> Path:
    path = output.with_name(f".{output.name}.holder")
    path.write_text(json.dumps(holder))
    return path


def test_a_run_of_another_host_that_shows_signs_of_life_is_named_and_left_alone(output: Path) -> None:
    path = leave(output, FAR)
    end = threading.Event()

    def live() -> None:
        sign = 3
        while not end.wait(0.1):
            sign += 1
            temporary = path.with_suffix(".far")
            temporary.write_text(json.dumps({**FAR, "sign": sign}))
            temporary.replace(path)

    far = threading.Thread(target=live)
    far.start()
    lines: list[str] = []
    try:
        with (
            pytest.raises(BusyError, match="host node17, pid 4711, since 2026"),
            held_output(output, lines.append),
        ):
            pass
    finally:
        end.set()
        far.join()
    assert json.loads(path.read_text())["name"] == "far"
    assert any("node17" in line and "watching" in line for line in lines)
    assert not output.with_name(f".{output.name}.lock").exists()


def test_a_dead_run_of_another_host_is_taken_over(output: Path) -> None:
    path = leave(output, FAR)
    with held_output(output):
        assert json.loads(path.read_text())["host"] == socket.gethostname()
    assert list(output.parent.iterdir()) == []


def test_nothing_is_left_of_a_run_that_was_killed_while_it_wrote_its_name(output: Path) -> None:
    output.with_name(f".{output.name}.holder.0123").write_text("{")
    with held_output(output):
        pass
    assert list(output.parent.iterdir()) == []


def test_a_dead_run_of_this_host_is_taken_over_at_once(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(output, {**FAR, "host": socket.gethostname()})
    monkeypatch.setattr(holder_module, "SECONDS_OF_SILENCE", 1e6)
    with held_output(output):
        assert f"pid {os.getpid()}" in describe_holder(output)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"host": 1, "other": 2}'])
def test_a_file_that_tells_nothing_is_taken_over_soon(
    content: bytes, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder_module, "SECONDS_OF_SILENCE", 1e6)
    leave(output, {}).write_bytes(content)
    with held_output(output):
        assert f"pid {os.getpid()}" in describe_holder(output)


def test_a_run_gives_signs_of_life_while_it_holds_and_none_after(output: Path) -> None:
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
def test_of_many_hosts_that_begin_at_once_without_common_locks_one_holds(
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
        with suppress(BusyError), told_holder(output, lambda _: None):
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


def test_who_was_taken_over_does_not_remove_the_others_file(output: Path) -> None:
    path = output.with_name(f".{output.name}.holder")
    with told_holder(output, lambda _: None):
        path.unlink()
        leave(output, FAR)
        time.sleep(0.5)
    assert json.loads(path.read_text()) == FAR


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
