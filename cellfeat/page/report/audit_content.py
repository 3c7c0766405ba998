"""What an audit found, by rows of the page: pairs, suspicious labels, and everything else."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cellfeat.extraction.store import Samples
from cellfeat.saved_results.audit import AuditFiles, FoundThing
from cellfeat.text import clean_text, harmless_cell

PAIRS = ("copy", "near copy", "crossing copy", "look-alike", "label conflict", "overlapping crop")
"""Findings about two samples."""

SUSPICIOUS = "suspicious label"
UNREADABLE = "unreadable"

_SUSPICION = re.compile(r"labelled (.*) \((\d\.\d+)\), looks like (.*) \((\d\.\d+)\)", re.DOTALL)

_LEAK_HEAD = "logreg"
"""The head whose predictions an audit compares with the labels."""


def audit_entry(found: AuditFiles | None, samples: Samples) -> dict[str, Any] | None:
    """Make the audit of the page's JSON.

    Parameters
    ----------
    found
        The audit; None without.
    samples
        The samples of the page.

    Returns
    -------
    dict or None
        None where there is no audit and every sample could be read.
    """
    quarantined = [
        {"id": str(samples.ids[row]), "reason": clean_text(why)} for row, why in sorted(samples.failures.items())
    ]
    if found is None:
        return {"pairs": [], "suspects": [], "quarantined": quarantined, "findings": []} if quarantined else None
    # The file holds ids as a spreadsheet takes them.
    row_of = {harmless_cell(name): row for row, name in enumerate(samples.ids.tolist())}
    known = {one["id"] for one in quarantined}
    return {
        "pairs": list(_pairs(found.findings, row_of)),
        "suspects": [_suspect(one, row_of) for one in _of(found, SUSPICIOUS) if one.sample in row_of],
        "quarantined": quarantined
        + [{"id": one.sample, "reason": one.detail} for one in _of(found, UNREADABLE) if one.sample not in known],
        "findings": [_other(one, row_of) for one in found.findings if _is_other(one, row_of)],
    }


def _of(found: AuditFiles, finding: str) -> Iterable[FoundThing]:
    return (one for one in found.findings if one.finding == finding)


def _pairs(findings: Iterable[FoundThing], row_of: Mapping[str, int]) -> Iterable[dict[str, Any]]:
    for one in findings:
        if one.finding not in PAIRS or not {one.sample, one.partner} <= row_of.keys():
            continue
        placed = one.placement
        yield {
            # The placement is that of the sample on its partner.
            "a": row_of[one.partner],
            "b": row_of[one.sample],
            "finding": one.finding,
            "detail": one.detail,
            "overlap": None if placed is None else {
                "dx": placed.dx,
                "dy": placed.dy,
                "quarters": placed.quarters,
                "mirrored": placed.mirrored,
                "width": placed.width,
                "height": placed.height,
            },
        }  # fmt: skip


def _suspect(one: FoundThing, row_of: Mapping[str, int]) -> dict[str, Any]:
    found = _SUSPICION.fullmatch(one.detail)
    label, _, predicted, confidence = found.groups() if found else ("", "", "", "")
    return {
        "row": row_of[one.sample],
        "label": label,
        "predicted": predicted,
        "confidence": float(confidence) if confidence else None,
        "head": _LEAK_HEAD,
        "detail": one.detail,
    }


def _is_other(one: FoundThing, row_of: Mapping[str, int]) -> bool:
    if one.finding == UNREADABLE:
        return False
    if one.finding == SUSPICIOUS:
        return one.sample not in row_of
    return one.finding not in PAIRS or not {one.sample, one.partner} <= row_of.keys()


def _other(one: FoundThing, row_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "finding": one.finding,
        "sample": one.sample,
        "row": row_of.get(one.sample),
        "partner": one.partner,
        "detail": one.detail,
    }
