"""Draw the pictures of the README and of the guide: ``python docs/pictures.py demo`` after ``cellfeat demo``.

Only the demo's files are read (its images, labels, features and results), so the pictures show what a user gets.
"""

import csv
import json
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import image as mpl_image
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from cellfeat import SheetOptions, draw_map, draw_mistakes, load_features, read_results
from cellfeat.figures import HEAD_COLOURS, HEAD_MARKERS
from cellfeat.samples.synthetic import CHANNELS
from cellfeat.statistics.scores import CALIBRATION_BINS

IMAGES = Path(__file__).parent / "images"
TINTS = {"blue": (0.35, 0.55, 1.0), "red": (1.0, 0.35, 0.25), "yellow": (1.0, 0.85, 0.2)}
DPI = 100
GUIDE_DPI = 170
# Shares of the first picture's width and height: a channel is a square, 54 pixels wide.
CELLS_LEFT, MATRIX_LEFT, BOTTOM, TOP = 0.09, 0.282, 0.13, 0.9
MAX_BYTES = 60_000
LEAST_IN_BIN = 10


def main(demo: Path) -> None:
    """Draw all pictures of the demo in the folder `demo`."""
    comparison = json.loads((demo / "results" / "comparison.json").read_text(encoding="utf-8"))
    heads = comparison["heads"]
    save(draw_cells_and_confusion(heads[0], demo), IMAGES / "cells-and-confusion.png")
    save(draw_recall_and_reliability(heads), IMAGES / "recall-and-reliability.png")
    draw_guide(demo)


def draw_guide(demo: Path) -> None:
    """Draw the pictures of docs/guide/figures.md, as ``cellfeat figure`` draws them for one column."""
    features, results = load_features(demo / "features.h5"), demo / "results"
    best = read_results(results).results[0].head
    sheet = SheetOptions(rows=2, width="one", images=demo / "images")
    figures = {
        "figure-heads": read_results(results).plot_heads(width="one"),
        "figure-map": draw_map(features, width="one"),
        "figure-mistakes": draw_mistakes(features, results, best, true="HeLa", options=sheet),
    }
    for name, figure in figures.items():
        figure.set_dpi(GUIDE_DPI)
        save(figure, IMAGES / f"{name}.png")


def draw_cells_and_confusion(head: dict[str, Any], demo: Path) -> Figure:
    """Draw one cell of each class, channel by channel, beside the row of its class in the confusion matrix."""
    figure = Figure(figsize=(9.2, 6.4), dpi=DPI)
    classes = head["classes"]
    counts = np.array(head["confusion_matrix"])
    cells = [typical_sample(demo, name) for name in classes]
    draw_cells(figure, cells)
    axes = figure.add_axes((MATRIX_LEFT, BOTTOM, 0.985 - MATRIX_LEFT, TOP - BOTTOM))
    draw_confusion(axes, counts, classes)
    figure.text(MATRIX_LEFT, TOP + 0.025, f"{head['head']}: {score(head)}", fontsize=11)
    figure.text(MATRIX_LEFT, 0.02, "predicted class (samples, share of the row)", fontsize=9, color="0.35")
    figure.text(CELLS_LEFT - 0.008, TOP + 0.012, "true class", ha="right", va="bottom", fontsize=8, color="0.35")
    for row, (name, n) in enumerate(zip(classes, counts.sum(axis=1), strict=True)):
        middle = TOP - (TOP - BOTTOM) * (row + 0.5) / len(classes)
        figure.text(CELLS_LEFT - 0.008, middle, f"{name}\nn = {n}", ha="right", va="center", fontsize=9)
    return figure


def draw_cells(figure: Figure, cells: Sequence[Sequence[np.ndarray]]) -> None:
    """Draw a row of tinted channels for each sample, as high as a row of the matrix beside it."""
    height, step = (TOP - BOTTOM) / len(cells), (MATRIX_LEFT - 0.012 - CELLS_LEFT) / len(CHANNELS)
    for row, planes in enumerate(cells):
        for column, (channel, plane) in enumerate(zip(CHANNELS, planes, strict=True)):
            place = (CELLS_LEFT + column * step, TOP - (row + 1) * height, step * 0.98, height * 0.98)
            axes = figure.add_axes(place)
            tinted = plane[..., np.newaxis] * np.array(TINTS[channel])
            axes.imshow(tinted, interpolation="bilinear", aspect="auto")
            axes.set_axis_off()
    for column, word in enumerate(("nucleus", "micro-\ntubules", "reticulum")):
        middle = CELLS_LEFT + (column + 0.49) * step
        figure.text(middle, TOP + 0.012, word, ha="center", va="bottom", fontsize=8, color="0.35")


def typical_sample(demo: Path, label: str) -> list[np.ndarray]:
    """Read the channels of a well exposed sample of a class, each of shape ``(height, width)`` in ``[0, 1]``."""
    with (demo / "labels.csv").open(encoding="utf-8") as file:
        ids = [int(row["file_id"]) for row in csv.DictReader(file) if row["cell_line"] == label]
    samples = [
        [mpl_image.imread(demo / "images" / f"{number:05d}_{channel}.png") for channel in CHANNELS]
        for number in ids[:40]
    ]
    return min(samples, key=lambda planes: sum(abs(float(np.percentile(plane, 97)) - 0.8) for plane in planes))


