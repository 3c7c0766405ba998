"""The files of a comparison: every figure, every prediction, and pictures."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellfeat.comparison.curve import LearningCurves, curve_table
from cellfeat.comparison.pictures import draw_confusion, draw_curves, draw_recalls, draw_reliability, save_figure
from cellfeat.comparison.repeats import Repeats
from cellfeat.comparison.result import Comparison, HeadResult
from cellfeat.provenance import publish, utc_now, versions

FORMAT = 1


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
        "recall_per_class.png": lambda path: save_figure(draw_recalls(comparison.results), path),
        "reliability.png": lambda path: save_figure(draw_reliability(comparison.results), path),
    }
    for result in comparison.results:
        writers |= _head_writers(result)
    return _publish_all(writers, folder)


def write_head_report(result: HeadResult, folder: Path) -> list[Path]:
    """Write what was found of one head: metrics, out-of-fold predictions, and pictures as `write_report` has them."""
    writers: dict[str, Callable[[Path], None]] = {
        "metrics.json": lambda path: _write_json(path, result.metrics),
        "predictions.parquet": lambda path: result.predictions.to_parquet(path, index=False),
        "confusion.png": lambda path: save_figure(draw_confusion(result), path),
        "reliability.png": lambda path: save_figure(draw_reliability([result]), path),
    }
    return _publish_all(writers, folder)


def write_curves(found: LearningCurves, folder: Path) -> list[Path]:
    """Write ``learning_curve.csv`` and ``learning_curve.png``."""
    writers: dict[str, Callable[[Path], None]] = {
        "learning_curve.csv": lambda path: curve_table(found.curves).to_csv(path, index=False),
        "learning_curve.png": lambda path: save_figure(draw_curves(found.curves), path),
    }
    return _publish_all(writers, folder)


def write_repeats(repeats: Repeats, folder: Path) -> list[Path]:
    """Write ``repeats.json``."""
    return _publish_all({"repeats.json": lambda path: _write_json(path, repeats.record())}, folder)


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


def _head_writers(result: HeadResult) -> dict[str, Callable[[Path], None]]:
    name = re.sub(r"[^\w.-]", "_", result.head)
    return {
        f"metrics_{name}.json": lambda path: _write_json(path, result.metrics),
        f"confusion_{name}.png": lambda path: save_figure(draw_confusion(result), path),
    }


def _publish_all(writers: Mapping[str, Callable[[Path], None]], folder: Path) -> list[Path]:
    for name, write in writers.items():
        with publish(folder / name) as temporary:
            write(temporary)
    return [folder / name for name in writers]


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
