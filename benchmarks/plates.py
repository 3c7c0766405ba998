"""Generated plates that differ in gain, offset, blur and focus: what new plates cost, and what brings it back.

    python benchmarks/plates.py --folder /tmp/plates --kinds none gain offset blur focus all
    python benchmarks/plates.py --folder /tmp/plates --kinds none all --heads logreg,mlp --plates 8 --samples 300
    python benchmarks/plates.py --folder /tmp/plates --kinds none all --apart

The cells are those of the demo, other ones on every plate, with equal shares of the nine lines. Each plate gets a shift
of its own. Features are those of efficientnet_lite0 (stages, planes, 96 px) and stay in the folder.
Balanced accuracy, pooled over samples: random folds (plates known), each plate left out in turn, and the worst plate,
for each way of standardising. With `--apart`: what `predict` says of the last plate of each kind, by a head that was
fitted on the other plates without a shift, whose groups are not known.
"""

import argparse
import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from scipy import ndimage

import cellfeat
from cellfeat.config_sources import load_settings
from cellfeat.evaluation.design import Design
from cellfeat.extraction.store import Features
from cellfeat.samples.synthetic import CHANNELS, write_synthetic_cells

KINDS = ("none", "gain", "offset", "blur", "focus", "all")


@dataclass(frozen=True)
class Shift:
    """What a plate's microscope does to an image: one gain and offset a channel, widths in pixels."""

    gain: tuple[float, ...] = (1.0, 1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    blur: float = 0.0
    focus: float = 0.0

    def __call__(self, plane: np.ndarray, channel: int) -> np.ndarray:
        """Shift one channel of an image."""
        image = plane.astype(np.float64)
        if self.blur:
            image = ndimage.gaussian_filter(image, self.blur)
        if self.focus:
            image = ndimage.convolve(image, disc(self.focus))
        return (self.gain[channel] * image + self.offset[channel]).round().clip(0, 255).astype(np.uint8)


def disc(radius: float) -> np.ndarray:
    """The spread of a point out of focus: a disc with a soft edge, of sum 1."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    weight = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
    return weight / weight.sum()


def drawn_shift(kind: str, rng: np.random.Generator) -> Shift:
    """Draw the shift of a plate; all numbers are drawn for every kind, so that plates of a kind differ in it alone."""
    gain = tuple(np.exp(rng.normal(0, 0.35, 3)).tolist())
    offset = tuple(rng.uniform(0, 25, 3).tolist())
    whole = Shift(gain, offset, float(rng.uniform(0, 1.2)), float(rng.uniform(0, 2)))
    if kind == "all":
        return whole
    return Shift() if kind == "none" else replace(Shift(), **{kind: getattr(whole, kind)})


def write_plates(folder: Path, kind: str, n_plates: int, n_samples: int, seed: int) -> None:
    """Write the images of all plates, and ``labels.csv`` with the columns file_id, cell_line and plate."""
    rows = []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for plate in range(n_plates):
        source = folder / f"plate {plate + 1}"
        write_synthetic_cells(source, n_samples, seed=1000 * (seed + 1) + plate)
        shift = drawn_shift(kind, np.random.default_rng([seed, plate]))
        with (source / "labels.csv").open() as file:
            for row in csv.DictReader(file):
                number = plate * n_samples + int(row["file_id"])
                for channel, name in enumerate(CHANNELS):
                    content = (source / "images" / f"{int(row['file_id']):05d}_{name}.png").read_bytes()
                    shifted = shift(imagecodecs.png_decode(content), channel)
                    (folder / "images" / f"{number:05d}_{name}.png").write_bytes(imagecodecs.png_encode(shifted))
                rows.append((number, row["cell_line"], f"P{plate + 1}"))
        shutil.rmtree(source)
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("file_id", "cell_line", "plate"), *rows])


def features_of(folder: Path, kind: str, arguments: argparse.Namespace) -> Features:
    """Features of plates of a kind; extracted once, and kept."""
    place = folder / f"{kind}_{arguments.plates}x{arguments.samples}_{arguments.seed}"
    output = place / "features.h5"
    if not output.exists():
        write_plates(place, kind, arguments.plates, arguments.samples, arguments.seed)
        settings = load_settings(
            overrides={
                "images.root": place / "images",
                "labels.file": str(place / "labels.csv"),
                "preprocessing": {"input_size": 96, "crop": "none", "channels_as": arguments.channels},
                "backbone": {"name": "efficientnet_lite0", "pool": arguments.pool},
                "extraction.output": output,
                "extraction.workers": 0,
            }
        )
        cellfeat.extract(settings)
        shutil.rmtree(place / "images")
    return cellfeat.load_features(output)


WAYS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "training": {"standardise": "plate", "standardise_from": "training"},
    "all": {"standardise": "plate"},
}
"""Ways of standardising by name: not at all, by the training part of a fold, by all samples of a plate."""


def row(kind: str, features: Features, head: str, way: str) -> str:
    """A row of the table: random folds, plates left out, the worst of these."""
    known = cellfeat.compare(features, [head], design=Design(draws=100, **WAYS[way]))
    left_out = cellfeat.compare(
        features, [head], design=Design(folds="leave-one-out", groups="plate", draws=500, **WAYS[way])
    ).best
    low, high = left_out.scores.overall.interval
    worst = min(left_out.scores.overall.given, key=lambda fold: fold.balanced_accuracy)
    return (
        f"| {kind} | `{head}` | {way} | {known.best.balanced_accuracy:.3f} | {left_out.balanced_accuracy:.3f} "
        f"[{low:.3f}, {high:.3f}] | {worst.name} {worst.balanced_accuracy:.3f} |"
    )


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    yield "| shift | head | standardised by | random folds | plate left out | worst plate |"
    yield "|---|---|---|---|---|---|"
    for kind in arguments.kinds:
        features = features_of(arguments.folder, kind, arguments)
        for head in arguments.heads.split(","):
            yield from (row(kind, features, head, way) for way in WAYS)


def apart_lines(arguments: argparse.Namespace) -> Iterator[str]:
    """What is said of the last plate of each kind."""
    last = f"P{arguments.plates}"
    plain = features_of(arguments.folder, "none", arguments)
    fitted = plain.take(plain.samples.columns["plate"] != last)
    bundle, _ = cellfeat.fit(fitted, arguments.heads.split(",")[0], design=Design(draws=100))
    for kind in arguments.kinds:
        features = features_of(arguments.folder, kind, arguments)
        predictions = cellfeat.predict(bundle, features.take(features.samples.columns["plate"] == last))
        yield f"{kind}: {'not known' if predictions.apart is None else predictions.apart.line()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--heads", default="logreg")
    parser.add_argument("--plates", type=int, default=6)
    parser.add_argument("--samples", type=int, default=240, help="of each plate")
    parser.add_argument("--channels", default="planes")
    parser.add_argument("--pool", default="stages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--apart", action="store_true", help="say whether the last plate lies apart, in place of the table"
    )
    arguments = parser.parse_args()
    for line in apart_lines(arguments) if arguments.apart else rows(arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main()
