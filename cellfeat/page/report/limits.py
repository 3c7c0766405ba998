"""Limits of the results, derived from the data: what a reader should know before the scores are believed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellfeat.auditing.confounding import confounded
from cellfeat.auditing.large_groups import large_groups
from cellfeat.extraction.store import Samples
from cellfeat.page.report.given_groups import GivenGroups
from cellfeat.page.report.recorded import counts_of, design_of
from cellfeat.page.results_files import ResultsFiles
from cellfeat.saved_results.audit import AuditFiles
from cellfeat.text import counted, first_ten, shorten
from cellfeat.types import Strings

FEW_GROUPS = 5
"""With fewer groups of a class, a fold may have none of it, and its interval says little."""

FEW_SAMPLES = 30
"""With fewer samples of a class, its recall is uncertain by about ten percentage points or more."""

MOST_SAMPLES = 100_000
"""Samples up to which confounding is looked for without an audit."""

MOST_LISTED = 5


def limits(found: ResultsFiles, samples: Samples, groups: GivenGroups, *, has_images: bool) -> list[str]:
    """List what limits the results.

    Parameters
    ----------
    found
        The results.
    samples
        The samples.
    groups
        The groups by which they were evaluated.
    has_images
        Whether there are images behind the samples, and not a table.
    """
    lines = [*found.notes]
    lines += _of_samples(samples, groups, found.audit)
    lines += _of_audit(found.audit, has_images=has_images and bool(len(samples)))
    if found.heads:
        lines += _of_evaluation(found, found.heads)
        lines.append("A head knows only these classes: a cell of any other kind is predicted to be one of them.")
        lines.append("Not validated for diagnosis or any other clinical use.")
    return lines


def _of_samples(samples: Samples, groups: GivenGroups, audit: AuditFiles | None) -> Iterator[str]:
    n_unlabelled, n_failed = (int(np.count_nonzero(~mask)) for mask in (samples.is_labelled, samples.is_ok))
    if n_failed:
        yield f"{counted(n_failed, 'sample')} could not be read, and none is scored."
    if n_unlabelled and n_unlabelled < len(samples):
        yield f"{counted(n_unlabelled, 'sample')} without a label: no score says how well these are predicted."
    yield from _of_groups(samples, groups)
    if audit is None:
        large = list(large_groups(_named(groups.group)))
        yield from (f"Large group: {one.sample_id}: {one.detail}." for one in _first(large))
        if len(samples) <= MOST_SAMPLES:
            yield from (f"Confounded: {detail}." for detail in _first(list(confounded(samples))))


def _of_groups(samples: Samples, groups: GivenGroups) -> Iterator[str]:
    group = groups.group
    if not len(samples):
        return
    if not groups.is_known:
        yield "No groups are known: samples of one field, plate or donor may be in both the training and the test part."
        return
    is_counted = samples.is_labelled & (group != "")
    # pandas hashes, where numpy would sort texts: for a million samples this is seconds.
    pairs = pd.DataFrame({"label": samples.labels[is_counted], "group": group[is_counted]}).drop_duplicates()
    n_groups = pairs["label"].value_counts().sort_index()
    few = [f"{shorten(str(name))} {n}" for name, n in n_groups.items() if n < FEW_GROUPS]
    if few:
        yield f"Classes with fewer than {FEW_GROUPS} groups: {first_ten(few)}: their intervals say little."


def _named(group: Strings) -> Strings:
    """Groups, with the number of the row where a sample has none."""
    return np.where(group == "", np.char.add("row ", np.arange(len(group)).astype(np.str_)), group)


def _of_audit(audit: AuditFiles | None, *, has_images: bool) -> Iterator[str]:
    if audit is None:
        what = "Near copies, confounded classes and suspicious labels" if has_images else "Confounding and labels"
        yield f"{what} were not searched for: run cellfeat audit."
        return
    told = {
        "label conflict": "copies have different labels",
        "crossing copy": "copies lie in different groups",
        "suspicious label": "labels are contradicted by a head; whether a person has checked them is not recorded",
    }
    for finding, what in told.items():
        number = audit.count(finding)
        if number:
            yield f"{number:,} {what}."
    yield from (f"Without the cells: {detail}." for detail in _first(audit.telling or audit.details("shortcut")))
    for finding, what in {"confounded": "Confounded", "rare class": "Rare class"}.items():
        yield from (f"{what}: {detail}." for detail in _first(audit.details(finding)))
    groups = [one for one in audit.findings if one.finding == "large group"]
    yield from (f"Large group: {one.sample}: {one.detail}." for one in _first(groups))


def _of_evaluation(found: ResultsFiles, heads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    first = heads[0]
    counts = counts_of(first)
    design = design_of(first)
    if design.groups == "none":
        yield "Folds are random and keep no groups or copies together: the scores are too high where samples are alike."
    if found.audit is not None and found.audit.count("near copy") and counts.near_copies_joined is False:
        yield "The audit found near copies after, or without, this evaluation: evaluate again to keep them together."
    cut = first.get("without_shared_groups")
    if cut:
        yield f"The given folds cut groups: {cut['n_shared']:,} tested samples have their group in the training part."
    n_samples = np.asarray(first["confusion_matrix"]).sum(axis=1).tolist()
    small = [f"{shorten(name)} {n}" for name, n in zip(first["classes"], n_samples, strict=True) if n < FEW_SAMPLES]
    if small:
        yield f"Classes with fewer than {FEW_SAMPLES} scored samples: {first_ten(small)}."
    if first.get("absent_classes"):
        yield f"Classes without a scored sample: {first_ten(map(shorten, first['absent_classes']))}."
    if len(heads) > 1:
        yield f"The best of {len(heads)} heads was chosen by these scores: on new samples it may score a little less."
    tuned = [str(head["head"]) for head in heads if head.get("tuning")]
    if tuned:
        yield (
            f"Settings of {first_ten(tuned)} were tuned inside the training part of each fold. Tuning again after a "
            "look at these scores makes them too high."
        )
    if found.kind in ("comparison", "head"):
        yield _held_out_sentence(found.n_held_out)


def _held_out_sentence(n_held_out: int) -> str:
    if n_held_out:
        return f"Scored on held-out samples as well: {counted(n_held_out, 'folder')} beside these results."
    return (
        "No held-out score lies beside these results: all samples come from one data set. Score a saved head on "
        "samples of another plate, day or laboratory: cellfeat score."
    )


def _first(items: Sequence[Any]) -> Sequence[Any]:
    return items[:MOST_LISTED]
