"""How many near copies are found among generated crops whose overlaps are known, and how many pairs falsely.

    python -m benchmarks.near_copies --fields 30

Crops of 64 and of 200 pixels around the cells of generated fields: a textured layer, nuclei on a dark noisy background,
and the same nuclei with a background of exactly 0. As they were cut; and after each crop was scaled to its own range
and saved as JPEG, so that hardly any pixel is equal. Seconds are those of the processor.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from cellfeat.near_copies.search import near_copies
from tests.near_copies.fields import Crops, crops
from tests.near_copies.pictured import pictured

OVERLAPS = ((0.25, 0.4), (0.4, 1.01))
KINDS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "textured": ("textured", lambda pixels: pixels),
    "nuclei on black": ("nuclei on black", lambda pixels: pixels),
    "nuclei on 0": ("nuclei on black", lambda pixels: np.where(pixels > 25, pixels, 0).astype(np.uint8)),
}


def rescaled_jpeg(pixels: np.ndarray) -> np.ndarray:
    plane = pixels[0] / pixels.max() * 255
    file = io.BytesIO()
    Image.fromarray(np.round(plane).astype(np.uint8)).save(file, "jpeg", quality=90)
    return np.asarray(Image.open(file))[np.newaxis]


def rows(n_fields: int) -> Iterator[list[str]]:
    for name, (kind, background) in KINDS.items():
        for side in (64, 200):
            cut = crops(kind, side, n_fields)
            masked = [background(pixels) for pixels in cut.pixels]
            yield [name, str(side), "as cut", *measured(cut, masked)]
            yield [name, str(side), "rescaled, JPEG", *measured(cut, [rescaled_jpeg(pixels) for pixels in masked])]


def measured(cut: Crops, pixels: list[np.ndarray]) -> list[str]:
    start = time.process_time()
    searched = near_copies(pictured(pixels), ())
    seconds = time.process_time() - start
    shares = cut.shares()
    found = [
        f"{np.mean([pair in searched.found for pair, share in shares.items() if low <= share < high]):.0%}"
        for low, high in OVERLAPS
    ]
    n_false = len(searched.found.keys() - shares.keys())
    return [str(len(pixels)), *found, str(n_false), f"{searched.expected_false:.2f}", f"{seconds:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=30)
    print("| crops | pixels | saved | samples | 25 to 40 % | 40 % and more | false | expected false | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows(parser.parse_args().fields):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
