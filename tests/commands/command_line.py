"""The command line as the tests of commands run it, on generated cells."""

import contextlib
import csv
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import imagecodecs
import numpy as np

from cellfeat.commands import exit_code
from cellfeat.samples.synthetic import CHANNELS

ROOT = Path(__file__).parent.parent.parent

EXTRACT = (
    "extract", "--images", "images", "--labels", "labels.csv", "--backbone", "mobilenet_v3_small",
    "--weights", "weights.pth", "--device", "cpu", "--precision", "fp32", "--workers", "0",
    "--set", "preprocessing.input_size=48", "--set", "preprocessing.crop=none",
)  # fmt: skip
"""An extraction with a small network; later options replace earlier ones."""

LAYOUTS = {
    "folders": ("--labels", "none", "--set", "images.layout=folders"),
    "table": ("--labels", "table.csv", "--set", "labels.files=path"),
}
"""Options for images in folders named after their class, and for images named in a table."""

Ended = subprocess.CompletedProcess[str]


def run_cli(folder: Path, *arguments: str) -> Ended:
    """Run a command as `cli.py` does, without the seconds that a new process takes to import torch."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = exit_code(list(arguments), ROOT / "configs" / "default.yaml")
    return Ended(arguments, code, out.getvalue(), err.getvalue())


def run_process(folder: Path, *arguments: str) -> Ended:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def succeed(folder: Path, *arguments: str) -> Ended:
    """Run a command that must succeed."""
    done = run_cli(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def refused(folder: Path, *arguments: str, code: int = 1) -> str:
    """Run a command that must be refused with one message; returns the message in one line."""
    done = run_cli(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def rows_of(file: Path) -> list[list[str]]:
    with file.open(newline="") as opened:
        return list(csv.reader(opened))


def copy_images(folder: Path, target: Path, names: dict[int, int]) -> None:
    """Copy the images of some samples to another folder: of the sample `names[new]` as sample `new`."""
    target.mkdir(exist_ok=True)
    for new, old in names.items():
        for channel in CHANNELS:
            image = folder / "images" / f"{old:05d}_{channel}.png"
            (target / f"{new:05d}_{channel}.png").write_bytes(image.read_bytes())


def lay_out(folder: Path) -> None:
    """Twenty three-channel images in ``rgb``, a folder for each of two classes, and a table that names them."""
    rows = ["file_id,cell_line,path"]
    for i in range(20):
        label = ("HeLa", "A549")[i % 2]
        target = folder / "rgb" / label
        target.mkdir(parents=True, exist_ok=True)
        planes = [imagecodecs.imread(folder / "images" / f"{i + 1:05d}_{channel}.png") for channel in CHANNELS]
        (target / f"{i}.png").write_bytes(imagecodecs.png_encode(np.stack(planes, axis=-1)))
        rows.append(f"{i},{label},{label}/{i}.png")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
