"""Shares of an extraction against one process, and their memory.

    python benchmarks/shares.py ratio --samples 400 --rounds 5
    python benchmarks/shares.py memory --samples 2889 28896

``ratio`` runs one process with 2 threads, and 2 shares with one thread each, in turn on the same images with a network
that computes (efficientnet_lite0 at 160 px, random weights), and prints samples per second of the parts: from the first
part that is begun to the last one that is written, so without the start of processes, which is printed apart and does
not depend on the number of samples. ``memory`` prints the peak memory of a share and of the consolidation, with a light
network (mobilenet_v3_small at 32 px).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timm
import torch
from scaling import peak_bytes, write_images
from torchvision import models

from cellfeat.device import describe_device

CODE = "from cellfeat.commands import main; main()"
COMMON = ["labels.file=null", "preprocessing.crop=none", "extraction.precision=fp32"]
HEAVY = ["backbone.name=efficientnet_lite0", "preprocessing.input_size=160", "extraction.batch_size=16",
         "extraction.part_size=32", "extraction.workers=0"]  # fmt: skip
LIGHT = ["backbone.name=mobilenet_v3_small", "preprocessing.input_size=32", "extraction.batch_size=64",
         "extraction.workers=1"]  # fmt: skip


class Work:
    """What every process of a benchmark is told.

    Parameters
    ----------
    folder
        Where images, weights and output lie.
    overrides
        Settings.
    """

    def __init__(self, folder: Path, overrides: list[str]) -> None:
        self.output = folder / "out.h5"
        self._arguments = ["extract", "--images", str(folder / "images"), "--weights", str(folder / "weights.pth")]
        self._arguments += ["--output", str(self.output)]
        self._arguments += [word for override in (*COMMON, *overrides) for word in ("--set", override)]

    def start(self, *arguments: str, threads: int) -> "subprocess.Popen[bytes]":
        """Start a process."""
        command = [sys.executable, "-c", CODE, *self._arguments, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)

    def part_times(self) -> list[float]:
        """When each part was written, in order."""
        return sorted(path.stat().st_mtime for path in Path(f"{self.output}.parts").glob("rows-*.h5"))

    def peak(self, *arguments: str) -> int:
        """Run a process to its end; give its peak memory in bytes."""
        _, status, usage = os.wait4(self.start(*arguments, threads=1).pid, 0)
        if status:
            raise SystemExit(f"{' '.join(arguments)} failed with status {status}")
        return peak_bytes(usage)


def rate_of(work: Work, shares: list[str], threads: int) -> tuple[float, float]:
    """Make all parts; return parts per second after the first of each process, and the seconds until then."""
    began = time.time()
    processes = [work.start("--share", share, threads=threads) for share in shares]
    if any(process.wait() for process in processes):
        raise SystemExit(f"shares {', '.join(shares)} failed")
    times = work.part_times()
    # The first part of each process ends its start.
    first = times[len(shares) - 1]
    rate = (len(times) - len(shares)) / (times[-1] - first)
    work.peak("--consolidate")
    work.output.unlink()
    return rate, first - began


def ratio(folder: Path, n_samples: int, rounds: int) -> None:
    write_images(folder / "images", n_samples)
    torch.manual_seed(0)
    torch.save(timm.create_model("efficientnet_lite0").state_dict(), folder / "weights.pth")
    work = Work(folder, HEAVY)
    one: list[tuple[float, float]] = []
    two: list[tuple[float, float]] = []
    rate_of(work, ["0/1"], threads=2)  # fills the caches
    print("| round | 1 process, 2 threads | 2 shares, 1 thread each | ratio |\n|--:|--:|--:|--:|")
    for number in range(rounds):
        one.append(rate_of(work, ["0/1"], threads=2))
        two.append(rate_of(work, ["0/2", "1/2"], threads=1))
        a, b = 32 * one[-1][0], 32 * two[-1][0]
        print(f"| {number + 1} | {a:.1f} | {b:.1f} | {b / a:.3f} |", flush=True)
    ratios = [second[0] / first[0] for first, second in zip(one, two, strict=True)]
    print(f"\nsamples/s; ratio: median {statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")
    starts = [statistics.median(start for _, start in many) for many in (one, two)]
    print(f"start of a process with its first part: {starts[0]:.1f} s alone, {starts[1]:.1f} s of two at once")


def memory(folder: Path, samples: list[int]) -> None:
    torch.manual_seed(0)
    torch.save(models.mobilenet_v3_small().state_dict(), folder / "weights.pth")
    print("| samples | share 0/2, MB | share 1/2, MB | consolidation, MB | over the smallest |\n|--:|--:|--:|--:|---|")
    smallest: list[int] = []
    for n_samples in sorted(samples):
        place = folder / str(n_samples)
        write_images(place / "images", n_samples)
        (place / "weights.pth").symlink_to(folder / "weights.pth")
        work = Work(place, LIGHT)
        peaks = [work.peak(*words) for words in (("--share", "0/2"), ("--share", "1/2"), ("--consolidate",))]
        work.output.unlink()
        smallest = smallest or peaks
        over = ", ".join(f"{peak / before:.3f}" for peak, before in zip(peaks, smallest, strict=True))
        told = " | ".join(f"{peak / 1e6:,.0f}" for peak in peaks)
        print(f"| {n_samples:,} | {told} | {over} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ratio", "memory"])
    parser.add_argument("--samples", type=int, nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        if arguments.what == "ratio":
            ratio(Path(name), arguments.samples[0], arguments.rounds)
        else:
            memory(Path(name), arguments.samples)
    print(
        f"\n{describe_device(torch.device('cpu'))}, torch {torch.__version__}, load of the machine before: {load:.1f}"
    )


if __name__ == "__main__":
    main()
