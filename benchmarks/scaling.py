"""Time and memory of extraction per sample, for few and for many samples.

    python benchmarks/scaling.py memory --samples 2889 28896
    python benchmarks/scaling.py handles --samples 2889 28896
    python benchmarks/scaling.py time --samples 500 5000 --rounds 3

Each extraction is a separate process on generated 64 x 64 images with a small network (mobilenet_v3_small at 32 px,
random weights), so that everything but the forward is measured. ``memory`` prints the peak of each process and its
ratio to the smallest; ``handles`` prints open files, threads and child processes at 10, 25, 50, 75 and 90 % of the time
(on Linux); ``time`` prints milliseconds per sample, with the sizes alternating in each round.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep

import imagecodecs
import numpy as np
import torch
from torchvision import models

from cellfeat.device import describe_device
from cellfeat.extraction.store import read_summary

CHANNELS = ("blue", "red", "yellow")
OVERRIDES = ["labels.file=null", "backbone.name=mobilenet_v3_small", "preprocessing.input_size=32",
             "preprocessing.crop=none", "extraction.precision=fp32", "extraction.batch_size=64"]  # fmt: skip


def write_images(folder: Path, n_samples: int) -> None:
    """Write smoothed noise, which compresses by about a third, like cells."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(1, n_samples + 1):
        for channel in CHANNELS:
            image = np.kron(rng.integers(0, 64, (32, 32), dtype=np.uint8), np.ones((2, 2), np.uint8))
            (folder / f"{number:05d}_{channel}.png").write_bytes(imagecodecs.png_encode(image))


Watch = Callable[[int], None]


def extract(images: Path, weights: Path, output: Path, watch: Watch | None = None) -> tuple[float, int]:
    """Run an extraction as a process; return the seconds that it spends on samples, and its peak memory in bytes.

    `watch` is called with the id of the process, in a thread.
    """
    arguments = ["extract", "--images", str(images), "--weights", str(weights), "--output", str(output)]
    arguments += [word for override in OVERRIDES for word in ("--set", override)]
    code = "from cellfeat.commands import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    if watch is not None:
        threading.Thread(target=watch, args=(process.pid,), daemon=True).start()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"extraction of {images} failed with status {status}")
    seconds = read_summary(output).provenance["times"]["seconds"]
    output.unlink()
    # Without start-up, which does not depend on the number of samples.
    return seconds["waiting"] + seconds["transfer"] + seconds["forward"], peak_bytes(usage)


def peak_bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory(folder: Path, samples: list[int]) -> None:
    print("| samples | peak memory, MB | over the smallest |\n|---|---|---|")
    peaks: list[int] = []
    for n_samples in sorted(samples):
        write_images(folder / str(n_samples), n_samples)
        peaks.append(extract(folder / str(n_samples), folder / "weights.pth", folder / "out.h5")[1])
        print(f"| {n_samples:,} | {peaks[-1] / 1e6:,.0f} | {peaks[-1] / peaks[0]:.3f} |", flush=True)


class Handles:
    """Counts the open handles of a process five times a second until it ends."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int, int]] = []

    def __call__(self, pid: int) -> None:
        """Count open files, threads and child processes."""
        process = Path(f"/proc/{pid}")
        try:
            while True:
                files, threads = (sum(1 for _ in (process / name).iterdir()) for name in ("fd", "task"))
                children = sum(len(task.read_text().split()) for task in process.glob("task/*/children"))
                self.counts.append((files, threads, children))
                sleep(0.2)
        except OSError:  # the process has ended
            return

    def at(self, share: float) -> tuple[int, int, int]:
        """The counts after a share of the time."""
        return self.counts[int(share * len(self.counts))]


def handles(folder: Path, samples: list[int]) -> None:
    shares = (0.1, 0.25, 0.5, 0.75, 0.9)
    print(f"| samples | | {' | '.join(f'{share:.0%}' for share in shares)} | most |\n|---|---|{'--:|' * 6}")
    for n_samples in sorted(samples):
        write_images(folder / str(n_samples), n_samples)
        watch = Handles()
        extract(folder / str(n_samples), folder / "weights.pth", folder / "out.h5", watch)
        for i, what in enumerate(("open files", "threads", "child processes")):
            over_time = " | ".join(str(watch.at(share)[i]) for share in shares)
            print(f"| {n_samples:,} | {what} | {over_time} | {max(count[i] for count in watch.counts)} |", flush=True)


def time(folder: Path, samples: list[int], rounds: int) -> None:
    few, many = sorted(samples)
    for n_samples in (few, many):
        write_images(folder / str(n_samples), n_samples)
    milliseconds: dict[int, list[float]] = {few: [], many: []}
    for _ in range(rounds):
        for n_samples, values in milliseconds.items():
            seconds, _ = extract(folder / str(n_samples), folder / "weights.pth", folder / "out.h5")
            values.append(1000 * seconds / n_samples)
    print("| samples | ms a sample, median [range] |\n|---|---|")
    for n_samples, values in milliseconds.items():
        print(f"| {n_samples:,} | {statistics.median(values):.3f} [{min(values):.3f}, {max(values):.3f}] |")
    ratios = [second / first for first, second in zip(*milliseconds.values(), strict=True)]
    print(f"\nratio, round by round: {statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "handles", "time"])
    parser.add_argument("--samples", type=int, nargs=2, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.manual_seed(0)
        torch.save(models.mobilenet_v3_small().state_dict(), folder / "weights.pth")
        if arguments.what == "time":
            time(folder, arguments.samples, arguments.rounds)
        else:
            {"memory": memory, "handles": handles}[arguments.what](folder, arguments.samples)
    print(f"\n{describe_device(torch.device('cpu'))}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
