"""How every command ends: exit codes, one message, and help."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cellfeat.commands import COMMANDS, EXIT_INTERRUPTED, cellfeat, exit_code
from tests.commands.command_line import ROOT, run_cli

ENDINGS = {
    "an unknown command": (("extrcat",), 2, "extrcat"),
    "an unknown option": (("extract", "--imags", "x"), 2, "--imags"),
    "both sources of predict": (("predict", "--model", "m", "--features", "a", "--images", "b"), 2, "--features"),
    "a missing folder": (("extract", "--images", "nowhere"), 1, "nowhere"),
    "a misspelt setting": (("extract", "--set", "extraction.veiws=4"), 1, "'extraction.views'"),
    "a misspelt head": (("fit", "--head", "lihgtgbm"), 1, "'lightgbm'"),
    "a misspelt backbone": (("inspect", "convnext_bass"), 1, "'convnext_base'"),
    "fractions that are none": (("compare", "--fractions", "a half"), 1, "'a half'"),
    "a table beside features": (("predict", "--model", "m", "--features", "a", "--labels", "b"), 2, "--labels"),
    "a coverage of 1": (("predict", "--model", "m", "--features", "a", "--coverage", "1"), 2, "--coverage"),
    "no model": (("predict", "--model", "nowhere", "--features", "features/cells.h5"), 1, "nowhere"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_mistake_ends_with_its_code_and_one_message(folder: Path, name: str) -> None:
    arguments, code, noun = ENDINGS[name]
    done = run_cli(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert noun in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


INTERRUPTED_AGAIN_WHILE_LIBRARIES_END = """
import atexit, os, signal
from cellfeat import commands

def interrupted(*_, **__):
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, signal.default_int_handler)
commands.cellfeat.main = interrupted
commands.main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_wrong_usage_is_told_without_control_characters(tmp_path: Path) -> None:
    ended = run_cli(tmp_path, "init", ".", "--output", "settings\x07.txt")
    assert ended.returncode == 2
    assert r"settings\x07.txt" in ended.stderr
    assert "\x07" not in ended.stderr


def test_second_ctrl_c_adds_nothing_to_the_last_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AGAIN_WHILE_LIBRARIES_END],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGINT
    assert len(done.stderr.strip().splitlines()) == 1
    assert "interrupted" in done.stderr


@pytest.mark.parametrize(
    ("told", "ending"), [("", "start the same command again to continue"), ("nothing is kept", "nothing is kept")]
)
def test_last_line_after_ctrl_c_is_that_of_the_command(
    told: str, ending: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt(told)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(cellfeat, "main", interrupted)
    try:
        assert exit_code(["recommend"]) == EXIT_INTERRUPTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert capsys.readouterr().err.strip().endswith(ending)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_documented(name: str, tmp_path: Path) -> None:
    done = run_cli(tmp_path, name, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 3
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert any(f"`{name}`" in text or f"cellfeat {name}" in text for text in (page.read_text() for page in pages))


ENDS = """
import atexit, sys
from cellfeat import commands

run = commands.exit_code
def exit_code(*arguments):
    # As libraries do that a command imports.
    atexit.register(print, "library ended")
    return run(*arguments)

commands.exit_code = exit_code
sys.argv = ["cellfeat", "list", sys.argv[1]]
commands.main()
"""


@pytest.mark.parametrize(("what", "code"), [("heads", 0), ("nothing", 2)])
def test_libraries_end_before_the_process_does(what: str, code: int) -> None:
    ran = subprocess.run([sys.executable, "-c", ENDS, what], capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert ran.stdout.endswith("library ended\n")
    assert ("logreg" in ran.stdout) == (code == 0)
