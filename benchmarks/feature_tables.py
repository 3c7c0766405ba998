"""Seconds and memory to import a large table of measurements, and to compare heads on it.

    python -m benchmarks.feature_tables --cells 16000 --columns 1500

The table is generated as CellProfiler's are: metadata, coordinates named as features, compartments, scales from 1e-6 to
1e12, heavy tails, missing values, constant and almost empty columns, and cells of one image that resemble each other.
Each step runs in a process of its own, so that its memory can be told.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

CLASSES = ("DMSO", "taxol", "cytochalasin", "nocodazole")
COMPARTMENTS = ("Cells", "Nuclei", "Cytoplasm")
FAMILIES = ("AreaShape_Area", "Intensity_MeanIntensity_DNA", "Texture_Contrast_ER_3", "Granularity_2_AGP")
SHARES = {"missing": 0.2, "constant": 0.02, "empty": 0.02}


def cell_table(n_cells: int, n_columns: int, seed: int = 0, *, effect: float = 0.6) -> pd.DataFrame:
    """Make a table of cells.

    Parameters
    ----------
    n_cells, n_columns
        Its size; the columns are features, of which some are of no use.
    seed
        Of the random numbers; tables of two seeds have the same columns and classes.
    effect
        By how much classes differ in the columns that tell them.
    """
    rng, columns = np.random.default_rng([seed, n_cells]), np.random.default_rng(n_columns)
    n_images = max(8, n_cells // 40)
    image = np.sort(rng.integers(0, n_images, n_cells))
    treatment = image % len(CLASSES)
    latent = rng.normal(size=(n_cells, 8)) + 0.3 * rng.normal(size=(n_images, 8))[image]
    latent[:, :4] += effect * np.eye(4)[treatment]
    values = latent @ columns.normal(size=(8, n_columns)) + rng.normal(size=(n_cells, n_columns))
    tails = columns.random(n_columns)
    values = np.where(tails < 0.3, np.sign(values) * np.abs(values) ** 3, values)
    values = np.where(tails > 0.9, np.exp(np.clip(values, -30, 30)), values)
    values *= 10 ** columns.uniform(-6, 12, n_columns)
    kind = columns.random(n_columns)
    values[:, kind < SHARES["constant"]] = 1.0
    values[:, kind > 1 - SHARES["empty"]] = np.nan
    for column in np.flatnonzero((kind > 0.5) & (kind < 0.5 + SHARES["missing"])):
        values[rng.random(n_cells) < 0.02, column] = np.nan
    names = [f"{COMPARTMENTS[number % 3]}_{FAMILIES[number % 4]}_{number:04d}" for number in range(n_columns)]
    first = {
        "ImageNumber": image + 1,
        "ObjectNumber": pd.Series(image).groupby(image).cumcount().to_numpy() + 1,
        "Metadata_Plate": [f"P{1 + seed}{number % 7}" for number in image],
        "Metadata_Well": [f"{'ABCD'[number % 4]}{1 + number % 12:02d}" for number in image],
        "Metadata_Compound": np.array(CLASSES)[treatment],
        "Nuclei_Location_Center_X": rng.uniform(0, 1080, n_cells).round(2),
        "Nuclei_Location_Center_Y": rng.uniform(0, 1080, n_cells).round(2),
        "Nuclei_Number_Object_Number": rng.permutation(n_cells) + 1,
    }
    return pd.DataFrame({**first, **dict(zip(names, values.T, strict=True))})


def measured(arguments: list[str], folder: Path) -> tuple[str, str]:
    """Run a command; a row of its wall-clock seconds, seconds of the processor and GB of memory, and what it said."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
    processor, memory = map(float, done.stderr.strip().split("\n")[-1].split())
    return f"{seconds:.0f} | {processor:.0f} | {memory / (1 << 20):.1f} |", done.stdout


_MEASURE = """
import resource, sys
from cellfeat.commands import exit_code
code = exit_code(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=16_000)
    parser.add_argument("--columns", type=int, default=1_500)
    parser.add_argument("--heads", default="logreg,mlp,lightgbm")
    parser.add_argument("--folder", type=Path, help="Keep the tables there.")
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        table = pa.Table.from_pandas(cell_table(arguments.cells, arguments.columns))
        pa.parquet.write_table(table, folder / "cells.parquet")
        pa.csv.write_csv(table, folder / "cells.csv")
        del table
        print(f"{arguments.cells:,} cells x {arguments.columns:,} columns, {os.cpu_count()} cores\n")
        print("| step | seconds | of the processor | memory, GB |\n|---|---|---|---|")
        for ending in ("parquet", "csv"):
            size = (folder / f"cells.{ending}").stat().st_size / 1e6
            step = ["import", f"cells.{ending}", "--output", f"{ending}.h5", "--replace"]
            row, _ = measured(step, folder)
            print(f"| import {ending}, {size:.0f} MB | {row}", flush=True)
        step = ["compare", "--features", "parquet.h5", "--heads", arguments.heads, "--fresh", "--replace"]
        row, said = measured(step, folder)
        print(f"| compare {arguments.heads} | {row}\n\n{said}")


if __name__ == "__main__":
    main()
