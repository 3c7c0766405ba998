"""Predictions to export beside the features: those of a comparison, of a saved head, or held-out ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellfeat.errors import FingerprintError, ManifestError, MissingFileError, RecordError
from cellfeat.evaluation.results import PROBABILITY_PREFIX, Comparison
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.extraction.store import Features
from cellfeat.heads.bundle import Bundle
from cellfeat.records import parse_json, unseal
from cellfeat.text import NO_URLS, first_line, is_url, without_credentials
from cellfeat.types import Floats, Integers, Strings

PREDICTIONS_FILE = "predictions.parquet"
SAMPLES_FILE = "samples.json"
_RECORDS = ("comparison.json", "metrics.json")
_MOST_TOLD = 3
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
        A row for each prediction: see `cellfeat.evaluation.results.ScoredHead`.
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


def predicted_by(bundle: Bundle, features: Features) -> tuple[Results, list[str]]:
    """Predict samples with a saved head, and say what should be known of the predictions.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples, with or without labels.

    Raises
    ------
    FingerprintError
        If the features were extracted with another recipe than those the head was fitted on.
    """
    predictions = predict(bundle, features)
    table = predictions.table().drop(columns="abstained").reset_index()
    table = table.assign(head=bundle.head_name, label=features.samples.labels)[predictions.is_read]
    remarks = [f"warning: unlike the training samples: {one}" for one in (predictions.unlike_fitted or ())[:_MOST_TOLD]]
    n_unlike = len(predictions.unlike_fitted or ())
    remarks += [f"warning: {n_unlike} such differences: the predictions may be wrong"] if n_unlike > _MOST_TOLD else []
    n_seen = int(bundle.has_seen(features.samples.digests).sum())
    if n_seen:
        remarks.append(
            f"warning: {n_seen} of {len(features)} samples are exact duplicates of training samples, whose labels the "
            "head knows; --results has predictions out of fold"
        )
    return Results(f"the saved head {bundle.head_name!r}", table), remarks


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
    _check_recipe(found, features)
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
    _check_samples(folder, features)
    record: dict[str, Any] = {}
    for name in _RECORDS:
        if (folder / name).is_file():
            record = _record_in(folder / name)
            break
    return Results(str(folder), _table_in(path), record, folder)


def _table_in(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise RecordError(f"{path}: cannot be read as Parquet ({first_line(error)}); compare again") from None
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise RecordError(f"{path}: has no column {missing[0]!r}; expected predictions that cellfeat wrote")
    return table.astype({"sample_id": str, "head": str})


def _record_in(path: Path) -> dict[str, Any]:
    try:
        record = parse_json(path.read_bytes())
    except RecordError as error:
        raise RecordError(f"{path}: {error}; compare again") from None
    if not isinstance(record, dict):
        raise RecordError(f"{path}: expected a JSON object, got {type(record).__name__}; compare again")
    return record


def _check_samples(folder: Path, features: Features) -> None:
    """Refuse results of other samples: ids such as 1, 2, 3 are the same in many data sets."""
    path = folder / SAMPLES_FILE
    if not path.is_file():
        raise MissingFileError(
            f"{path} does not exist: nothing says of which samples the results are (cellfeat 0.1 did not record it); "
            "compare again"
        )
    try:
        recorded = unseal(parse_json(path.read_bytes()))
    except RecordError as error:
        raise RecordError(f"{path}: {error}; compare again") from None
    if recorded.get("samples") != features.samples.digest:
        raise ManifestError(
            f"{folder}: holds results of other samples ({recorded.get('n_samples')} of {recorded.get('source')}) than "
            f"those of {features.path} ({len(features)}); compare again, or name the results of these samples"
        )


def _check_recipe(results: Results, features: Features) -> None:
    provenance = results.record.get("provenance")
    fingerprint = provenance.get("fingerprint") if isinstance(provenance, dict) else None
    if fingerprint not in (None, features.fingerprint):
        raise FingerprintError(
            f"{results.name}: results of features of another recipe (fingerprint {fingerprint}) than {features.path} "
            f"({features.fingerprint}); compare again"
        )
