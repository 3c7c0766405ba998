"""The command line run in this process, and what every ending with an error owes its user."""

import io
import os
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from torchvision import models

from cellfeat.commands import exit_code
from tests.object_stores import bucket, faulty, s3_server  # noqa: F401, pytest finds fixtures by name
from tests.samples.remote_folders import impatient  # noqa: F401


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    code: int
    out: str
    err: str

    def is_refusal(self, message: str) -> None:
        """Assert that it ended with exit code 1 and one message that fits `message`, a regular expression."""
        assert self.code == 1, f"exit code {self.code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err
        assert len(re.findall("^error: ", self.err, re.MULTILINE)) == 1, self.err
        assert re.search(message, self.err, re.DOTALL), self.err
        assert "\x1b" not in self.err
        assert self.out == ""


def write_cells(folder: Path, n_samples: int) -> Path:
    """Write images of two classes in turn, and their labels."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(n_samples):
        picture = rng.integers(0, 255, (12, 12), np.uint8)
        (folder / "images" / f"{number:02d}.png").write_bytes(imagecodecs.png_encode(picture))
    rows = [f"{number:02d}.png,{('HeLa', 'RT4')[number % 2]}" for number in range(n_samples)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    return folder


Cli = Callable[..., Ending]


def run_cli(*arguments: object) -> Ending:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = exit_code([str(argument) for argument in arguments])
    return Ending(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run one command, and say how it ended."""
    return run_cli


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """An empty folder that is also the working directory."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Arguments of ``extract`` that name a small network with random weights, and a small picture for it."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.manual_seed(0)
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), path)
    return (
        "--backbone", "mobilenet_v3_small", "--weights", str(path), "--device", "cpu", "--precision", "fp32",
        "--workers", "0",
        "--set", "preprocessing.input_size=48", "--set", "preprocessing.crop=none",
    )  # fmt: skip
