"""Tables and pictures of a comparison, and predictions as a table for other programs.

Names of classes, samples and heads come from files: control characters are replaced before anything is shown, and no
markup in them is obeyed.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cellfeat.comparison.compare import LEVEL, Comparison, HeadDifference, HeadResult
from cellfeat.comparison.curve import LearningCurve, curve_table
from cellfeat.comparison.repeats import Repeats
from cellfeat.comparison.tuning import describe_choices, describe_settings
from cellfeat.provenance import publish, utc_now, versions

FORMAT = 1
DPI = 150
MOST_ANNOTATED_CLASSES = 25
LONGEST_NAME = 40
LEAST_IN_BIN = 10
"""Samples below which a bin's share of right predictions is chance, and not drawn."""

HEAD_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart with any colour vision: M. Okabe and K. Ito, "Color universal design" (2008), without its yellow."""

HEAD_MARKERS = "osD^vPX*"
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def render_table(comparison: Comparison) -> Table:
    """Set out the heads, best first, for the terminal."""
    table = Table(title=Text(_headline(comparison)), title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
    table.pad_edge, table.padding = False, (0, 1, 0, 0)
    table.caption = (
        Text("\n".join(clean_text(" ".join(failure.reason.split())) for failure in comparison.failures)) or None
    )
    for heading in ("head", "balanced accuracy", "worst class"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    # Numbers first: in 80 columns the words wrap beneath them.
    table.add_column("against the best")
    for result in comparison.results:
        table.add_row(*map(Text, _table_row(comparison, result)))
    return table


def write_report(comparison: Comparison, folder: Path) -> list[Path]:
    """Write a comparison as files that each appear whole.

    ``comparison.json`` holds everything but the predictions, ``predictions.parquet`` every out-of-fold prediction,
    ``metrics_<head>.json`` one head's scores, ``confusion_<head>.png`` its confusion matrix,
    ``recall_per_class.png`` all heads side by side, and ``reliability.png`` whether their probabilities mean what they
    say.

    Returns
    -------
    list of Path
        The files written.
    """
    writers: dict[str, Callable[[Path], None]] = {
        "comparison.json": lambda path: _write_json(path, comparison_record(comparison)),
        "predictions.parquet": lambda path: comparison.predictions().to_parquet(path, index=False),
        "recall_per_class.png": lambda path: _save_figure(draw_recalls(comparison.results), path),
        "reliability.png": lambda path: _save_figure(draw_reliability(comparison.results), path),
    }
    for result in comparison.results:
        writers |= _head_writers(result)
    return _publish_all(writers, folder)


def write_head_report(result: HeadResult, folder: Path) -> list[Path]:
    """Write what was found of one head: metrics, out-of-fold predictions, and pictures as `write_report` has them."""
    writers: dict[str, Callable[[Path], None]] = {
        "metrics.json": lambda path: _write_json(path, result.metrics),
        "predictions.parquet": lambda path: result.predictions.to_parquet(path, index=False),
        "confusion.png": lambda path: _save_figure(draw_confusion(result), path),
        "reliability.png": lambda path: _save_figure(draw_reliability([result]), path),
    }
    return _publish_all(writers, folder)


def render_standings(results: Sequence[HeadResult]) -> Table:
    """Set out the heads that are finished so far, best first; the verdicts come when all are."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("head", "balanced accuracy", "worst class", "seconds"):
        table.add_column(heading, no_wrap=True)
    for result in sorted(results, key=lambda result: -result.balanced_accuracy):
        table.add_row(*map(Text, _score_cells(result)))
    return table


def score_line(result: HeadResult) -> str:
    """Tell one head's balanced accuracy in a line."""
    metrics = result.metrics
    return (
        f"{clean_text(result.head)}: balanced accuracy {metrics['balanced_accuracy']:.3f} "
        f"[{metrics['ci_low']:.3f}, {metrics['ci_high']:.3f}]"
    )


