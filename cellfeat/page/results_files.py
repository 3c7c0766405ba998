"""What is in a folder of results: of a comparison, one head, held-out samples or an audit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cellfeat.errors import CellfeatError, MissingFileError, RecordError
from cellfeat.extraction.store import Features
from cellfeat.heads.bundle_files import RECORD_FILE
from cellfeat.interop.exports.results import PREDICTIONS_FILE, SAMPLES_FILE, Results, results_of
from cellfeat.page.audit_files import FOLDER, AuditFiles, read_audit
from cellfeat.records import parse_json, unseal
from cellfeat.reporting.files import AUDIT_FILES, COMPARISON_FILE, CURVE_FILES, METRICS_FILE, REPEATS_FILE

Kind = Literal["comparison", "head", "held-out", "audit", "features"]


@dataclass(frozen=True)
class ResultsFiles:
    """Results, read from their folder.

    Attributes
    ----------
    kind
        What they are.
    record
        The scores: ``comparison.json`` or ``metrics.json``; empty without.
    results
        The predictions; None where there are none.
    folder
        The folder; None for results in memory, and for features alone.
    notes
        What is missing, in sentences.
    curves
        Learning curves, as ``learning_curve.json`` lists them.
    repeats
        Sentences about repeated comparisons.
    audit
        The audit of the same samples; None without.
    n_held_out
        Held-out scores of saved heads found beside these results.
    """

    kind: Kind
    record: Mapping[str, Any]
    results: Results | None = None
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    curves: Sequence[Mapping[str, Any]] = ()
    repeats: tuple[str, ...] = ()
    audit: AuditFiles | None = None
    n_held_out: int = 0

    @property
    def heads(self) -> list[Mapping[str, Any]]:
        """The records of the heads, best first."""
        if self.kind == "comparison":
            return list(self.record["heads"])
        return [self.record] if self.record else []

    @property
    def name(self) -> str:
        """What to call them in messages: the file of the scores."""
        file = {"comparison": COMPARISON_FILE, "audit": AUDIT_FILES[0]}.get(self.kind, METRICS_FILE)
        return file if self.folder is None else str(self.folder / file)


def read_results(folder: Path, features: Features | None) -> ResultsFiles:
    """Read the results in a folder.

    Parameters
    ----------
    folder
        The folder.
    features
        The samples; None for an audit of images before any extraction.

    Raises
    ------
    MissingFileError
        If the folder holds no results.
    RecordError
        If a record is damaged.
    ManifestError, FingerprintError
        If the results are those of other samples, or of features of another recipe.
    """
    kind = kind_of(folder)
    if kind == "audit":
        return ResultsFiles(kind, {}, folder=folder, audit=read_audit(folder))
    if features is None:
        raise MissingFileError(f"{folder}: its feature file is needed to show these results")
    record = _json(folder / (COMPARISON_FILE if kind == "comparison" else METRICS_FILE))
    if "out_of_fold" in record:
        kind = "held-out"
    results, notes = _predictions(folder, features, record)
    audit, audit_notes = _audit_beside(folder, features)
    curves, curve_notes = _curves(folder) if kind == "comparison" else ([], [])
    repeats, repeat_notes = _repeats(folder) if kind == "comparison" else ([], [])
    return ResultsFiles(
        kind=kind,
        record=record,
        results=results,
        folder=folder,
        notes=(*notes, *audit_notes, *curve_notes, *repeat_notes),
        curves=curves,
        repeats=tuple(repeats),
        audit=audit,
        n_held_out=sum(1 for _ in _held_out_scores(folder)) if kind in ("comparison", "head") else 0,
    )


def kind_of(folder: Path) -> Kind:
    """Say what results a folder holds.

    Raises
    ------
    MissingFileError
        If there is no such folder, or it holds no results.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder of results; make it first: cellfeat compare")
    if (folder / COMPARISON_FILE).is_file():
        return "comparison"
    if (folder / METRICS_FILE).is_file():
        return "head"
    if (folder / AUDIT_FILES[0]).is_file():
        return "audit"
    what = "a saved head without its scores (metrics.json)" if (folder / RECORD_FILE).is_file() else "no results"
    raise MissingFileError(
        f"{folder}: holds {what}; expected a folder that compare, fit, score or audit wrote, with {COMPARISON_FILE}, "
        f"{METRICS_FILE} or {AUDIT_FILES[0]}"
    )


def recorded_samples(folder: Path) -> Mapping[str, Any]:
    """Read which samples the results in a folder are of: ``samples``, their digest, and ``source``; empty without.

    Raises
    ------
    RecordError
        If the record is damaged.
    """
    path = folder / SAMPLES_FILE
    if not path.is_file():
        return {}
    try:
        return unseal(parse_json(path.read_bytes()))
    except RecordError as error:
        raise RecordError(f"{path}: {error}; compare again") from None


def _predictions(folder: Path, features: Features, record: Mapping[str, Any]) -> tuple[Results | None, list[str]]:
    if not (folder / PREDICTIONS_FILE).is_file():
        return None, [f"{PREDICTIONS_FILE} is missing in {folder}: predictions of single samples cannot be shown."]
    # The recipe and the samples are checked here, too.
    found = results_of(folder, features)
    return Results(found.name, found.table, record, folder), []


def _audit_beside(folder: Path, features: Features) -> tuple[AuditFiles | None, list[str]]:
    """The audit in the folder or, for results of one head, beside it."""
    for parent in (folder, folder.parent):
        path = parent / FOLDER
        if not (path / AUDIT_FILES[0]).is_file():
            continue
        try:
            if recorded_samples(path).get("samples") != features.samples.digest:
                # Beside held-out scores lies the audit of the training samples.
                is_own = parent == folder
                why = f"The audit in {path} is of other samples, and is left out: run cellfeat audit again."
                return None, [why] if is_own else []
            return read_audit(path), []
        except CellfeatError as error:
            return None, [f"The audit cannot be shown: {error}."]
    return None, []


def _curves(folder: Path) -> tuple[list[Mapping[str, Any]], list[str]]:
    path = folder / CURVE_FILES[0]
    try:
        return (list(_json(path)["curves"]) if path.is_file() else []), []
    except (RecordError, KeyError, TypeError) as error:
        return [], [f"The learning curves in {path} cannot be shown: {error}."]


def _repeats(folder: Path) -> tuple[list[str], list[str]]:
    path = folder / REPEATS_FILE
    if not path.is_file():
        return [], []
    try:
        record = _json(path)
        best = record["scores"][0]["head"]
        pairs = [pair["verdict"] for pair in record["differences"] if best in (pair["better"], pair["worse"])]
        return [f"Over {len(record['seeds'])} sets of {record['folds']} folds: {verdict}" for verdict in pairs], []
    except (RecordError, KeyError, TypeError, IndexError) as error:
        return [], [f"The repeats in {path} cannot be shown: {error}."]


def _held_out_scores(folder: Path) -> Iterator[Path]:
    """Folders with held-out scores, in the folder and beside it."""
    for path in (*folder.glob(f"*/{METRICS_FILE}"), *folder.parent.glob(f"{folder.name}_on_*/{METRICS_FILE}")):
        try:
            if "out_of_fold" in _json(path):
                yield path.parent
        except RecordError:
            continue


def _json(path: Path) -> dict[str, Any]:
    try:
        record = parse_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}; write it again: cellfeat compare, fit or score") from None
    if not isinstance(record, dict):
        raise RecordError(f"{path}: expected a JSON object, got {type(record).__name__}; write it again")
    return record
