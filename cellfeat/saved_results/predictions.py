"""Predictions of single samples, in the order of a feature file: those of a comparison, of a head, or held-out ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellfeat.errors import FingerprintError, ManifestError, MissingFileError, RecordError
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import PROBABILITY_PREFIX
from cellfeat.extraction.store import Features
from cellfeat.saved_results.files import PREDICTIONS_FILE, read_object, scores_file
from cellfeat.saved_results.samples_record import check_samples
from cellfeat.text import NO_URLS, first_line, is_url, without_credentials
from cellfeat.types import Floats, Integers, Strings

_COLUMNS = ("sample_id", "head", "label", "predicted")


@dataclass(frozen=True)
class HeadPredictions:
    """One head's predictions for the samples of a feature file.

    Attributes
    ----------
    predicted
        Class of each sample, shape ``(n_samples,)``; ``""`` where there is no prediction.
    probabilities
        Shape ``(n_samples, n_classes)``; NaN where there is no prediction.
    classes
        Names of the classes, in the order of the columns.
    """

    predicted: Strings
    probabilities: Floats
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """Predictions of one or several heads.

    Attributes
    ----------
    name
        Where they come from, for messages.
    table
        A row for each prediction: see `cellfeat.evaluation.results.head_results.ScoredHead`.
    record
        The scores, as ``comparison.json`` or ``metrics.json`` has them.
    folder
        The folder that they were read from; None for those in memory.
    """

    name: str
    table: pd.DataFrame
    record: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def heads(self, ids: Strings) -> Iterator[tuple[str, HeadPredictions]]:
        """Give each head's name and its predictions for samples with these ids, shape ``(n_samples,)``."""
        columns = [name for name in self.table.columns if name.startswith(PROBABILITY_PREFIX)]
        classes = tuple(name.removeprefix(PROBABILITY_PREFIX) for name in columns)
        for head, rows in self.table.groupby("head", sort=False):
            places, found = _matched(ids, rows)
            predicted = np.full(len(ids), "", dtype=object)
            predicted[places] = found["predicted"].fillna("").astype(str).to_numpy()
            probabilities = np.full((len(ids), len(columns)), np.nan)
            probabilities[places] = found[columns].to_numpy(dtype=np.float64)
            yield str(head), HeadPredictions(predicted.astype(np.str_), probabilities, classes)

    def folds(self, ids: Strings) -> Integers | None:
        """Fold of each sample, from 1, shape ``(n_samples,)``; 0 where there is none; None without folds."""
        if "fold" not in self.table:
            return None
        folds = np.zeros(len(ids), dtype=np.int64)
        places, found = _matched(ids, self.table)
        folds[places] = found["fold"].fillna(0).to_numpy(dtype=np.int64)
        return folds

    def labels(self, ids: Strings) -> Strings:
        """Label that each sample was scored with, shape ``(n_samples,)``; ``""`` where it was not scored."""
        labels = np.full(len(ids), "", dtype=object)
        places, found = _matched(ids, self.table)
        labels[places] = found["label"].fillna("").astype(str).to_numpy()
        return labels.astype(np.str_)


def _matched(ids: Strings, rows: pd.DataFrame) -> tuple[Integers, pd.DataFrame]:
    """Row numbers of the samples that have a prediction, and their predictions in the same order."""
    first = rows.drop_duplicates("sample_id").set_index("sample_id")
    # By hash: sorting the ids of a million samples takes many seconds.
    found = first.index.get_indexer(pd.Index(ids.astype(object)))
    places = np.flatnonzero(found >= 0)
    return places, first.iloc[found[places]]


def results_of(results: "Path | str | Comparison | Results", features: Features) -> Results:
    """Read results and check that they belong to the features.

    Parameters
    ----------
    results
        The folder of a comparison, of a saved head or of held-out scores; or a comparison in memory.
    features
        The samples.

    Raises
    ------
    MissingFileError, RecordError
        If the folder holds no results, or they cannot be read.
    FingerprintError, ManifestError
        If they are those of features of another recipe, or of other samples.
    """
    if isinstance(results, Results):
        found = results
    elif isinstance(results, Comparison):
        found = Results("the comparison", results.predictions(), results.record())
    else:
        found = _read(Path(results), features)
    check_recipe(found.record, found.name, features)
    if not np.isin(found.table["sample_id"].to_numpy(dtype=np.str_), features.samples.ids).any():
        raise ManifestError(f"{found.name}: no prediction there is of a sample of {features.path}")
    return found


def _read(folder: Path, features: Features) -> Results:
    path = folder / PREDICTIONS_FILE
    if not path.is_file():
        why = NO_URLS if is_url(str(folder)) else (
            "expected the folder of results of compare, fit or score; make it first: cellfeat compare"
        )  # fmt: skip
        raise MissingFileError(f"{without_credentials(str(path))} does not exist: {why}")
    check_samples(folder, features)
    scores = scores_file(folder)
    return Results(str(folder), _table_in(path), {} if scores is None else read_object(scores), folder)


def _table_in(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise RecordError(f"{path}: cannot be read as Parquet ({first_line(error)}); compare again") from None
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise RecordError(f"{path}: has no column {missing[0]!r}; expected predictions that cellfeat wrote")
    return table.astype({"sample_id": str, "head": str})


def check_recipe(record: Mapping[str, Any], name: str, features: Features) -> None:
    """Refuse results of features of another recipe.

    Parameters
    ----------
    record
        The scores, as ``comparison.json`` or ``metrics.json`` has them.
    name
        What to call the results.
    features
        The samples.

    Raises
    ------
    FingerprintError
        If the features are of another recipe than those of the results.
    """
    provenance = record.get("provenance")
    fingerprint = provenance.get("fingerprint") if isinstance(provenance, dict) else None
    if fingerprint not in (None, features.fingerprint):
        raise FingerprintError(
            f"{name}: results of features of another recipe (fingerprint {fingerprint}) than {features.path} "
            f"({features.fingerprint}); compare again"
        )
