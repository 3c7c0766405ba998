"""Seconds of a comparison in this process against processes side by side, in turn, and what starting them costs.

Usage: python benchmarks/jobs.py [--jobs 2] [--times 3] [--samples 4000] [--dim 512]
"""

import argparse
import os
import time

import numpy as np

from cellfeat import Features, compare
from cellfeat.evaluation.design import Design

HEADS = ("mlp", "logreg", "lightgbm")


def clusters(n_samples: int, dim: int) -> Features:
    """Samples of six classes on 25 plates."""
    rng = np.random.default_rng(0)
    codes = np.arange(n_samples) % 6
    rows = rng.standard_normal((6, dim))[codes] * 0.15 + rng.standard_normal((n_samples, dim))
    plates = [f"P{i // 6 % 25}" for i in range(n_samples)]
    return Features.from_arrays(rows.astype(np.float32), labels=np.array(list("abcdef"))[codes], groups=plates)


def seconds(features: Features, jobs: int) -> float:
    """Compare without a cache."""
    start = time.perf_counter()
    compare(features, HEADS, design=Design(draws=200), jobs=jobs)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print ratios with their spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("jobs", 2), ("times", 3), ("samples", 4000), ("dim", 512)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    features, tiny = clusters(wanted.samples, wanted.dim), clusters(300, 8)
    load = os.getloadavg()[0]
    print(f"{wanted.samples} samples x {wanted.dim}, {os.cpu_count()} processors, load {load:.1f} before")
    start = time.perf_counter()
    compare(tiny, ["dummy"], design=Design(draws=200), jobs=wanted.jobs)
    print(f"first comparison of dummy with {wanted.jobs} jobs, which starts them: {time.perf_counter() - start:.1f} s")
    ratios = []
    for _ in range(wanted.times):
        one, many = seconds(features, 1), seconds(features, wanted.jobs)
        ratios.append(one / many)
        print(f"1 job {one:.1f} s, {wanted.jobs} jobs {many:.1f} s, ratio {one / many:.2f}", flush=True)
    print(f"ratio {np.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
