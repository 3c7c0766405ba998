"""The files of a comparison, of one head and of held-out scores. Each appears whole."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cellfeat.errors import WriteError
from cellfeat.evaluation.comparison.across import Across
from cellfeat.evaluation.comparison.repeats import Repeats
from cellfeat.evaluation.figures import draw_confusion, draw_curves, draw_heads, draw_recalls, draw_reliability
from cellfeat.evaluation.learning_curves.curves import LearningCurves
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult, ScoredHead
from cellfeat.evaluation.results.tables_and_figures import curve_table
from cellfeat.evaluation.saved_heads.held_out import HeldOut
from cellfeat.figures import FigureKind
from cellfeat.heads.registry import HEADS
from cellfeat.heads.saved.bundle_files import RECORD_FILE
from cellfeat.provenance import publish, utc_now, versions
from cellfeat.reporting.figure_files import DEFAULT_KINDS, figure_files, figure_writers
from cellfeat.saved_results.files import (
    ACROSS_FILE,
    AGAINST_FILE,
    COMPARISON_FILE,
    CURVE_FILES,
    METRICS_FILE,
    PREDICTIONS_FILE,
    REPEATS_FILE,
)
from cellfeat.text import file_name

FORMAT = 1

CURVE_FIGURE = "learning_curve"
HEADS_FIGURES = ("recall_per_class", "reliability", "heads")
"""Figures of all heads of a comparison."""
SCORED_FIGURES = ("confusion", "reliability")
SCORED_FILES = (METRICS_FILE, PREDICTIONS_FILE, *figure_files(*SCORED_FIGURES))
"""What `write_head_report` and `write_held_out` write."""
HEAD_FILES = (RECORD_FILE, *SCORED_FILES)
"""What the folder of a saved head holds, beside the files of the head itself."""

Writers = Mapping[str, Callable[[Path], None]]
"""What writes each file, by its name."""


def write_report(
    comparison: Comparison, folder: Path, *, figures: Sequence[FigureKind] = DEFAULT_KINDS, say: Say = ignore_line
) -> list[Path]:
    """Write a comparison, in place of an earlier comparison in the folder.

    ``comparison.json`` holds everything but the predictions, ``predictions.parquet`` every out-of-fold prediction,
    ``metrics_<head>.json`` one head's scores, ``confusion_<head>.png`` its confusion matrix, ``heads.png`` all heads
    with their verdicts, ``recall_per_class.png`` their recalls, and ``reliability.png`` how well their probabilities
    match what happens. Files of an earlier comparison that this one does not write (other heads, repeats, learning
    curves) are removed, so that the folder holds one comparison; nothing else in it is touched.

    Parameters
    ----------
    comparison
        The comparison.
    folder
        Folder of the results.
    figures
        File formats of the figures, of ``png``, ``svg`` and ``pdf``.
    say
        Receives what was removed.

    Returns
    -------
    list of Path
        The files written.
    """
    writers = {
        COMPARISON_FILE: lambda path: _write_json(path, comparison_record(comparison)),
        PREDICTIONS_FILE: lambda path: comparison.predictions().to_parquet(path, index=False),
        **figure_writers(HEADS_FIGURES[0], lambda: draw_recalls(comparison.results), figures),
        **figure_writers(HEADS_FIGURES[1], lambda: draw_reliability(comparison.results), figures),
        **figure_writers(
            HEADS_FIGURES[2], lambda: draw_heads(comparison.results, comparison.differences_to_best()), figures
        ),
    }
    for result in comparison.results:
        writers |= _head_writers(result, figures)
    possible = [*_possible_files(), *_files_of_earlier_heads(folder)]
    files = _publish_all(writers, folder)
    removed = _remove_others(possible, writers, folder)
    if removed:
        say(f"{folder}: removed files of an earlier comparison: {', '.join(removed)}")
    return files


def write_head_report(result: HeadResult, folder: Path, *, figures: Sequence[FigureKind] = DEFAULT_KINDS) -> list[Path]:
    """Write the results of one head: metrics, out-of-fold predictions, confusion matrix and reliability.

    Parameters
    ----------
    result
        The results.
    folder
        Folder of the saved head.
    figures
        As for `write_report`.

    Returns
    -------
    list of Path
        The files written.
    """
    return _publish_scored(result, result.record(), folder, figures)


def check_held_out_folder(folder: Path) -> None:
    """Refuse a folder in which `write_held_out` would replace files of the same names.

    Raises
    ------
    WriteError
        If it holds a saved head or a comparison.
    """
    _refuse_other_kinds(folder, "held-out scores", {RECORD_FILE: "a saved head", COMPARISON_FILE: "a comparison"})


def check_comparison_folder(folder: Path) -> None:
    """Refuse a folder in which `write_report` would replace files of the same names.

    Raises
    ------
    WriteError
        If it holds a saved head or the scores of one head.
    """
    _refuse_other_kinds(folder, "a comparison", {RECORD_FILE: "a saved head", METRICS_FILE: "the scores of one head"})


def _refuse_other_kinds(folder: Path, new: str, kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        if (folder / name).exists():
            raise WriteError(f"{folder}: holds {kind}, and {new} would replace files of it; choose another --output")


def write_held_out(found: HeldOut, folder: Path, *, figures: Sequence[FigureKind] = DEFAULT_KINDS) -> list[Path]:
    """Write held-out scores, in files of the names that `write_head_report` gives.

    Parameters
    ----------
    found
        The scores.
    folder
        Folder of the results.
    figures
        As for `write_report`.

    Returns
    -------
    list of Path
        The files written.
    """
    return _publish_scored(found, _heading() | found.record(), folder, figures)


def write_curves(found: LearningCurves, folder: Path, *, figures: Sequence[FigureKind] = DEFAULT_KINDS) -> list[Path]:
    """Write ``learning_curve.json``, the table ``learning_curve.csv`` and the figure ``learning_curve``.

    Parameters
    ----------
    found
        The learning curves.
    folder
        Folder of the results.
    figures
        As for `write_report`.

    Returns
    -------
    list of Path
        The files written.
    """
    record, table = CURVE_FILES
    writers: Writers = {
        record: lambda path: _write_json(path, _heading() | found.record()),
        table: lambda path: curve_table(found.curves).to_csv(path, index=False),
        **figure_writers(CURVE_FIGURE, lambda: draw_curves(found.curves), figures),
    }
    files = _publish_all(writers, folder)
    _remove_others(figure_files(CURVE_FIGURE), writers, folder)
    return files


def write_further(found: Repeats | Across | Comparison, folder: Path) -> list[Path]:
    """Write ``repeats.json``, ``across.json`` or ``against.json`` beside a comparison in the same folder.

    Parameters
    ----------
    found
        Results over several sets of folds, on plates that are left out, or of several feature files.
    folder
        Folder of the results.
    """
    name = {Repeats: REPEATS_FILE, Across: ACROSS_FILE, Comparison: AGAINST_FILE}[type(found)]
    return _publish_all({name: lambda path: _write_json(path, _heading() | found.record())}, folder)


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Give the content of ``comparison.json``: everything but the predictions, which have a table of their own."""
    return _heading() | comparison.record()


