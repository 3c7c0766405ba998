"""The files of a folder of results: their names, and how their JSON is read."""

from pathlib import Path
from typing import Any

from cellfeat.errors import RecordError
from cellfeat.records import parse_json

COMPARISON_FILE = "comparison.json"
METRICS_FILE = "metrics.json"
"""Scores of one head, and held-out scores."""
PREDICTIONS_FILE = "predictions.parquet"
SAMPLES_FILE = "samples.json"
REPEATS_FILE = "repeats.json"
ACROSS_FILE = "across.json"
AGAINST_FILE = "against.json"
CURVE_FILES = ("learning_curve.json", "learning_curve.csv")
AUDIT_FILES = ("audit.csv", "groups.csv")
LEAK_FILE = "leak.csv"
PROBES_FILE = "probes.csv"
AUDIT_FOLDER = "audit"
"""Folder of the audit beside the results of the same samples."""


def scores_file(folder: Path) -> Path | None:
    """Find the file of the scores in a folder; None where it holds none."""
    files = (folder / name for name in (COMPARISON_FILE, METRICS_FILE))
    return next((path for path in files if path.is_file()), None)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    RecordError
        If the file cannot be read, or holds no JSON object.
    """
    try:
        record = parse_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}; compare again") from None
    if not isinstance(record, dict):
        raise RecordError(f"{path}: expected a JSON object, got {type(record).__name__}; compare again")
    return record
