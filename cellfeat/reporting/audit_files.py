"""The files of an audit. Each appears whole."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from cellfeat.auditing.findings import Audit
from cellfeat.auditing.leak import Leak
from cellfeat.auditing.probe_results import Probe, Probes
from cellfeat.evaluation.groups.table import GROUP_COLUMNS
from cellfeat.provenance import publish
from cellfeat.saved_results.files import AUDIT_FILES, LEAK_FILE, PROBES_FILE
from cellfeat.text import harmless_cell

FINDING_COLUMNS = ("sample", "finding", "partner", "detail", "overlap")
LEAK_COLUMNS = ("head", "set_of_folds", "folds_keep_together", "balanced_accuracy", "left_out")
PROBE_COLUMNS = ("seen", "balanced_accuracy", "low", "high", "chance", "tells_class", "detail")


def write_audit(found: Audit, folder: Path) -> list[Path]:
    """Write the files of an audit.

    ``audit.csv`` holds a finding a row, ``groups.csv`` the groups that ``--groups`` of `compare` and `fit` takes,
    ``probes.csv`` the score of each shortcut probe, and ``leak.csv`` the score on each kind of folds.

    Parameters
    ----------
    found
        The audit.
    folder
        Folder of the findings.

    Returns
    -------
    list of Path
        The files written.
    """
    findings, groups = (folder / name for name in AUDIT_FILES)
    rows = [(f.sample_id, f.finding, f.partner, f.detail, str(f.placement or "")) for f in found.findings]
    _write_csv(findings, [FINDING_COLUMNS, *(map(harmless_cell, row) for row in rows)])
    # Ids stay as they are: this file is read again, and an apostrophe would make another id.
    _write_csv(groups, [GROUP_COLUMNS, *zip(found.sample_id.tolist(), found.group.tolist(), strict=True)])
    probes = folder / PROBES_FILE
    _write_csv(probes, [PROBE_COLUMNS, *_probe_rows(found.probes)] if found.probes else [PROBE_COLUMNS])
    leaks = folder / LEAK_FILE
    _write_csv(leaks, [LEAK_COLUMNS, *_leak_rows(found.leaks)])
    return [findings, groups, probes, leaks]


def _leak_rows(leaks: Iterable[Leak]) -> Iterator[tuple[str, ...]]:
    """A row for each head, set of folds and kind of folds."""
    for leak in leaks:
        left_out = json.dumps(leak.left_out, ensure_ascii=False) if leak.left_out else ""
        for number, scores in enumerate(leak.scores, start=1):
            for kept, score in zip(leak.arms, scores, strict=True):
                yield leak.head, str(number), kept, f"{score:.6f}", left_out


def _probe_rows(probes: Probes) -> Iterator[tuple[str, ...]]:
    """A row for each probe, tried or not, and one for the head."""
    chance = f"{probes.chance:.6f}"
    for score in (*probes.scores, *((probes.head,) if probes.head else ())):
        numbers = (f"{number:.6f}" for number in (score.balanced_accuracy, *score.interval))
        is_telling = score in probes.telling
        tells = ("yes" if is_telling else "no") if isinstance(score, Probe) else ""
        detail = probes.sentence(score) if isinstance(score, Probe) and is_telling else ""
        yield (score.name, *numbers, chance, tells, harmless_cell(detail))
    for name, why in probes.left_out.items():
        yield (name, "", "", "", chance, "", why)


def _write_csv(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with publish(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