def score_lines(result: HeadResult) -> list[str]:
    """Tell one head's scores in lines of text: balanced accuracy, each fold's, and each class's recall and coverage."""
    metrics = result.metrics
    folds = ", ".join(f"{value:.3f}" for value in metrics["per_fold"])
    return [
        score_line(result),
        f"per fold: {folds}",
        _calibration_line(metrics),
        *_abstaining_lines(metrics),
        f"predict --coverage {metrics['prediction_sets']['coverage']:g}: {sets_phrase(metrics['prediction_sets'])}",
        *_class_lines(metrics),
    ]


def tuning_lines(results: Sequence[HeadResult]) -> list[str]:
    """Tell which settings were chosen for each head that was tuned."""
    return [clean_text(line) for result in results if result.metrics["tuning"] for line in _tuning_lines(result)]


def _tuning_lines(result: HeadResult) -> Iterator[str]:
    tuning = result.metrics["tuning"]
    yield f"{result.head}: {describe_choices([choice['settings'] for choice in tuning['per_fold']])}"
    if "final" in tuning:
        yield f"{result.head}, all samples: {describe_settings(tuning['final'])}"
    failures = [failure for choice in tuning["per_fold"] for failure in choice["failures"]]
    if failures:
        yield f"{result.head}: {len(failures)} settings could not be fitted, the first {failures[0]}"


def set_lines(comparison: Comparison) -> list[str]:
    """Tell how large each head's prediction sets are on held-out folds, and which class a fold covers least."""
    coverage = comparison.best.metrics["prediction_sets"]["coverage"]
    width = max(len(clean_text(result.head)) for result in comparison.results)
    return [
        f"predict --coverage {coverage:g}, on held-out folds:",
        *(
            f"  {clean_text(result.head):<{width}}  {sets_phrase(result.metrics['prediction_sets'])}; "
            f"{_least_covered(result.metrics)}"
            for result in comparison.results
        ),
    ]


def sets_phrase(summary: Mapping[str, Any]) -> str:
    """Tell the sizes of prediction sets, as `PredictionSets.summary` has them."""
    return (
        f"{summary['mean_size']:.2f} classes a set; {summary['one']:.0%} hold one, {summary['several']:.0%} several, "
        f"{summary['none']:.0%} none"
    )


def _least_covered(metrics: Mapping[str, Any]) -> str:
    by_fold = np.array(metrics["prediction_sets"]["per_class_coverage_per_fold"])
    least = int(by_fold.min(axis=0).argmin())
    return f"least covered in a fold: {_shorten(metrics['classes'][least])} {by_fold.min():.3f}"


def _class_lines(metrics: Mapping[str, Any]) -> list[str]:
    names = _shown_names(metrics["classes"])
    width = max(map(len, ("class", *names)))
    recalls = zip(metrics["per_class_recall"], metrics["per_class_recall_ci"], strict=True)
    covered = metrics["prediction_sets"]["per_class_coverage"]
    by_fold = np.array(metrics["prediction_sets"]["per_class_coverage_per_fold"]).T
    lines = [f"  {'class':<{width}}  {'recall':<20}  true class in the set, lowest and highest fold"]
    for name, (recall, (low, high)), share, folds in zip(names, recalls, covered, by_fold, strict=True):
        lines.append(
            f"  {name:<{width}}  {recall:.3f} [{low:.3f}, {high:.3f}]  "
            f"{share:.3f}, {folds.min():.3f} to {folds.max():.3f}"
        )
    return lines


def _abstaining_lines(metrics: Mapping[str, Any]) -> list[str]:
    parts = [
        f"{row['min_probability']:g} keeps {row['kept']:.0%}, {row['accuracy']:.1%} right"
        for row in metrics["abstaining"]
        if row["kept"] < 1
    ]
    return [f"predict --min-probability: {'; '.join(parts)}"] if parts else []


