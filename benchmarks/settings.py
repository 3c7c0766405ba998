"""What input size, views and channels cost and bring: seconds per 1,000 samples beside balanced accuracy.

    python benchmarks/settings.py --images DIR --labels y_train.csv --samples 1500 --sizes 64 96 128 160 224
    python benchmarks/settings.py … --pool stages

Each size is extracted once, ``channels_as: both`` with all views (efficientnet_lite0, ImageNet weights, no crop); fewer
views, and planes or separate alone, are slices of that file, which holds the same numbers. The seconds of a slice are
its share of the forwards, plus the decoding of every sample, which is done once for all of them. Balanced accuracy is
logistic regression's, out of 5 grouped folds, on the mean over views.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

import cellfeat
from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.extraction.store import Features

CHANNELS = ("blue", "red", "yellow")
PASSES = {"planes": slice(0, 1), "separate": slice(1, 4), "both": slice(0, 4)}


def settings_for(arguments: argparse.Namespace, labels: Path, size: int, output: Path) -> Settings:
    return load_settings(
        overrides={
            "images.root": arguments.images,
            "labels": {"file": str(labels), "unmatched": "ignore"},
            "preprocessing": {"input_size": size, "crop": "none", "channels_as": "both"},
            "backbone": {"name": "efficientnet_lite0", "pool": arguments.pool},
            "extraction.views": arguments.views,
            "extraction.output": output,
            "extraction.precision": "auto",
        }
    )


def first_samples(arguments: argparse.Namespace, folder: Path) -> Path:
    """A labels table of the first samples, and a folder of their images beside it."""
    table = pd.read_csv(arguments.labels).head(arguments.samples)
    table.to_csv(folder / "labels.csv", index=False)
    (folder / "images").mkdir()
    for sample in table["file_id"]:
        for channel in CHANNELS:
            name = f"{sample:05d}_{channel}.png"
            (folder / "images" / name).symlink_to((arguments.images / name).resolve())
    return folder / "labels.csv"


def slices(features: Features, most_views: int) -> Iterator[tuple[str, int, Features]]:
    """Every way to use a part of the passes and views: its name, its views, its features.

    Of a file of planes alone only they are used.
    """
    width = features.embeddings.shape[2] // len(features.recipe["passes"])
    for channels_as, passes in PASSES.items():
        if passes.stop > len(features.recipe["passes"]):
            continue
        columns = slice(passes.start * width, passes.stop * width)
        for n_views in (1, 4, 8):
            if n_views <= most_views:
                yield channels_as, n_views, replace(features, embeddings=features.embeddings[:, :n_views, columns])


def rows(features: Features, size: int, most_views: int) -> Iterator[str]:
    seconds = features.provenance["times"]["seconds"]
    n_forwards = most_views * len(features.recipe["passes"])
    forward = 1000 * (seconds["forward"] + seconds["transfer"]) / len(features) / n_forwards
    decode = 1000 * seconds["decode"] / len(features)
    for channels_as, n_views, part in slices(features, most_views):
        n_passes = PASSES[channels_as].stop - PASSES[channels_as].start
        score = cellfeat.compare(part, ["logreg"]).best.record()
        cost = decode + forward * n_views * n_passes
        interval = f"{score['balanced_accuracy']:.3f} [{score['ci_low']:.3f}, {score['ci_high']:.3f}]"
        yield f"| {size} | {n_views} | {channels_as} | {cost:.1f} | {interval} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 128, 160, 224])
    parser.add_argument("--pool", choices=["norm", "stages"], default="norm")
    parser.add_argument("--views", type=int, choices=[1, 4, 8], default=8)
    arguments = parser.parse_args()
    print("| px | views | channels | seconds per 1,000 samples | balanced accuracy, logreg |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = first_samples(arguments, folder)
        arguments.images = folder / "images"
        for size in arguments.sizes:
            path = folder / "features.h5"
            cellfeat.extract(settings_for(arguments, labels, size, path))
            features = cellfeat.load_features(path)
            plan = f"{features.recipe['precision']} {features.provenance['execution']['implementation']}"
            print(f"{size} px: {plan}", file=sys.stderr)
            print("\n".join(rows(features, size, arguments.views)), flush=True)
            path.unlink()
            shutil.rmtree(folder / "features.h5.parts", ignore_errors=True)


if __name__ == "__main__":
    main()