def draw_confusion(axes: Axes, counts: np.ndarray, classes: Sequence[str]) -> None:
    """Draw a confusion matrix of shape ``(n_classes, n_classes)``, rows being the true classes."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(classes)), classes, rotation=30, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks([])
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.55 else "black"
            share = f"{shares[row, column]:.0%}" if shares[row, column] >= 0.005 else "<1%"
            text = f"{count}\n{share}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)


def draw_recall_and_reliability(heads: Sequence[dict[str, Any]]) -> Figure:
    """Draw each class's recall with its interval, and how often the best head is right when it is how sure."""
    figure = Figure(figsize=(9.2, 4.7), dpi=DPI, layout="constrained")
    panels = figure.subplot_mosaic(
        [["recall", "reliability"], ["recall", "counts"]], width_ratios=(1.35, 1), height_ratios=(4, 1)
    )
    draw_recalls(panels["recall"], heads)
    draw_reliability(panels["reliability"], heads[0])
    draw_counts(panels["counts"], heads[0])
    return figure


def draw_recalls(axes: Axes, heads: Sequence[dict[str, Any]]) -> None:
    """Draw the recalls of all heads side by side, the class that is recognised best on top."""
    order = np.argsort(heads[0]["per_class_recall"])
    rows = np.arange(len(order))
    for number, head in enumerate(heads):
        values = np.array(head["per_class_recall"])[order]
        low, high = np.array(head["per_class_recall_ci"])[order].T
        offset = 0.24 * ((len(heads) - 1) / 2 - number)
        axes.errorbar(
            values,
            rows + offset,
            xerr=[values - low, high - values],
            fmt=HEAD_MARKERS[number],
            color=HEAD_COLOURS[number],
            markersize=4,
            linewidth=1.2,
            label=head["head"],
        )
    totals = np.array(heads[0]["confusion_matrix"]).sum(axis=1)
    axes.set_yticks(rows, [f"{heads[0]['classes'][i]}\nn = {totals[i]}" for i in order])
    axes.set(xlim=(0.3, 1), xlabel="recall, with its 95 % interval")
    axes.set_title("which classes are recognised", loc="left", fontsize=10)
    axes.grid(axis="x", color="0.9")
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def draw_reliability(axes: Axes, head: dict[str, Any]) -> None:
    """Draw the share of right predictions against the probability, before and after calibration."""
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for key, label, colour, style, face in (
        ("reliability_uncalibrated", "as the head gives them", HEAD_COLOURS[1], "o--", "none"),
        ("reliability", "calibrated", HEAD_COLOURS[0], "s-", HEAD_COLOURS[0]),
    ):
        bins = np.array(head[key])
        probability, share, _ = bins[bins[:, 2] >= LEAST_IN_BIN].T
        axes.plot(probability, share, style, color=colour, markerfacecolor=face, markersize=4, label=label)
    axes.set(xlim=(0.15, 1.02), ylim=(0.15, 1.02), ylabel="share that is right")
    axes.tick_params(labelbottom=False)
    before, after = head["calibration_error_uncalibrated"], head["calibration_error"]
    title = f"{head['head']}: calibration error {before:.3f} → {after:.3f}"
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="0.92")
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def draw_counts(axes: Axes, head: dict[str, Any]) -> None:
    """Draw the number of samples in each bin of the calibrated probabilities."""
    probability, _, n_samples = np.array(head["reliability"]).T
    width = 1 / CALIBRATION_BINS
    middles = (np.floor(probability / width) + 0.5) * width
    axes.bar(middles, n_samples, width, color=HEAD_COLOURS[0], alpha=0.35)
    for middle, n in zip(middles, n_samples, strict=True):
        axes.text(middle, n, f" {n:.0f}", rotation=90, ha="center", va="bottom", fontsize=7, color=HEAD_COLOURS[0])
    axes.set(
        xlim=(0.15, 1.02), ylim=(0, 1.6 * n_samples.max()), xlabel="highest probability", ylabel="samples", yticks=[]
    )


def score(head: dict[str, Any]) -> str:
    """Balanced accuracy with its interval, in words."""
    return f"balanced accuracy {head['balanced_accuracy']:.3f} [{head['ci_low']:.3f}, {head['ci_high']:.3f}]"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG that is small enough to be loaded with the README."""
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    save_few_colours(buffer, path, n_colours=112, most_bytes=MAX_BYTES)


def save_few_colours(picture: BytesIO, path: Path, *, n_colours: int, most_bytes: int) -> None:
    """Write a PNG of few colours, and stop where it is too large."""
    few_colours = Image.open(picture).convert("RGB").quantize(n_colours, dither=Image.Dither.NONE)
    path.parent.mkdir(exist_ok=True)
    few_colours.save(path, optimize=True)
    size = path.stat().st_size
    if size > most_bytes:
        raise SystemExit(f"{path}: {size:,} bytes; expected at most {most_bytes:,}: draw it smaller")
    sys.stdout.write(f"{path}: {size:,} bytes\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python docs/pictures.py FOLDER_OF_A_DEMO")
    main(Path(sys.argv[1]))