def _calibration_line(metrics: Mapping[str, Any]) -> str:
    error, loss = metrics["calibration_error"], metrics["log_loss"]
    if metrics["calibrate"] == "none":
        return f"probabilities as the head gives them: calibration error {error:.3f}, log loss {loss:.3f}"
    return (
        f"probabilities calibrated by temperature {metrics['temperature']:.2f}: calibration error "
        f"{metrics['calibration_error_uncalibrated']:.3f} -> {error:.3f}, "
        f"log loss {metrics['log_loss_uncalibrated']:.3f} -> {loss:.3f}"
    )


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Everything that was found, as plain JSON values; the predictions stand in a table of their own."""
    return {
        "format": FORMAT,
        "created": utc_now(),
        "versions": versions(),
        "classes": list(comparison.classes),
        "counts": asdict(comparison.counts),
        "design": asdict(comparison.design),
        "heads": [result.metrics for result in comparison.results],
        "failures": [asdict(failure) for failure in comparison.failures],
        "differences": [asdict(pair) | {"verdict": pair.verdict()} for pair in comparison.differences],
    }


def save_predictions_csv(
    path: Path,
    sample_id: Sequence[str],
    predicted: Sequence[str],
    *,
    id_column: str = "file_id",
    label_column: str = "cell_line",
    more: Mapping[str, Sequence[str]] | None = None,
    probabilities: NDArray[np.floating] | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Write one row a sample: its id, the predicted class and, where given, the probability of each class.

    A cell of text that a spreadsheet would run as a formula (it starts with ``=``, ``+``, ``-``, ``@``, a tab or a
    line break) gets an apostrophe in front, unless it is a plain number such as ``-1.5e3``. All else stays as it is,
    control characters too: programs compare these names with those of their own tables.

    Parameters
    ----------
    more
        Further columns by their heading, between the class and the probabilities.
    probabilities
        Shape ``(n_samples, n_classes)``, written with 6 digits after the point; NaN (a sample that could not be read)
        is an empty cell.
    classes
        The headings of `probabilities`, in the order of its columns.
    """
    more = more or {}
    headings = (id_column, label_column, *more, *(classes if probabilities is not None else ()))
    numbers = [[] for _ in sample_id] if probabilities is None else [_decimals(row) for row in probabilities]
    with publish(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(harmless_cell, headings))
        for *texts, row in zip(sample_id, predicted, *more.values(), numbers, strict=True):
            writer.writerow((*map(harmless_cell, texts), *row))


def harmless_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Examples
    --------
    >>> harmless_cell("=1+1"), harmless_cell("-12"), harmless_cell("-donor")
    ("'=1+1", '-12', "'-donor")
    """
    return f"'{text}" if text.startswith(_FORMULA_START) and not _PLAIN_NUMBER.fullmatch(text) else text


def clean_text(text: str) -> str:
    """Replace characters that steer a terminal or hide text (controls, line breaks, reversed writing) by ``�``.

    Examples
    --------
    >>> clean_text("HeLa" + chr(27) + "[2J")
    'HeLa�[2J'
    """
    return "".join(character if character.isprintable() else "�" for character in text)


def draw_confusion(result: HeadResult) -> Figure:
    """Draw a confusion matrix: rows are the truth, colour is the share of the row, each cell its count and share."""
    counts = np.array(result.metrics["confusion_matrix"])
    shares = counts / counts.sum(axis=1, keepdims=True)
    names = _shown_names(result.metrics["classes"])
    side = 2.2 + 0.62 * len(names)
    figure = Figure(figsize=(side + 1.2, side), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _set_ticks(axes, names)
    if len(names) <= MOST_ANNOTATED_CLASSES:
        _annotate(axes, counts, shares)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(score_line(result), parse_math=False, loc="left", fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046, pad=0.02)
    return figure


def draw_recalls(results: Sequence[HeadResult]) -> Figure:
    """Draw each class's recall with its interval, all heads side by side."""
    names = _shown_names(results[0].metrics["classes"])
    figure = Figure(figsize=(8, 1.6 + len(names) * (0.25 + 0.13 * len(results))), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, result in enumerate(results):
        _draw_head(axes, result, number, offset=0.7 * ((number + 0.5) / len(results) - 0.5))
    for row in range(1, len(names)):
        axes.axhline(row - 0.5, color="0.9", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5), xlabel=f"recall, with its {100 * LEVEL:.0f} % interval")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", ncols=min(len(results), 4), frameon=False)
    return figure


