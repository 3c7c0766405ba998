"""Completion by Tab, asked as bash asks it."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from cellfeat.backbones.registry import BACKBONES
from cellfeat.commands import COMMANDS
from cellfeat.heads.registry import HEADS
from cellfeat.interop.exports.registry import EXPORTS
from tests.commands.command_line import ROOT

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="bash")

COMPLETED = {
    "cellfeat ": set(COMMANDS),
    "cellfeat com": {"compare"},
    "cellfeat extract --ima": {"--images", "--image-timeout"},
    "cellfeat extract --precision b": {"bf16"},
    "cellfeat extract --backbone efficientnet_lite": {n for n in BACKBONES if n.startswith("efficientnet_lite")},
    "cellfeat extract --backbone resnet18+alex": {"resnet18+alexnet"},
    "cellfeat extract --backbone alexnet+alex": set(),
    "cellfeat fit --head ": set(HEADS),
    "cellfeat compare --heads mlp,l": {f"mlp,{name}" for name in HEADS if name.startswith("l")},
    "cellfeat compare --heads mlp,ml": set(),
    "cellfeat export features.h5 --to ": set(EXPORTS),
    "cellfeat figure h": {"heads"},
    "cellfeat inspect resnet1": {name for name in BACKBONES if name.startswith("resnet1")},
}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which ``cellfeat`` is a command."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "cellfeat"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(ROOT / "cli.py"))} "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def completions(shell: dict[str, str], line: str) -> set[str]:
    """What bash shows after Tab at the end of a line."""
    words = line.split(" ")
    script = f"""
        eval "$(_CELLFEAT_COMPLETE=bash_source cellfeat)"
        COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
        compopt() {{ echo "compopt $1 $2"; }}
        _cellfeat_completion cellfeat
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run([str(BASH), "-c", script], env=shell, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


@pytest.mark.parametrize("line", COMPLETED)
def test_bash_completes(line: str, shell: dict[str, str]) -> None:
    assert completions(shell, line) == COMPLETED[line]


@pytest.mark.parametrize("line", ["cellfeat compare --features ", "cellfeat inspect features/", "cellfeat view "])
def test_bash_completes_files(line: str, shell: dict[str, str]) -> None:
    assert completions(shell, line) == {"compopt -o default"}


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_script_of_shell_names_the_command(name: str, shell: dict[str, str]) -> None:
    asked = shell | {"_CELLFEAT_COMPLETE": f"{name}_source"}
    done = subprocess.run(["cellfeat"], env=asked, capture_output=True, text=True, check=True)
    assert f"_CELLFEAT_COMPLETE={name}_complete" in done.stdout
