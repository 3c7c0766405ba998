"""What a page shows of a folder of results: of a comparison, one head, held-out samples or an audit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cellfeat.errors import CellfeatError, MissingFileError, RecordError
from cellfeat.evaluation.comparison.across import recorded_line
from cellfeat.evaluation.scores.differences import HeadDifference
from cellfeat.extraction.store import Features
from cellfeat.heads.saved.bundle_files import RECORD_FILE
from cellfeat.saved_results.audit import AuditFiles, read_audit
from cellfeat.saved_results.files import (
    ACROSS_FILE,
    AGAINST_FILE,
    AUDIT_FILES,
    AUDIT_FOLDER,
    COMPARISON_FILE,
    METRICS_FILE,
    PREDICTIONS_FILE,
    REPEATS_FILE,
    read_object,
    scores_file,
)
from cellfeat.saved_results.predictions import Results, check_recipe, results_of
from cellfeat.saved_results.reading import ReadCurve, ReadResults, read_against, read_results
from cellfeat.saved_results.samples_record import check_samples, read_samples_record

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
    differences
        Every pair of heads, the better one first; empty for one head.
    results
        The predictions; None where there are none.
    folder
        The folder; None for results in memory, and for features alone.
    notes
        What is missing, in sentences.
    curves
        Learning curves.
    repeats
        Sentences about repeated comparisons.
    across
        Sentences about plates that were left out in turn.
    against
        The same heads on several feature files; None without.
    audit
        The audit of the same samples; None without.
    n_held_out
        Held-out scores of saved heads found beside these results.
    """

    kind: Kind
    record: Mapping[str, Any]
    differences: tuple[HeadDifference, ...] = ()
    results: Results | None = None
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    curves: Sequence[ReadCurve] = ()
    repeats: tuple[str, ...] = ()
    across: tuple[str, ...] = ()
    against: ReadResults | None = None
    audit: AuditFiles | None = None
    n_held_out: int = 0

    @property
    def heads(self) -> list[Mapping[str, Any]]:
        """The records of the heads, best first."""
        if self.kind == "comparison":
            return list(self.record["heads"])
        return [self.record] if self.record else []

    @property
    def differences_to_best(self) -> list[HeadDifference]:
        """The pairs of the best head with each other head."""
        return [pair for pair in self.differences if pair.better == self.heads[0]["head"]]

    @property
    def name(self) -> str:
        """What to call them in messages: the file of the scores."""
        file = {"comparison": COMPARISON_FILE, "audit": AUDIT_FILES[0]}.get(self.kind, METRICS_FILE)
        return file if self.folder is None else str(self.folder / file)


def results_in(folder: Path, features: Features | None) -> ResultsFiles:
    """Read what a page shows of the results in a folder.

    What is missing or damaged beside the scores, such as predictions, curves or an audit, is named in the notes.

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
        If the scores or the predictions are damaged.
    ManifestError, FingerprintError
        If the results are those of other samples, or of features of another recipe.
    """
    kind = kind_of(folder)
    is_audit = kind == "audit"
    if features is None and not is_audit:
        raise MissingFileError(f"{folder}: its feature file is needed to show these results")
    if features is not None:
        check_samples(folder, features)
    if is_audit or features is None:
        return ResultsFiles("audit", {}, folder=folder, audit=read_audit(folder))
    if kind == "features":
        audit, notes = _audit_beside(folder, features)
        return ResultsFiles(kind, {}, folder=folder, notes=tuple(notes), against=read_against(folder), audit=audit)
    return _scores_in(folder, features)