def write_curves(curves: Sequence[LearningCurve], folder: Path) -> list[Path]:
    """Write ``learning_curve.csv`` and ``learning_curve.png``."""
    writers: dict[str, Callable[[Path], None]] = {
        "learning_curve.csv": lambda path: curve_table(curves).to_csv(path, index=False),
        "learning_curve.png": lambda path: _save_figure(draw_curves(curves), path),
    }
    return _publish_all(writers, folder)


def write_repeats(repeats: Repeats, folder: Path) -> list[Path]:
    """Write ``repeats.json``."""
    return _publish_all({"repeats.json": lambda path: _write_json(path, repeats.record())}, folder)


def draw_curves(curves: Sequence[LearningCurve]) -> Figure:
    """Draw each head's balanced accuracy, with its interval, against the number of training samples."""
    figure = Figure(figsize=(7, 4.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        rows = curve_table([curve])
        colour = HEAD_COLOURS[number % len(HEAD_COLOURS)]
        marker = HEAD_MARKERS[number % len(HEAD_MARKERS)]
        axes.plot(rows["n_train"], rows["balanced_accuracy"], marker=marker, color=colour, label=clean_text(curve.head))
        # Edges in the head's own colour: where bands lie upon each other, their fillings mix to one grey.
        axes.fill_between(
            rows["n_train"], rows["ci_low"], rows["ci_high"], facecolor=(colour, 0.12), edgecolor=(colour, 0.7)
        )
    axes.set_xscale("log", base=2)
    ticks = curves[0].n_train
    axes.set_xticks(ticks, [f"{n} ({fraction:.0%})" for n, fraction in zip(ticks, curves[0].fractions, strict=True)])
    axes.minorticks_off()
    axes.set(xlabel="training samples (part of all)", ylabel=f"balanced accuracy, {100 * LEVEL:.0f} % interval")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", ncols=min(len(curves), 4), frameon=False)
    return figure


def draw_reliability(results: Sequence[HeadResult]) -> Figure:
    """Draw how often each head is right against how sure it is, before and after calibration, a panel a head."""
    n_columns = min(len(results), 3)
    n_rows = -(-len(results) // n_columns)
    figure = Figure(figsize=(0.6 + 3 * n_columns, 0.9 + 3.2 * n_rows), dpi=DPI, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for axes, result in zip(panels.flat, results, strict=False):
        _draw_reliability_panel(axes, result)
    for axes in panels.flat[len(results) :]:
        axes.set_axis_off()
    figure.supxlabel("highest probability", fontsize=10)
    figure.supylabel("share of these predictions that is right", fontsize=10)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return figure


def _draw_reliability_panel(axes: Axes, result: HeadResult) -> None:
    metrics = result.metrics
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    kinds = [("as the head gives them", "reliability_uncalibrated", HEAD_COLOURS[1], "o--", "none")]
    if metrics["calibrate"] != "none":
        kinds.append(("calibrated", "reliability", HEAD_COLOURS[0], "s-", HEAD_COLOURS[0]))
    for label, name, colour, style, face in kinds:
        bins = np.array(metrics[name])
        confidence, accuracy, _ = bins[bins[:, 2] >= LEAST_IN_BIN].T
        axes.plot(
            confidence, accuracy, style, color=colour, markerfacecolor=face, markersize=4, linewidth=1.2, label=label
        )
    before, after = metrics["calibration_error_uncalibrated"], metrics["calibration_error"]
    title = f"{clean_text(result.head)}: calibration error {before:.3f}"
    if metrics["calibrate"] != "none":
        title += f" → {after:.3f}"
    axes.set_title(title, parse_math=False, loc="left", fontsize=9)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.tick_params(labelbottom=True)
    axes.grid(color="0.93")
    axes.set_axisbelow(True)


def _headline(comparison: Comparison) -> str:
    counts, design = comparison.counts, comparison.design
    parts = [
        f"{counts.n_samples} samples in {counts.n_groups} groups, {len(comparison.classes)} classes, "
        f"{design.folds} folds",
        _copies_phrase(counts.n_copies, design.groups),
        f"{counts.n_unlabelled} without a label left out" if counts.n_unlabelled else "",
        f"{counts.n_failed} that could not be read left out" if counts.n_failed else "",
    ]
    return "; ".join(filter(None, parts))


def _copies_phrase(n_copies: int, groups: str) -> str:
    if not n_copies:
        return "no copies"
    copies = "1 copy" if n_copies == 1 else f"{n_copies} copies"
    if groups == "none":
        return f"{copies} of images NOT kept together: they inflate these scores"
    return f"{copies} of images kept with their originals"


def _table_row(comparison: Comparison, result: HeadResult) -> tuple[str, ...]:
    return (*_score_cells(result), _against_best(comparison, result))


def _score_cells(result: HeadResult) -> tuple[str, ...]:
    metrics = result.metrics
    worst = int(np.argmin(metrics["per_class_recall"]))
    return (
        clean_text(result.head),
        f"{metrics['balanced_accuracy']:.3f} [{metrics['ci_low']:.3f}, {metrics['ci_high']:.3f}]",
        f"{_shorten(metrics['classes'][worst])} {metrics['per_class_recall'][worst]:.3f}",
        f"{sum(metrics['seconds'].values()):.1f}",
    )


def _against_best(comparison: Comparison, result: HeadResult) -> str:
    if result is comparison.best:
        return "best"
    pair = _pair(comparison.differences, comparison.best.head, result.head)
    numbers = f"{pair.difference.estimate:.3f} [{pair.difference.low:.3f}, {pair.difference.high:.3f}]"
    return f"{numbers} worse" if pair.is_evidence else f"{numbers} no evidence"


def _pair(differences: Iterable[HeadDifference], better: str, worse: str) -> HeadDifference:
    return next(pair for pair in differences if (pair.better, pair.worse) == (better, worse))


def _publish_all(writers: Mapping[str, Callable[[Path], None]], folder: Path) -> list[Path]:
    for name, write in writers.items():
        with publish(folder / name) as temporary:
            write(temporary)
    return [folder / name for name in writers]


def _head_writers(result: HeadResult) -> dict[str, Callable[[Path], None]]:
    name = re.sub(r"[^\w.-]", "_", result.head)
    return {
        f"metrics_{name}.json": lambda path: _write_json(path, result.metrics),
        f"confusion_{name}.png": lambda path: _save_figure(draw_confusion(result), path),
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _save_figure(figure: Figure, path: Path) -> None:
    # The canvas is named so that no window system is looked for; the format, because the path ends in .tmp.
    FigureCanvasAgg(figure).print_png(str(path))


def _decimals(probabilities: NDArray[np.floating]) -> list[str]:
    return ["" if np.isnan(probability) else f"{probability:.6f}" for probability in probabilities]


def _set_ticks(axes: Axes, names: list[str]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)


def _annotate(axes: Axes, counts: NDArray[np.integer], shares: NDArray[np.floating]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            axes.text(
                column, row, f"{count}\n{share:.0%}",
                ha="center", va="center", fontsize=7.5, color="white" if share > 0.55 else "black",
            )  # fmt: skip


def _draw_head(axes: Axes, result: HeadResult, number: int, *, offset: float) -> None:
    recall = np.array(result.metrics["per_class_recall"])
    low, high = np.array(result.metrics["per_class_recall_ci"]).T
    axes.errorbar(
        recall,
        np.arange(len(recall)) + offset,
        xerr=[np.maximum(recall - low, 0), np.maximum(high - recall, 0)],
        fmt=HEAD_MARKERS[number % len(HEAD_MARKERS)],
        color=HEAD_COLOURS[number % len(HEAD_COLOURS)],
        markersize=4,
        linewidth=1.2,
        label=f"{clean_text(result.head)} {result.balanced_accuracy:.3f}",
    )


def _shown_names(names: Iterable[str]) -> list[str]:
    return [_shorten(name) for name in names]


def _shorten(name: str) -> str:
    text = clean_text(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
