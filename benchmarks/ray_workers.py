"""Speed of workers on a Ray cluster of this machine, compared with one process that has as many threads.

    OMP_NUM_THREADS=2 python benchmarks/ray_workers.py --images data/images --workers 2 --rounds 3

Both extract the same images by turns, in float32 with the same network. Prints a Markdown table: samples per second
from the first to the last report of progress, without start-up, and the ratio of each round, Ray to one process.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.shares.ray.engine import RayOptions, extract_on_ray


class Clock:
    """Keeps when how many samples were done."""

    def __init__(self) -> None:
        self.reports: list[tuple[float, int]] = []

    def say(self, line: str) -> None:
        """Ignore the line."""

    def advance(self, n_done: int, n_samples: int) -> None:  # noqa: ARG002
        """Keep the time at which another sample is done."""
        if n_done and (not self.reports or n_done > self.reports[-1][1]):
            self.reports.append((time.perf_counter(), n_done))

    @property
    def rate(self) -> float:
        """Samples per second from the first report to the last."""
        (began, n_before), (ended, n_after) = self.reports[0], self.reports[-1]
        return (n_after - n_before) / (ended - began)


def settings_for(images: str, output: Path) -> Settings:
    wanted = {
        "images.root": images,
        "labels.file": None,
        "backbone.name": "efficientnet_lite0",
        "extraction.output": output,
        "extraction.device": "cpu",
        "extraction.precision": "fp32",
        "extraction.part_size": 16,
        "extraction.batch_size": 8,
    }
    return load_settings(overrides=wanted)


def one_round(kind: str, images: str, n_workers: int) -> float:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(images, Path(folder) / "features.h5")
        if kind == "ray":
            extract_on_ray(settings, RayOptions(n_workers=n_workers), observer=clock)
        else:
            extract(settings, observer=clock)
    return clock.rate


def in_process(kind: str, arguments: argparse.Namespace) -> float:
    """Run a round in a process of its own, so that neither is warmed up by the other."""
    options = ["--images", arguments.images, "--workers", str(arguments.workers), "--only", kind]
    done = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["ray", "one"])
    arguments = parser.parse_args()
    if arguments.only:
        print(one_round(arguments.only, arguments.images, arguments.workers))
        return
    print("| round | one process | Ray | ratio |\n|---|---|---|---|")
    ratios = []
    for number in range(arguments.rounds):
        one, ray = in_process("one", arguments), in_process("ray", arguments)
        ratios.append(ray / one)
        print(f"| {number + 1} | {one:.1f}/s | {ray:.1f}/s | {ray / one:.2f} |", flush=True)
    print(f"\nmedian ratio {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
