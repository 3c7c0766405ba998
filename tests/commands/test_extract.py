import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands.command_line import EXTRACT, ROOT, copy_images, refused, run_cli, succeed


def test_file_goes_to_stdout_and_all_else_to_stderr(folder: Path) -> None:
    done = run_cli(folder, *EXTRACT)
    assert done.stdout == "features/cells.h5\n"
    assert "finished already" in done.stderr


def test_output_below_a_file_is_refused(folder: Path) -> None:
    assert "labels.csv" in refused(folder, *EXTRACT, "--output", "labels.csv/cells.h5")


def test_control_characters_do_not_reach_the_terminal(folder: Path) -> None:
    assert "\x1b" not in refused(folder, "extract", "--images", "no\x1b[2Jwhere")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_with_130_and_the_same_command_continues(folder: Path) -> None:
    copy_images(folder, folder / "forty", {number: number for number in range(1, 41)})
    arguments = (
        *EXTRACT, "--images", "forty", "--labels", "none", "--set", "extraction.part_size=2",
        "--set", "extraction.batch_size=2", "--set", "preprocessing.channels_as=separate",
        "--output", "features/interrupted.h5",
    )  # fmt: skip
    # A test run in the background of a shell inherits that Ctrl-C is ignored.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    parts = folder / "features" / "interrupted.h5.parts"
    deadline = time.monotonic() + 60
    while not list(parts.glob("rows-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "start the same command again" in stderr
    assert "unfinished run" in succeed(folder, *arguments).stderr
