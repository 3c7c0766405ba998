"""A real extraction, killed again and again: at random moments, and where most of its work is not yet on disk.

The random ones are as many as CELLFEAT_KILLS says, 12 by default.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import parts_folder, read_summary, verify_features
from tests.extraction.observers import contents
from tests.extraction.processes import processes_of

MakeSettings = Callable[..., Settings]
RecordProperty = Callable[[str, object], None]

N_KILLS = int(os.environ.get("CELLFEAT_KILLS", "12"))
N_SAMPLES, PART_SIZE = 24, 4
SMALL = {
    "extraction__part_size": PART_SIZE,
    "extraction__batch_size": 2,
    "extraction__workers": 2,
    "preprocessing__input_size": 32,
}
LINES_OF_A_WRITE = 130
"""More lines than the store runs to write a part."""
LAUNCHER = """
import os, signal, sys, threading, time
from pathlib import Path
from cellfeat import provenance
from cellfeat.config import Settings
from cellfeat.extraction import store
from cellfeat.extraction.extract import extract
import cellfeat.extraction.run, torchvision.models  # once, and not in each run

settings = Settings.model_validate_json(sys.argv[1])
progress = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)

class Observer:
    def say(self, line):
        pass
    def advance(self, n_done, n_samples):
        os.pwrite(progress, bytes([n_done]), 0)

def stall_and_die():
    seen = None
    while seen != (seen := os.pread(progress, 1, 0)):
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)

def stall_at(k):
    files = {*map(str, Path(store.__file__).parent.glob("*.py")), provenance.__file__}
    n_lines = 0
    def trace(frame, event, _):
        nonlocal n_lines
        if frame.f_code.co_filename not in files or not threading.current_thread().name.startswith("write"):
            return None
        n_lines += event == "line"
        if n_lines == k:
            stall_and_die()
        return trace
    threading.settrace(trace)

for line in sys.stdin:
    os.pwrite(progress, bytes([0]), 0)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            if int(line):
                stall_at(int(line))
            extract(settings, observer=Observer())
            code = 0
        finally:
            os._exit(code)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Launcher:
    """Starts extractions as forked processes, so that torch is imported only once."""

    def __init__(self, process: subprocess.Popen[str], progress: Path) -> None:
        self._process = process
        self._progress = progress

    def start(self, stall_at: int = 0) -> int:
        """Start an extraction; return the id of its process, which is also that of its session.

        With `stall_at`, the thread that writes parts stops at that line of the store, counted from 1, and the process
        is killed when the other threads can go no further.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{stall_at}\n")
        self._process.stdin.flush()
        return self._answer()

    def ended(self) -> int:
        """Wait for its end; return its status."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def n_embedded(self) -> int:
        """Number of samples that were done at the last report of an extraction."""
        return self._progress.read_bytes()[0]


@contextmanager
def launcher_of(settings: Settings, progress: Path) -> Iterator[Launcher]:
    command = [sys.executable, "-c", LAUNCHER, settings.model_dump_json(), str(progress)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Launcher(process, progress)


def n_rows_kept(output: Path) -> int:
    return PART_SIZE * len(list(parts_folder(output).glob("rows-*.h5")))


def wait_for_end_of(session: int) -> None:
    deadline = time.monotonic() + 30
    while processes_of(session):
        assert time.monotonic() < deadline, "a killed run leaves processes behind"
        time.sleep(0.02)


Begin = Callable[[Launcher], int]


def check_kills(
    launcher: Launcher, settings: Settings, expected: Mapping[str, Any], begins: Iterable[Begin], losses: list[int]
) -> None:
    """Start runs that are killed, and one that finishes what is left.

    Parameters
    ----------
    launcher, settings, expected
        What starts runs, their settings, and the contents of an undisturbed file.
    begins
        Each starts a run, and may kill it.
    losses
        Receives, for each kill, the number of finished samples that have to be computed again.
    """
    output = settings.extraction.output
    for begin in chain(begins, repeat(Launcher.start)):
        was_there, n_before = output.exists(), n_rows_kept(output)
        session = begin(launcher)
        status = launcher.ended()
        wait_for_end_of(session)
        if os.WIFSIGNALED(status):
            if output.exists():
                verify_features(output)
                losses.append(0)
            else:
                assert n_rows_kept(output) >= n_before, "what was finished stays"
                losses.append(max(launcher.n_embedded(), n_before) - n_rows_kept(output))
            continue
        assert status == 0
        assert contents(output) == expected
        assert [path.name for path in output.parent.iterdir()] == ["features.h5"], "nothing but the file is left"
        if not was_there:
            assert read_summary(output).provenance["times"]["n_extracted"] == N_SAMPLES - n_before
        shutil.rmtree(output.parent)
        if begin == Launcher.start:
            return


@pytest.fixture
def undisturbed(settings_for: MakeSettings, tmp_path: Path) -> dict[str, Any]:
    return contents(extract(settings_for(**SMALL, extraction__output=tmp_path / "undisturbed.h5")).path)


@pytest.mark.slow
@pytest.mark.timeout(300 + 15 * N_KILLS)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(
    settings_for: MakeSettings, undisturbed: dict[str, Any], tmp_path: Path, record_property: RecordProperty
) -> None:
    settings = settings_for(**SMALL, extraction__output=tmp_path / "killed" / "features.h5")
    rng = np.random.default_rng(0)
    losses: list[int] = []
    with launcher_of(settings, tmp_path / "progress") as launcher:
        launcher.start()  # answers when the imports are done, which are no part of a run
        began = time.monotonic()
        assert launcher.ended() == 0
        duration = time.monotonic() - began

        def killed_at_random(launcher: Launcher) -> int:
            session = launcher.start()
            time.sleep(rng.uniform(0, duration))
            with suppress(ProcessLookupError):
                os.kill(session, signal.SIGKILL)
            return session

        begins = (killed_at_random for _ in iter(lambda: len(losses) < N_KILLS, False))
        check_kills(launcher, settings, undisturbed, begins, losses)
    record_property("faults", len(losses))
    assert len(losses) == N_KILLS
    assert max(losses) <= PART_SIZE, "one part at most is computed again"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_while_it_writes_a_part_computes_one_part_again(
    settings_for: MakeSettings, undisturbed: dict[str, Any], tmp_path: Path, record_property: RecordProperty
) -> None:
    settings = settings_for(**SMALL, extraction__output=tmp_path / "killed" / "features.h5")
    losses: list[int] = []
    with launcher_of(settings, tmp_path / "progress") as launcher:
        begins = (partial(Launcher.start, stall_at=line) for line in range(1, LINES_OF_A_WRITE, 12))
        check_kills(launcher, settings, undisturbed, begins, losses)
    record_property("faults", len(losses))
    assert len(losses) > 8
    assert max(losses) == PART_SIZE
