"""Cost of reading images in separate processes (`cellfeat.samples.reading`), compared with reading in place.

    python benchmarks/reading.py

Prints a Markdown table of processor time per sample: samples are three grey PNGs, read in both ways from one process;
the fastest of the rounds counts. Processor time is measured, because reading runs beside the network.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np

from cellfeat.samples.reading.images import SampleReader
from cellfeat.samples.reading.worker_pool import Workers

CHANNELS = ("blue", "red", "yellow")
SIZES = {64: 1000, 1024: 8}
"""Number of samples, by the side length of their images."""


def written(folder: Path, side: int, n_samples: int) -> SampleReader:
    """Write smooth pictures with some noise, like those of a microscope."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    files = []
    for row in range(n_samples):
        names = tuple(f"{side}_{row}_{channel}.png" for channel in CHANNELS)
        for k, name in enumerate(names):
            wave = 100 + 60 * np.sin(x / (20 + row + k)) + 50 * np.cos(y / (30 + k))
            pixels = (wave + rng.normal(0, 6, (side, side))).clip(0, 255).astype(np.uint8)
            (folder / name).write_bytes(imagecodecs.png_encode(pixels))
        files.append(names)
    return SampleReader(folder, tuple(files), CHANNELS, True)


def seconds_here_and_in_children(work: Callable[[], None]) -> tuple[float, float]:
    """Processor time of this process, and of the processes that it started and ended during the work."""
    before = os.times()
    work()
    after = os.times()
    here = after.user + after.system - before.user - before.system
    there = after.children_user + after.children_system - before.children_user - before.children_system
    return here, there


def in_place(reader: SampleReader) -> None:
    for row in range(len(reader)):
        reader.read(row)


def in_a_process(reader: SampleReader, n_samples: int) -> None:
    with Workers() as workers:
        for row in range(n_samples):
            workers.read(reader, row)


def row_of(reader: SampleReader, rounds: int) -> str:
    n_samples = len(reader)
    in_place(reader)
    ways = {
        "in place": partial(in_place, reader),
        "one": partial(in_a_process, reader, 1),
        "all": partial(in_a_process, reader, n_samples),
    }
    times = [{name: seconds_here_and_in_children(work) for name, work in ways.items()} for _ in range(rounds)]
    best = {name: min((time[name] for time in times), key=sum) for name in ways}
    here, there = (a - b for a, b in zip(best["all"], best["one"], strict=True))
    each = [1000 * seconds / n_samples for seconds in (best["in place"][0], here, there)]
    return f"{' | '.join(f'{ms:.2f} ms' for ms in each)} | {sum(best['one']):.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print("| images | in place | in a process: here | in a process: there | start of a process |")
    print("|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for side, n_samples in SIZES.items():
            reader = written(Path(folder), side, n_samples)
            print(f"| 3 x {side} x {side} | {row_of(reader, rounds)} |", flush=True)


if __name__ == "__main__":
    main()
