"""What `cellfeat doctor` says of the machine."""

from pathlib import Path

import pytest
import torch

from cellfeat.doctor import machine
from cellfeat.doctor.machine import look_at_machine


def test_names_device_threads_and_folders() -> None:
    found = {finding.topic: finding.found for finding in look_at_machine()}
    assert f"{torch.get_num_threads()} of " in found["threads"]
    assert {"python", "device", "fast precisions", "working folder", "temporary folder", "weights"} <= set(found)


def test_says_which_variable_keeps_cores_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(machine, "usable_processors", lambda: torch.get_num_threads() + 7)
    (threads,) = [finding for finding in look_at_machine() if finding.topic == "threads"]
    assert threads.state == "note"
    assert "OMP_NUM_THREADS=1" in threads.found


def test_names_a_folder_without_room(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_disk)
    (working,) = [finding for finding in look_at_machine() if finding.topic == "working folder"]
    assert (working.state, working.advice) == ("note", "make room")
