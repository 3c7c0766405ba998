"""Environments of their own, for packages that do not go with those of cellfeat."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest


def environment(folder: Path, *packages: str) -> Path:
    """Install packages into a new environment and give its Python; skips where they cannot be installed."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "15", *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


def run_in(python: Path, code: str, *arguments: object) -> str:
    """Run code in an environment and give what it printed last."""
    command = [str(python), "-c", code, *map(str, arguments)]
    # Without the path of this project, which the environment must not see.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
