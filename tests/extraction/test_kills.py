"""A real extraction, killed at random moments again and again: as often as CELLFEAT_KILLS says, 12 times by default."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import parts_folder, read_summary, verify_features

MakeSettings = Callable[..., Settings]

N_KILLS = int(os.environ.get("CELLFEAT_KILLS", "12"))
N_SAMPLES, PART_SIZE = 24, 2
LAUNCHER = """
import os, sys
from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
import cellfeat.extraction.run, torchvision.models  # once, and not in each run

settings = Settings.model_validate_json(sys.argv[1])
progress = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)

class Observer:
    def say(self, line):
        pass
    def advance(self, n_done, n_samples):
        os.pwrite(progress, bytes([n_done]), 0)

for _ in sys.stdin:
    os.pwrite(progress, bytes([0]), 0)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            extract(settings, observer=Observer())
            code = 0
        finally:
            os._exit(code)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Launcher:
    """Starts extractions as processes of their own, without the seconds that importing torch takes each time."""

    def __init__(self, process: subprocess.Popen[str], progress: Path) -> None:
        self._process = process
        self._progress = progress

    def start(self) -> int:
        """Begin an extraction; gives the id of its process, and of its session."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def ended(self) -> int:
        """Wait for its end; gives its status."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def n_embedded(self) -> int:
        """Samples that were done when the last extraction was heard of."""
        return self._progress.read_bytes()[0]


@contextmanager
def launcher_of(settings: Settings, progress: Path) -> Iterator[Launcher]:
    command = [sys.executable, "-c", LAUNCHER, settings.model_dump_json(), str(progress)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Launcher(process, progress)


def contents(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[:].tolist()} if hasattr(item, "shape") else {}))
    return found


def n_rows_kept(output: Path) -> int:
    return PART_SIZE * len(list(parts_folder(output).glob("rows-*.h5")))


def left_of_session(session: int) -> list[int]:
    """Processes that a run has started and that still live; [] where the system does not tell."""
    left = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                left.append(int(stat.parent.name))
    return left


def wait_for_the_end_of(session: int) -> None:
    deadline = time.monotonic() + 30
    while left_of_session(session):
        assert time.monotonic() < deadline, "a killed run leaves processes behind"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(300 + 15 * N_KILLS)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_moments_a_real_run_ends_with_the_same_bytes(
    settings_for: MakeSettings, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    small = {"extraction__part_size": PART_SIZE, "preprocessing__input_size": 32}
    expected = contents(extract(settings_for(**small, extraction__output=tmp_path / "undisturbed.h5")).path)
    output = tmp_path / "killed" / "features.h5"
    rng = np.random.default_rng(0)
    n_killed = n_finished = 0
    with launcher_of(settings_for(**small, extraction__output=output), tmp_path / "progress") as launcher:
        launcher.start()  # answers when the imports are done, which are no part of a run
        began = time.monotonic()
        assert launcher.ended() == 0
        duration = time.monotonic() - began
        while n_killed < N_KILLS or output.exists() or n_finished == 0:
            was_there, n_before = output.exists(), n_rows_kept(output)
            session = launcher.start()
            if n_killed < N_KILLS:
                time.sleep(rng.uniform(0, duration))
                with suppress(ProcessLookupError):
                    os.kill(session, signal.SIGKILL)
            status = launcher.ended()
            wait_for_the_end_of(session)
            if os.WIFSIGNALED(status):
                n_killed += 1
                if output.exists():
                    verify_features(output)
                else:
                    kept = n_rows_kept(output)
                    assert kept >= n_before, "what was finished stays"
                    lost = max(launcher.n_embedded(), n_before) - kept
                    assert lost <= 2 * PART_SIZE, "at most the part in hand and the one that was being written"
                continue
            assert status == 0
            n_finished += 1
            assert contents(output) == expected
            assert [path.name for path in output.parent.iterdir()] == ["features.h5"], "nothing but the file is left"
            if not was_there:
                assert read_summary(output).provenance["times"]["n_extracted"] == N_SAMPLES - n_before
            shutil.rmtree(output.parent)
    record_property("faults", n_killed)
    assert n_killed == N_KILLS
