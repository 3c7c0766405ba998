"""Where the time goes: sums, advice and a trace that a viewer can read."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cellfeat.extraction import timing
from cellfeat.extraction.timing import STEPS, Event, Timeline


def timeline(wall: float = 10.0, **seconds: float) -> Timeline:
    made = Timeline(keeps_events=True)
    for step, length in seconds.items():
        made.record(Event(step, "main", 0.0, length))
    made.wall = wall
    return made


def test_steps_of_many_threads_add_up() -> None:
    line = Timeline()

    def work(_: int) -> None:
        for _ in range(50):
            line.record(Event("decode", "decode", 0.0, 0.001))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert line.seconds()["decode"] == pytest.approx(0.4)


def test_a_step_takes_the_time_of_its_block_even_if_it_fails() -> None:
    line = Timeline()

    @line.step("write")
    def fails() -> None:
        time.sleep(0.02)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    assert 0.02 <= line.seconds()["write"] < 1


def test_the_table_has_the_share_and_the_cost_of_every_step() -> None:
    lines = timeline(forward=8.0, decode=1.0).table(100)
    assert [line.split()[0] for line in lines[1:]] == [*STEPS, "wall"]
    assert lines[4].split() == ["forward", "8.00", "80.0%", "80.00"]


def test_closing_line_accounts_for_the_whole_run() -> None:
    line = timeline(wall=10, decode=12, waiting=1, transfer=1, forward=3, write=1).closing_line()
    assert "waiting 10%, transfer 10%, forward 30%, start and end 50%" in line
    assert line.endswith("decode 120%, write 10%")


def test_a_backbone_that_does_not_wait_needs_no_advice() -> None:
    assert timeline(forward=9.5, waiting=0.4).advice(workers=1) is None


@pytest.mark.parametrize("workers", [0, 1])
def test_a_waiting_backbone_gets_enough_workers(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "usable_processors", lambda: 16)
    advice = timeline(forward=2.0, waiting=7.1, decode=9.0).advice(workers=workers)
    assert advice is not None
    assert "71%" in advice
    assert "--workers 5" in advice


def test_more_workers_than_cores_are_not_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "usable_processors", lambda: 2)
    advice = timeline(forward=2.0, waiting=7.0, decode=15.0).advice(workers=2)
    assert advice is not None
    assert "2 workers on 2 cores" in advice
    assert "--workers" not in advice


def test_cores_of_other_jobs_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    advice = timeline(forward=2.0, waiting=7.0, decode=15.0).advice(workers=1)
    assert advice is not None
    assert "1 worker on 1 core cannot" in advice


def test_the_trace_is_one_that_chrome_reads(tmp_path: Path) -> None:
    line = Timeline(keeps_events=True)
    with line.step("forward"):
        time.sleep(0.01)
    line.write_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    [forward] = [event for event in events if event["ph"] == "X"]
    assert forward["name"] == "forward"
    assert 10_000 <= forward["dur"] < 1_000_000
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {"MainThread"}
