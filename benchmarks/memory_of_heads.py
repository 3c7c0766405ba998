"""How much memory `cellfeat compare` takes for each head, as a multiple of the matrix of embeddings.

    python benchmarks/memory_of_heads.py                                   60,000 x 1,024: a quarter of a gigabyte
    python benchmarks/memory_of_heads.py --samples 1000000 --folds 2       the whole of it: 4.1 GB a view
    python benchmarks/memory_of_heads.py --heads logreg,lightgbm --set heads.lightgbm.n_estimators=20
    python benchmarks/memory_of_heads.py --views 4 --heads logreg          heads that take the mean over views
    python benchmarks/memory_of_heads.py --samples 28896 --times 3         seconds with and without copies, in turn

A feature file is generated and written block by block, with the project's own writer. Then the command runs once for
each head, in a process of its own, with no cached predictions. Memory is read from /proc/self/status every 20 ms, so
this needs Linux:

- `peak` is the largest resident set: all pages of the process that are in memory;
- `own` is the largest anonymous part of it: what the system can only take away by ending the process. The difference
  is mostly pages of the feature file and of libraries, which are read again where memory is short.

`--times` fits each head in turn on a copy of the training rows that it leaves alone (`fit`, as before) and on one that
it standardises in place (`fit_overwriting`), in one process, and compares the probabilities bit by bit.

Both are given in gigabytes, and as a multiple of the bytes of the matrix, after the libraries' own memory is deducted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cellfeat.extraction.store.format import Rows, RowShape, empty_rows

N_CLASSES = 9
N_FACTORS = 64
GROUP_SIZE = 3
ROWS_AT_ONCE = 1024


def write_file(path: Path, shape: tuple[int, int, int], seed: int = 0) -> None:
    """Write generated embeddings of shape (n_samples, n_views, n_columns), one block in memory at a time."""
    from cellfeat.config_sources import load_settings
    from cellfeat.extraction.store import SampleTable
    from cellfeat.extraction.store.writing import Content, write_features
    from cellfeat.provenance import digest_json

    n_samples, n_views, n_columns = shape
    rng = np.random.default_rng(seed)
    group = np.arange(n_samples) // GROUP_SIZE
    shares = np.geomspace(3.5, 1, N_CLASSES)
    y = rng.choice(N_CLASSES, size=group[-1] + 1, p=shares / shares.sum())[group]
    ids = [f"cell_{row:07d}" for row in range(n_samples)]
    table = SampleTable(ids, [f"class_{code}" for code in y], [f"group_{number:06d}" for number in group])
    row_shape = RowShape(n_views, n_columns, 1)
    rows = generated_rows(y, row_shape, rng)
    settings = load_settings(overrides={"extraction.output": str(path), "images.channels": ["dapi"]})
    content = Content(
        rows=rows,
        table=table,
        recipe={"backbone": {"name": "generated"}, "passes": ["planes"], "views": n_views},
        samples=digest_json(ids),
        provenance={"settings": settings.record()},
    )
    write_features(path, n_samples, row_shape, content)


def generated_rows(y: np.ndarray, shape: RowShape, rng: np.random.Generator) -> Iterator[Rows]:
    means = 0.3 * rng.standard_normal((N_CLASSES, N_FACTORS), dtype=np.float32)
    mixing = rng.standard_normal((N_FACTORS, shape.embedding_dim), dtype=np.float32) / 8
    for start in range(0, len(y), ROWS_AT_ONCE):
        codes = y[start : start + ROWS_AT_ONCE]
        rows = empty_rows(start, len(codes), shape)
        for array in rows.arrays()[1:]:
            array[...] = np.zeros((), array.dtype)
        factors = means[codes] + rng.standard_normal((len(codes), N_FACTORS), dtype=np.float32)
        noise = rng.standard_normal((len(codes), shape.n_views, shape.embedding_dim), dtype=np.float32)
        rows.embeddings[...] = (factors @ mixing)[:, None] + 0.5 * noise
        # No sample is a copy of another one.
        rows.pixel_digest[:, :8] = np.arange(start, start + len(codes), dtype=">u8").view(np.uint8).reshape(-1, 8)
        yield rows


class Watch:
    """The largest resident set of this process, and the largest anonymous part of it, in bytes."""

    def __init__(self) -> None:
        self.peak = self.own = 0
        self.is_over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self.is_over.wait(0.02):
            resident, own = memory()
            self.peak, self.own = max(self.peak, resident), max(self.own, own)


def memory() -> tuple[int, int]:
    """Resident and anonymous bytes of this process."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resident, own = (1024 * int(lines[name].split()[0]) for name in ("VmRSS", "RssAnon"))
    return resident, own


