"""The files of an audit, read again: findings, groups, and the price of the leak."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellfeat.auditing.leak import Leak
from cellfeat.errors import RecordError
from cellfeat.near_copies.placement import Placement
from cellfeat.saved_results.files import AUDIT_FILES, LEAK_FILE, PROBES_FILE
from cellfeat.text import first_line


@dataclass(frozen=True)
class FoundThing:
    """A finding, as ``audit.csv`` has it.

    Attributes
    ----------
    sample, finding, partner, detail
        The columns: ids are those of the file, where a spreadsheet would run none.
    placement
        Where the sample lies on its partner; None where the file does not say.
    """

    sample: str
    finding: str
    partner: str
    detail: str
    placement: Placement | None


@dataclass(frozen=True)
class AuditFiles:
    """An audit, read from its folder.

    Attributes
    ----------
    folder
        The folder.
    findings
        In the order of the file.
    group
        Group of each sample, by id.
    leaks
        The price of the leak by head; empty for audits of earlier versions, and where it could not be measured.
    telling
        What tells the class without the cells, in sentences: the findings called shortcut, and intensities, by which
        cells may differ.
    """

    folder: Path
    findings: tuple[FoundThing, ...]
    group: Mapping[str, str] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()
    telling: tuple[str, ...] = ()

    def count(self, finding: str) -> int:
        """Number of findings of one kind."""
        return sum(one.finding == finding for one in self.findings)

    def details(self, finding: str) -> list[str]:
        """Details of the findings of one kind."""
        return [one.detail for one in self.findings if one.finding == finding]


def read_audit(folder: Path) -> AuditFiles:
    """Read the files of an audit.

    Parameters
    ----------
    folder
        The folder that ``cellfeat audit`` wrote.

    Raises
    ------
    RecordError
        If a file is damaged or lacks a column.
    """
    findings, groups = (folder / name for name in AUDIT_FILES)
    rows = _rows(findings, ("sample", "finding", "partner", "detail"))
    found = tuple(
        FoundThing(
            row["sample"], row["finding"], row["partner"], row["detail"], Placement.parse(row.get("overlap", ""))
        )
        for row in rows
    )
    by_id = (
        {row["sample_id"]: row["group"] for row in _rows(groups, ("sample_id", "group"))} if groups.is_file() else {}
    )
    leaks, probes = folder / LEAK_FILE, folder / PROBES_FILE
    telling = (
        tuple(row["detail"] for row in _rows(probes, ("tells_class", "detail")) if row["tells_class"] == "yes")
        if probes.is_file()
        else ()
    )
    return AuditFiles(folder, found, by_id, tuple(_leaks(leaks)) if leaks.is_file() else (), telling)


def _rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # None stands for cells that a row lacks, and for cells beyond the headings.
            reader = csv.DictReader(file)
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
            headings = reader.fieldnames or ()
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read ({first_line(error)}); audit again") from None
    missing = [name for name in needed if name not in headings]
    if missing:
        raise RecordError(f"{path}: has no column {missing[0]!r}; expected a table that cellfeat audit wrote")
    return rows


def _leaks(path: Path) -> list[Leak]:
    rows = _rows(path, ("head", "set_of_folds", "folds_keep_together", "balanced_accuracy"))
    by_head: dict[str, dict[str, dict[str, float]]] = {}
    # Audits of earlier versions leave out no class, and have no column for them.
    names = next((row["left_out"] for row in rows if row.get("left_out")), "[]")
    try:
        left_out = tuple(map(str, json.loads(names)))
        for row in rows:
            sets = by_head.setdefault(row["head"], {})
            sets.setdefault(row["set_of_folds"], {})[row["folds_keep_together"]] = float(row["balanced_accuracy"])
    except (ValueError, TypeError) as error:
        raise RecordError(f"{path}: {error}; audit again") from None
    return [replace(_leak(head, list(sets.values()), path), left_out=left_out) for head, sets in by_head.items()]


def _leak(head: str, sets: list[dict[str, float]], path: Path) -> Leak:
    arms = tuple(sets[0])
    if any(tuple(one) != arms for one in sets):
        raise RecordError(f"{path}: sets of folds of {head} differ in what they keep together; audit again")
    return Leak(head, tuple(tuple(one.values()) for one in sets), arms)