def kind_of(folder: Path) -> Literal["comparison", "head", "audit", "features"]:
    """Say what results a folder holds; held-out scores are in files of the names of those of a head.

    A comparison of feature files alone has no predictions of single samples: its samples are shown as they are.

    Raises
    ------
    MissingFileError
        If there is no such folder, or it holds no results.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder of results; make it first: cellfeat compare")
    scores = scores_file(folder)
    if scores is not None:
        return "comparison" if scores.name == COMPARISON_FILE else "head"
    if (folder / AUDIT_FILES[0]).is_file():
        return "audit"
    if (folder / AGAINST_FILE).is_file():
        return "features"
    what = "a saved head without its scores (metrics.json)" if (folder / RECORD_FILE).is_file() else "no results"
    raise MissingFileError(
        f"{folder}: holds {what}; expected a folder that compare, fit, score or audit wrote, with {COMPARISON_FILE}, "
        f"{METRICS_FILE}, {AUDIT_FILES[0]} or {AGAINST_FILE}"
    )


def _scores_in(folder: Path, features: Features) -> ResultsFiles:
    read = read_results(folder)
    results, notes = _predictions(read, features)
    audit, audit_notes = _audit_beside(folder, features)
    curves, curve_notes = _curves(read)
    repeats, repeat_notes = _told_by(read, REPEATS_FILE, "repeats", _repeats_lines)
    across, across_notes = _told_by(read, ACROSS_FILE, "scores across plates", _across_lines)
    against, against_notes = _against(read)
    return ResultsFiles(
        kind=read.kind,
        record=read.record,
        differences=read.differences,
        results=results,
        folder=folder,
        notes=(*notes, *audit_notes, *curve_notes, *repeat_notes, *across_notes, *against_notes),
        curves=curves,
        repeats=tuple(repeats),
        across=tuple(across),
        against=against,
        audit=audit,
        n_held_out=0 if read.kind == "held-out" else sum(1 for _ in _held_out_scores(folder)),
    )


def _predictions(read: ReadResults, features: Features) -> tuple[Results | None, list[str]]:
    check_recipe(read.record, str(read.folder), features)
    if not (read.folder / PREDICTIONS_FILE).is_file():
        return None, [f"{PREDICTIONS_FILE} is missing in {read.folder}: predictions of single samples cannot be shown."]
    return results_of(read.folder, features), []


def _audit_beside(folder: Path, features: Features) -> tuple[AuditFiles | None, list[str]]:
    """The audit in the folder or, for results of one head, beside it."""
    for parent in (folder, folder.parent):
        path = parent / AUDIT_FOLDER
        if not (path / AUDIT_FILES[0]).is_file():
            continue
        try:
            recorded = read_samples_record(path)
            if recorded is None or recorded.samples != features.samples.digest:
                # Beside held-out scores lies the audit of the training samples.
                is_own = parent == folder
                why = f"The audit in {path} is of other samples, and is left out: run cellfeat audit again."
                return None, [why] if is_own else []
            return read_audit(path), []
        except CellfeatError as error:
            return None, [f"The audit cannot be shown: {error}."]
    return None, []


def _curves(read: ReadResults) -> tuple[Sequence[ReadCurve], list[str]]:
    try:
        return read.curves, []
    except RecordError as error:
        return [], [f"The learning curves cannot be shown: {error}."]


def _against(read: ReadResults) -> tuple[ReadResults | None, list[str]]:
    try:
        return (read_against(read.folder) if read.is_comparison else None), []
    except RecordError as error:
        return None, [f"The comparison of feature files cannot be shown: {error}."]


def _told_by(
    read: ReadResults, file: str, what: str, lines_of: Callable[[dict[str, Any]], list[str]]
) -> tuple[list[str], list[str]]:
    """The sentences of a record beside a comparison, and a note where it is damaged."""
    path = read.folder / file
    if not read.is_comparison or not path.is_file():
        return [], []
    try:
        return lines_of(read_object(path)), []
    except (RecordError, KeyError, TypeError, IndexError, ValueError) as error:
        return [], [f"The {what} in {path} cannot be shown: {error}."]


def _repeats_lines(record: dict[str, Any]) -> list[str]:
    best = record["scores"][0]["head"]
    pairs = [pair["verdict"] for pair in record["differences"] if best in (pair["better"], pair["worse"])]
    return [f"Over {len(record['seeds'])} sets of {record['folds']} folds: {verdict}" for verdict in pairs]


def _across_lines(record: dict[str, Any]) -> list[str]:
    return [recorded_line(head, str(record["column"])) for head in record["heads"]]


def _held_out_scores(folder: Path) -> Iterator[Path]:
    """Folders with held-out scores, in the folder and beside it."""
    for path in (*folder.glob(f"*/{METRICS_FILE}"), *folder.parent.glob(f"{folder.name}_on_*/{METRICS_FILE}")):
        try:
            if "out_of_fold" in read_object(path):
                yield path.parent
        except RecordError:
            continue