def compare_here(features: Path, head: str, folds: int, draws: int, assignments: list[str]) -> dict[str, float]:
    """Run the command in this process, and say what it took."""
    import lightgbm  # noqa: F401, loaded before the memory of the libraries is read
    import torch  # noqa: F401

    import cellfeat.evaluation.comparison.compare
    import cellfeat.reporting.files  # noqa: F401
    from cellfeat.commands import main

    resident, own = memory()
    watch, began, cpu_began = Watch(), time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        options = [f"comparison.folds={folds}", f"comparison.draws={draws}", f"extraction.output={features}"]
        sets = [word for one in (*options, *assignments) for word in ("--set", one)]
        os.chdir(folder)
        sys.argv = ["cellfeat", "compare", "--heads", head, "--output", folder + "/results", *sets]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
        os.chdir("/")
    watch.is_over.set()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "peak": watch.peak - resident,
        "own": watch.own - own,
    }


def times(arguments: argparse.Namespace) -> str:
    """Compare the CPU seconds of fitting with and without a second array, and the numbers."""
    from cellfeat.heads.registry import make_head

    rng = np.random.default_rng(0)
    y = np.arange(arguments.samples) % N_CLASSES
    rows = generated_rows(y, RowShape(1, arguments.columns, 1), rng)
    X = np.concatenate([block.embeddings[:, 0] for block in rows])
    settings = {name: _settings_of(name, arguments.set) for name in arguments.heads.split(",")}
    lines = [f"{X.shape[0]:,} x {X.shape[1]:,}", "", "| head | CPU s before | after | after / before | same numbers |"]
    lines.append("|---|---|---|---|---|")
    train, test = np.flatnonzero(np.arange(len(X)) % 5), np.arange(0, len(X), 5)
    for name, given in settings.items():
        make_head(name, given, random_state=0).fit(X[:500], y[:500])  # loads what is loaded at the first use
        ratios, spent, is_same = [], [], []
        for _ in range(arguments.times):
            pair = []
            for method in ("fit", "fit_overwriting"):
                began = time.process_time()
                part = X[train]
                head = make_head(name, given, random_state=0)
                getattr(head, method)(part, y[train])
                pair.append((time.process_time() - began, head.predict_proba(X[test])))
            ratios.append(pair[1][0] / pair[0][0])
            spent.append([pair[0][0], pair[1][0]])
            is_same.append(np.array_equal(pair[0][1], pair[1][1]))
        before, after = np.median(spent, axis=0)
        spread = f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        lines.append(f"| `{name}` | {before:.1f} | {after:.1f} | {spread} | {'yes' if all(is_same) else 'no'} |")
    return "\n".join(lines)


def _settings_of(head: str, assignments: list[str]) -> dict[str, float]:
    """Settings of one head among assignments such as ``heads.mlp.epochs=2``."""
    pairs = (one.split("=") for one in assignments if one.startswith(f"heads.{head}."))
    return {key.rsplit(".", 1)[1]: json.loads(value) for key, value in pairs}


def measured(arguments: argparse.Namespace, features: Path, head: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", head, "--features", str(features)]
    command += ["--folds", str(arguments.folds), "--draws", str(arguments.draws)]
    command += [word for one in arguments.set for word in ("--set", one)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        print(f"{head}: ended with {done.returncode}\n{done.stdout}", file=sys.stderr)
        return dict.fromkeys(("seconds", "cpu_seconds", "peak", "own"), float("nan"))
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(arguments: argparse.Namespace, n_bytes: int, found: dict[str, dict[str, float]]) -> str:
    lines = [
        f"{arguments.samples:,} x {arguments.views} views x {arguments.columns:,}, {N_CLASSES} classes, "
        f"{arguments.folds} folds, {arguments.draws} draws; one view of the matrix: {n_bytes / 1e9:.2f} GB; "
        f"{' '.join(arguments.set)}",
        "",
        "| head | peak, GB | own, GB | peak / matrix | own / matrix | s | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for head, one in found.items():
        gigabytes = f"{one['peak'] / 1e9:.2f} | {one['own'] / 1e9:.2f}"
        multiples = f"{one['peak'] / n_bytes:.2f} | {one['own'] / n_bytes:.2f}"
        lines.append(f"| `{head}` | {gigabytes} | {multiples} | {one['seconds']:.0f} | {one['cpu_seconds']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--heads", default="mlp,logreg,lightgbm")
    parser.add_argument("--features", type=Path, help="where the file is written, or lies already")
    parser.add_argument("--set", action="append", default=[], help="a setting, such as heads.lightgbm.n_estimators=20")
    parser.add_argument("--times", type=int, help="measure seconds instead, that often")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.times:
        print(times(arguments))
        return
    if arguments.child:
        taken = compare_here(arguments.features, arguments.child, arguments.folds, arguments.draws, arguments.set)
        print("\n" + json.dumps(taken))
        return
    with tempfile.TemporaryDirectory() as folder:
        features = (arguments.features or Path(folder, "features.h5")).absolute()
        if not features.exists():
            features.parent.mkdir(parents=True, exist_ok=True)
            write_file(features, (arguments.samples, arguments.views, arguments.columns))
        found = {head: measured(arguments, features, head) for head in arguments.heads.split(",")}
    print(table(arguments, 4 * arguments.samples * arguments.columns, found))


if __name__ == "__main__":
    main()