def _heading() -> dict[str, Any]:
    return {"format": FORMAT, "created": utc_now(), "versions": versions()}


def _publish_scored(
    scored: ScoredHead, record: Mapping[str, Any], folder: Path, figures: Sequence[FigureKind]
) -> list[Path]:
    confusion, reliability = SCORED_FIGURES
    writers: Writers = {
        METRICS_FILE: lambda path: _write_json(path, record),
        PREDICTIONS_FILE: lambda path: scored.predictions.to_parquet(path, index=False),
        **figure_writers(confusion, lambda: draw_confusion(scored), figures),
        **figure_writers(reliability, lambda: draw_reliability([scored]), figures),
    }
    files = _publish_all(writers, folder)
    _remove_others(figure_files(*SCORED_FIGURES), writers, folder)
    return files


def _remove_others(names: Iterable[str], writers: Writers, folder: Path) -> list[str]:
    """Remove files of these names that were not written now: they would show other results.

    They are looked for after the others were written: drawing takes seconds, in which another command may end.
    """
    others = [name for name in names if name not in writers and (folder / name).is_file()]
    for name in others:
        (folder / name).unlink(missing_ok=True)
    return others


def _head_writers(result: HeadResult, figures: Sequence[FigureKind]) -> Writers:
    metrics, confusion = _head_files(result.head)
    return {
        metrics: lambda path: _write_json(path, result.record()),
        **figure_writers(confusion, lambda: draw_confusion(result), figures),
    }


def _files_of_earlier_heads(folder: Path) -> list[str]:
    """Files of the heads of an earlier comparison that no table lists, such as classifiers of scikit-learn."""
    try:
        heads = json.loads((folder / COMPARISON_FILE).read_bytes())["heads"]
        names = [str(one["head"]) for one in heads]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    listed = set(_possible_files())
    metrics, confusions = zip(*map(_head_files, names), strict=True) if names else ((), ())
    return [file for file in (*metrics, *figure_files(*confusions)) if file not in listed]


def _head_files(head: str) -> tuple[str, str]:
    """Name of the file of a head's scores, and of the figure of its confusion matrix, which has no ending."""
    name = file_name(head)
    return f"metrics_{name}.json", f"confusion_{name}"


def comparison_files() -> list[str]:
    """Names of the files that a comparison may write or remove."""
    return [COMPARISON_FILE, PREDICTIONS_FILE, *_possible_files()]


def _possible_files() -> list[str]:
    """Files that one comparison writes and another may not; only existing heads name any."""
    metrics, confusions = zip(*map(_head_files, HEADS), strict=True)
    return [*metrics, REPEATS_FILE, ACROSS_FILE, *CURVE_FILES, *figure_files(*confusions, *HEADS_FIGURES, CURVE_FIGURE)]


def _publish_all(writers: Writers, folder: Path) -> list[Path]:
    """Write all files, then move them into place: if one cannot be written, the earlier files stay."""
    # The stack moves the files into place when it unwinds, after all of them are written.
    with ExitStack() as published:
        for name, write in writers.items():
            write(published.enter_context(publish(folder / name)))
    return [folder / name for name in writers]


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
