"""What the feature file costs at many rows: to write, to take up again after a kill, to verify, to read, to inspect.

    python benchmarks/store.py --rows 10000 1000000 --columns 128

Embeddings are generated, and every id, label and group is text, as an extraction leaves them; one sample in a thousand
counts as failed. Each step is timed once, in one process but for the kill, and its growth is held against the rows': a
step whose last column is well above 1 grows faster than the file. The disk needs twice the size of the file.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    describe_summary,
    held_output,
    load_features,
    no_intensities,
    no_properties,
    parts_folder,
    read_embeddings,
    read_pixel_digests,
    read_summary,
    read_table,
    replace_table,
    verify_features,
)
from cellfeat.samples.manifest.manifest import Manifest

PART_SIZE = 1024
FAILS_EVERY = 1000
RECIPE: dict[str, Any] = {
    "backbone": {"name": "generated", "weights_digest": "sha256:none", "pool": "norm"},
    "transform": {"input_size": 224},
    "channels": ["blue", "red", "yellow"],
    "channels_as": "planes",
    "passes": ["planes"],
    "intensity": {"range": None, "percentile": None, "over": "image"},
    "views": 1,
    "precision": "fp32",
}
PROVENANCE = {
    "weights": "none",
    "execution": {"implementation": "none"},
    "times": {"finished": "never", "seconds": {"wall": 0.0}},
    "device": "none",
    "versions": {},
}


def make_rows(part: range, n_columns: int) -> Rows:
    rng = np.random.default_rng(part.start)
    embeddings = rng.standard_normal((len(part), 1, n_columns), np.float32)
    status = np.zeros(len(part), np.uint8)
    digests = rng.integers(0, 256, (len(part), 32), np.uint8)
    failed = [row for row in part if row % FAILS_EVERY == 0]
    here = np.array(failed, int) - part.start
    embeddings[here], status[here], digests[here] = np.nan, 1, 0
    arrays = (embeddings, status, digests, make_properties(len(part)), no_intensities(len(part), 3))
    return Rows.from_arrays(part.start, arrays, dict.fromkeys(failed, "file ends early"))


def make_properties(n_rows: int) -> np.ndarray:
    properties = no_properties(n_rows)
    properties[:] = ("uint8", "8", 8, 64, 64, "png")
    return properties


def make_table(n_rows: int) -> SampleTable:
    return SampleTable(
        sample_id=[f"plate{i // 384:05d}_{i % 384:03d}" for i in range(n_rows)],
        label=[f"class {i % 9}" for i in range(n_rows)],
        group=[f"donor {i // 384 % 40}" for i in range(n_rows)],
        columns={"plate": [f"plate{i // 384:05d}" for i in range(n_rows)]},
    )


def make_manifest(table: SampleTable, folder: Path) -> Manifest:
    frame = pd.DataFrame({"sample_id": table.sample_id, "label": table.label, "group": table.group})
    for channel in RECIPE["channels"]:
        frame[f"file_{channel}"] = frame["sample_id"] + f"_{channel}.png"
    return Manifest(frame, folder, ("blue", "red", "yellow"))


def write_missing(output: Path, header: RunHeader) -> PartStore:
    """What a resumed extraction does: look at every part, and make those that are not there."""
    store = PartStore(output, header)
    for part in header.part_rows():
        if store.read(part) is None:
            store.write(make_rows(part, header.embedding_dim))
    return store


def write_until_killed(output: Path, header: RunHeader) -> None:
    """Write half of the parts in a process of its own, which is killed there."""
    process = multiprocessing.get_context("spawn").Process(target=write_missing, args=(output, header))
    process.start()
    assert process.pid is not None
    wanted = len(header.part_rows()) // 2
    while sum(1 for _ in parts_folder(output).glob("rows-*.h5")) < wanted and process.is_alive():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()


class Clock:
    """Keeps the seconds that each step took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, step: str, task: Callable[..., Any], *arguments: Any) -> Any:
        """Time one step, and give what it returns."""
        began = time.perf_counter()
        result = task(*arguments)
        self.seconds[step] = time.perf_counter() - began
        return result


def measure(folder: Path, n_rows: int, n_columns: int) -> dict[str, float]:
    """Seconds by step."""
    clock, output = Clock(), folder / "features.h5"
    table = make_table(n_rows)
    manifest = make_manifest(table, folder)
    samples = clock("digest of the manifest", manifest.digest)
    header = RunHeader(RECIPE, samples, {}, n_rows, 1, n_columns, PART_SIZE, n_channels=3)
    with held_output(output):
        clock("write half of the parts, and be killed", write_until_killed, output, header)
        store = clock("look at them, write the others", write_missing, output, header)
        clock("look at all of them", write_missing, output, header)
        clock("consolidate and publish", store.consolidate, table, PROVENANCE)
    print(f"{n_rows:,} rows: a file of {output.stat().st_size / 1e6:,.0f} MB", file=sys.stderr)
    clock("inspect", lambda: describe_summary(read_summary(output)))
    clock("verify", verify_features, output)
    clock("read 1,000 rows in the middle", read_embeddings, output, range(n_rows // 2, n_rows // 2 + 1000))
    clock("read 1,000 rows here and there", read_embeddings, output, np.linspace(0, n_rows - 1, 1000).astype(int))
    clock("read the ids and labels", read_table, output)
    clock("read the digests of the pixels", read_pixel_digests, output)
    clock("replace the labels", replace_table, output, table, PROVENANCE)
    clock("load and verify all", load_features, output)
    return clock.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[10_000, 1_000_000])
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="Where the file is written; default: the system's temporary one.")
    arguments = parser.parse_args()
    few, many = sorted(arguments.rows)
    seconds = {}
    for n_rows in (few, many):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            seconds[n_rows] = measure(Path(name), n_rows, arguments.columns)
    print(f"| step | {few:,} rows, s | {many:,} rows, s | growth over the rows' |\n|---|--:|--:|--:|")
    for step, of_few in seconds[few].items():
        of_many = seconds[many][step]
        print(f"| {step} | {of_few:.3f} | {of_many:.3f} | {of_many / of_few / (many / few):.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"\n{arguments.columns} columns; peak memory {peak / 1e6:,.0f} MB; Python {platform.python_version()}")


if __name__ == "__main__":
    main()
