"""Seconds to write a page and to draw its report and its map, its size, and the memory of the browser, in turn.

Needs chromium or chrome; WebGL is drawn by the processor. Each drawing is in a fresh browser, from the start of
navigation to the second frame after the content is there. Pages of more samples than --pictures have no thumbnails.

Usage: python benchmarks/page.py [--samples 0 1 1200 28896 1000000] [--times 3] [--pictures 1200]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from cellfeat.page.files.writing import write_page
from tests.page.browser.opening import FLAGS, READY, address_of, browser_program
from tests.page.generated_content import generated_content

LIMIT = 120_000
"""Milliseconds after which a drawing is given up."""

_TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
_MAP_DRAWN = "performance.getEntriesByName('cellfeat-map-drawn').length > 0"
_HEAP = "performance.memory.usedJSHeapSize"


class Drawn(NamedTuple):
    """One drawing: seconds, heap of the page and memory of all processes of the browser in MB."""

    seconds: float
    heap: float
    memory: float


def draw_report(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(f"{READY} ~ main h2", timeout=LIMIT)


def draw_map(page: Page, address: str) -> None:
    page.goto(f"{address}#view=map")
    page.wait_for_function(_MAP_DRAWN, timeout=LIMIT)


def measure(launch: Callable[[], Browser], draw: Callable[[Page, str], None], address: str) -> Drawn:
    browser = launch()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    draw(page, address)
    drawn = Drawn(page.evaluate(_TWO_FRAMES) / 1000, page.evaluate(_HEAP) / 1e6, memory_of_browser())
    browser.close()
    return drawn


def memory_of_browser() -> float:
    """Proportional memory of the processes below this one in MB: pages that several share count once; NaN off Linux."""
    totals = [
        int(line.split()[1]) / 1000
        for process in descendants(os.getpid())
        if "chrom" in (process / "comm").read_text()
        for line in (process / "smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    ]
    return sum(totals) if totals else float("nan")


def descendants(root: int) -> Iterator[Path]:
    parents = {int(stat.parent.name): parent_of(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
    for number in parents:
        above: int | None = number
        while above is not None and above != root:
            above = parents.get(above)
        if above == root and number != root:
            yield Path("/proc") / str(number)


def parent_of(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:  # ended meanwhile
        return None


def spread(values: Sequence[float], digits: int = 2) -> str:
    return f"{np.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def size_of(folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{sum(sizes) / 1e6:.1f} MB in {len(sizes):,} files"


def write(n_samples: int, with_pictures: bool, folder: Path, times: int) -> Path:
    """Write a page some times, print how long it took, and give the file to open."""
    seconds = []
    for _ in range(times):
        content = generated_content(n_samples, with_pictures=with_pictures)
        start = time.perf_counter()
        index = write_page(content, folder)
        seconds.append(time.perf_counter() - start)
    pictures = "with" if with_pictures else "without"
    print(f"{n_samples:,} samples, {pictures} pictures: written in {spread(seconds)} s, {size_of(folder)}", flush=True)
    return index


def show(launch: Callable[[], Browser], index: Path, times: int, *, has_map: bool) -> None:
    ways = {"report": draw_report, "map": draw_map} if has_map else {"report": draw_report}
    drawn: dict[str, list[Drawn]] = {name: [] for name in ways}
    for _ in range(times):
        for name, draw in ways.items():
            drawn[name].append(measure(launch, draw, address_of(index)))
    for name, all_drawn in drawn.items():
        seconds, heap, memory = (list(values) for values in zip(*all_drawn, strict=True))
        print(
            f"  {name}: drawn after {spread(seconds)} s, heap {spread(heap, 0)} MB, browser {spread(memory, 0)} MB",
            flush=True,
        )


def main() -> None:
    """Measure pages of several sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[0, 1, 1200, 28_896, 1_000_000])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=1200, help="samples up to which the page has thumbnails")
    wanted = parser.parse_args()
    program = browser_program()
    if program is None:
        raise SystemExit("no browser: install chromium")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    with sync_playwright() as playwright:
        options: dict[str, Any] = {"executable_path": program, "args": [*FLAGS, "--enable-precise-memory-info"]}

        def launch() -> Browser:
            return playwright.chromium.launch(**options)

        for n_samples in wanted.samples:
            with tempfile.TemporaryDirectory() as folder:
                index = write(n_samples, n_samples <= wanted.pictures, Path(folder), wanted.times)
                show(launch, index, wanted.times, has_map=n_samples > 0)


if __name__ == "__main__":
    main()
