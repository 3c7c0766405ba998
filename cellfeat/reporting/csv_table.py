"""Predictions as a table for other programs, spreadsheets among them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import WriteError
from cellfeat.evaluation.results.head_results import PROBABILITY_PREFIX
from cellfeat.evaluation.saved_heads.predict import Predictions
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.provenance import publish
from cellfeat.text import first_ten, harmless_cell

_REPLACED = "choose another --output, or replace it with --replace"


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

    A text that a spreadsheet would run as a formula (it starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break)
    gets an apostrophe in front, unless it is a plain number such as ``-1.5e3``. Everything else is written as it is,
    including control characters, because programs compare these names with those of their own tables.

    Parameters
    ----------
    path
        The CSV file.
    sample_id, predicted
        Id and predicted class of each sample.
    id_column, label_column
        Their headings.
    more
        Further columns by heading, between the class and the probabilities.
    probabilities
        Shape ``(n_samples, n_classes)``, written with 6 digits after the point; NaN (a sample that could not be read)
        is an empty cell.
    classes
        Headings of the columns of `probabilities`. Where one of them equals another heading, each gets the prefix
        ``probability_``, as in ``predictions.parquet``.
    """
    more = more or {}
    others = (id_column, label_column, *more)
    headings = (*others, *(_apart_from(others, classes) if probabilities is not None else ()))
    numbers = [[] for _ in sample_id] if probabilities is None else [_decimals(row) for row in probabilities]
    with publish(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(harmless_cell, headings))
        for *texts, row in zip(sample_id, predicted, *more.values(), numbers, strict=True):
            writer.writerow((*map(harmless_cell, texts), *row))


def _apart_from(others: Sequence[str], classes: Sequence[str]) -> list[str]:
    names = list(classes)
    # A class may be named like another column.
    while set(others) & set(names):
        names = [f"{PROBABILITY_PREFIX}{name}" for name in names]
    return names


def _decimals(probabilities: NDArray[np.floating]) -> list[str]:
    return ["" if np.isnan(probability) else f"{probability:.6f}" for probability in probabilities]


def save_predictions(
    predictions: Predictions,
    bundle: Bundle,
    path: Path,
    *,
    with_probabilities: bool = False,
    is_plain: bool = False,
) -> None:
    """Write predictions as CSV, under the column names that the labels had when the head was fitted.

    A head that was fitted on class folders has no such names: its columns are ``file`` and ``label``.

    ``probability`` is that of the most probable class, also where the head abstained. Where there are sets, ``set``
    holds their names (see `PredictionSets.names`) and ``set_size`` their number, 0 for an empty set. Where the head
    keeps training samples, ``apart_p`` is the share of these that lie as far out as the sample does. All are empty
    cells for a sample that could not be read.

    Parameters
    ----------
    predictions
        What to write.
    bundle
        The saved head that predicted them.
    path
        The CSV file.
    with_probabilities
        Whether each class gets a column.
    is_plain
        Whether the columns ``probability`` and ``apart_p`` are left out, as for programs that expect ids and classes
        alone.
    """
    id_column, label_column = _headings(bundle.provenance.get("settings", {}))
    doubt = {} if is_plain else {"probability": _decimals(predictions.probability)}
    apart = {} if is_plain else _apart_column(predictions)
    save_predictions_csv(
        path,
        predictions.sample_id.tolist(),
        predictions.predicted.tolist(),
        id_column=id_column,
        label_column=label_column,
        more=doubt | _set_columns(predictions) | apart,
        probabilities=predictions.probabilities if with_probabilities else None,
        classes=predictions.classes,
    )


def check_predictions_file(path: Path, bundle: Bundle, sample_id: Iterable[str], inputs: Iterable[Path]) -> None:
    """Refuse to write predictions over anything but predictions of some of the same samples.

    Parameters
    ----------
    path
        The CSV file to write.
    bundle
        The saved head that predicts.
    sample_id
        Ids of the samples.
    inputs
        Files that are read: tables of labels, feature files.

    Raises
    ------
    WriteError
        If there is another file of this name, or one of predictions of other samples.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    if any(other.exists() and other.samefile(path) for other in inputs):
        raise WriteError(f"{path}: is a file that is read here; choose another --output")
    earlier = _ids_in(path, _headings(bundle.provenance.get("settings", {})))
    if earlier is None:
        raise WriteError(f"{path}: is no table of predictions by this head; {_REPLACED}")
    others = earlier - set(map(harmless_cell, sample_id))
    if others:
        raise WriteError(f"{path}: holds predictions of {len(others)} other samples ({first_ten(others)}); {_REPLACED}")


def _ids_in(path: Path, headings: tuple[str, str]) -> set[str] | None:
    """Ids in a table of predictions; None where it has other headings, or is no table."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows)[:2]) != tuple(map(harmless_cell, headings)):
                return None
            return {row[0] for row in rows if row}
    except (csv.Error, UnicodeDecodeError, StopIteration):
        return None


def _headings(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Headings of the ids and the classes; ``id`` and ``label`` where the settings are not on record."""
    names = settings.get("labels", {})
    # A saved head comes from a file, and may hold other settings.
    has_folders = settings.get("images", {}).get("layout") == "folders"
    if has_folders and names.get("file", "") is None:
        return "file", "label"
    return names.get("id") or "id", names.get("label") or "label"


def _set_columns(predictions: Predictions) -> dict[str, list[str]]:
    if predictions.sets is None:
        return {}
    sizes = zip(predictions.sets.sizes, predictions.is_read, strict=True)
    return {
        "set": predictions.sets.names(),
        "set_size": [str(size) if is_read else "" for size, is_read in sizes],
    }


def _apart_column(predictions: Predictions) -> dict[str, list[str]]:
    if predictions.apart is None:
        return {}
    return {"apart_p": ["" if np.isnan(value) else f"{value:.4f}" for value in predictions.apart.p_values]}
