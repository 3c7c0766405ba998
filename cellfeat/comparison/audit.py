"""What would make scores on a data set untrue: copies, conflicts, bad channels, confounding, odd labels."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.comparison.cache import FoldCache
from cellfeat.comparison.compare import compare
from cellfeat.comparison.csv_table import harmless_cell
from cellfeat.comparison.look import BadChannel, Pair, look_at, near_copies
from cellfeat.comparison.result import PROBABILITY_PREFIX, Comparison
from cellfeat.comparison.splits import GROUP_COLUMNS, join_groups
from cellfeat.errors import SplitError
from cellfeat.extraction.store import Features
from cellfeat.provenance import publish
from cellfeat.samples.overlap import Overlap

Strings = NDArray[np.str_]

SURE, IMPOSSIBLE = 0.9, 0.01
"""A label is suspicious where a head that never saw the sample gives another class at least 0.9 and this one 0.01."""

RARE = 0.1
"""A class with fewer samples than this share of the largest one is rare."""

LEAK_HEADS = ("logreg", "knn")


@dataclass(frozen=True)
class Finding:
    """One thing that a person should look at.

    Attributes
    ----------
    sample_id
        The sample; ``""`` where the finding is about a class.
    finding
        ``copy``, ``near copy``, ``label conflict``, ``constant channel``, ``saturated channel``, ``confounded``,
        ``suspicious label`` or ``rare class``.
    partner
        The other sample of a pair; ``""`` where there is none.
    detail
        What was measured.
    """

    sample_id: str
    finding: str
    partner: str
    detail: str


@dataclass(frozen=True)
class Leak:
    """What one head scores when copies may straddle folds, and when they may not.

    Attributes
    ----------
    head
        Its name.
    random, copies, near_copies
        Balanced accuracy on random folds; with exact copies, and the manifest's groups, kept together; with near copies
        kept together as well.
    """

    head: str
    random: float
    copies: float
    near_copies: float

    @property
    def claimed(self) -> float:
        """By how much random folds would have claimed too much."""
        return self.random - self.near_copies


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes
    ----------
    sample_id
        Shape ``(n_samples,)``.
    group
        Name of each sample's group, shape ``(n_samples,)``: copies, near copies and the manifest's groups joined, named
        after their first sample.
    findings
        Kind by kind.
    leaks
        What random folds would have claimed, head by head; none where the samples cannot be split into folds.
    """

    sample_id: Strings
    group: Strings
    findings: tuple[Finding, ...]
    leaks: tuple[Leak, ...]

    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        return dict(Counter(finding.finding for finding in self.findings))


def audit(
    features: Features,
    *,
    images: Path | None = None,
    folds: int = 5,
    random_state: int = 0,
    cache: FoldCache | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Audit:
    """Look for what would make scores on this data set untrue.

    Parameters
    ----------
    features
        Embeddings, labels and groups.
    images
        Folder of the images that the features were made from; None leaves out what needs pixels: near copies, constant
        and saturated channels.
    folds, random_state, cache
        As for `compare`.
    say
        Told what is being done.

    Raises
    ------
    FingerprintError
        If the images are not those that the features were made from.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    copies = _copies(features)
    near: dict[Pair, Overlap] = {}
    bad_channels: list[BadChannel] = []
    if images is not None:
        say(f"reading the images in {images}")
        look = look_at(features, images)
        say("comparing look-alikes pixel by pixel")
        near, bad_channels = near_copies(features, look, copies), look.bad_channels
    grouped = replace(features, group=_group_names(features, near))
    say(f"evaluating {' and '.join(LEAK_HEADS)} on random folds, with copies kept together, and with near copies too")
    options: dict[str, Any] = {"folds": folds, "random_state": random_state, "cache": cache}
    try:
        runs = [
            _completed(compare(data, heads=LEAK_HEADS, groups=groups, draws=100, **options))
            for data, groups in ((features, "none"), (features, "auto"), (grouped, "auto"))
        ]
    except SplitError as error:
        say(f"no scores: {error}")
        runs = []
    findings = chain(
        (_pair_finding(features, "copy", pair, "the same pixels") for pair in copies),
        (_pair_finding(features, "near copy", pair, _how_near(overlap)) for pair, overlap in near.items()),
        _conflicts(features, [*copies, *near]),
        (Finding(str(features.sample_id[bad.row]), bad.finding, "", bad.detail) for bad in bad_channels),
        _confounded(features),
        _suspicious(runs[-1]) if runs else (),
        _rare(features.label),
    )
    return Audit(features.sample_id, grouped.group, tuple(findings), tuple(_leaks(runs)))


def write_audit(found: Audit, folder: Path) -> list[Path]:
    """Write ``audit.csv``, a finding a row, and ``groups.csv``, which ``--groups`` of `compare` and `fit` takes.

    Returns
    -------
    list of Path
        The files written.
    """
    findings, groups = folder / "audit.csv", folder / "groups.csv"
    rows = [(f.sample_id, f.finding, f.partner, f.detail) for f in found.findings]
    _write_csv(findings, [("sample", "finding", "partner", "detail"), *(map(harmless_cell, row) for row in rows)])
    # As they stand: the file is read again, and an apostrophe would make another id.
    _write_csv(groups, [GROUP_COLUMNS, *zip(found.sample_id.tolist(), found.group.tolist(), strict=True)])
    return [findings, groups]


def _write_csv(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with publish(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _completed(run: Comparison) -> Comparison:
    # A comparison keeps what it has on Ctrl-C; an audit of half of the heads would pass for a whole one.
    if not run.is_complete:
        raise KeyboardInterrupt
    return run


def _copies(features: Features) -> list[Pair]:
    """Pairs (first sample, later sample) of equal pixels."""
    digests, first, inverse = np.unique(features.pixel_digest, return_index=True, return_inverse=True)
    originals = first[inverse]
    is_later = (digests[inverse] != "") & (originals != np.arange(len(features)))
    return [(int(originals[row]), int(row)) for row in np.flatnonzero(is_later)]


def _group_names(features: Features, near: Iterable[Pair]) -> Strings:
    """Name the joined groups after their first samples."""
    numbers = join_groups([features.pixel_digest, features.group], near)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return features.sample_id[first[inverse]]


def _pair_finding(features: Features, finding: str, pair: Pair, detail: str) -> Finding:
    first, later = pair
    return Finding(str(features.sample_id[later]), finding, str(features.sample_id[first]), detail)


def _how_near(overlap: Overlap) -> str:
    shift = f"{abs(overlap.rows)} rows and {abs(overlap.columns)} columns"
    return f"correlation {overlap.correlation:.3f} when shifted by {shift}"


def _conflicts(features: Features, pairs: Sequence[Pair]) -> Iterator[Finding]:
    for first, later in pairs:
        labels = features.label[first], features.label[later]
        if "" not in labels and labels[0] != labels[1]:
            yield _pair_finding(features, "label conflict", (first, later), f"{labels[1]} here, {labels[0]} there")


def _confounded(features: Features) -> Iterator[Finding]:
    """Name classes that occur in a single group, or value of a column: what is learnt may be the group's look."""
    columns = {"group": features.group, **features.columns}
    for name, values in columns.items():
        is_known = (values != "") & (features.label != "")
        label, value = features.label[is_known], values[is_known]
        # A column of one value, or of another for almost every sample, groups nothing.
        if not 2 <= len(np.unique(value)) <= len(value) // 2:
            continue
        for one in np.unique(label):
            held = np.unique(value[label == one])
            if len(held) == 1:
                yield Finding("", "confounded", "", f"all of {one} have {name} {held[0]}: the two cannot be told apart")


def _suspicious(run: Comparison) -> Iterator[Finding]:
    """Labels that a head which never saw the sample is sure are wrong, the surest first."""
    table = next(result.predictions for result in run.results if result.head == LEAK_HEADS[0])
    probabilities = table[[f"{PROBABILITY_PREFIX}{name}" for name in run.classes]].to_numpy()
    given = probabilities[np.arange(len(table)), np.searchsorted(run.classes, table["label"])]
    highest = probabilities.max(axis=1)
    for row in np.argsort(-highest, kind="stable"):
        if highest[row] >= SURE and given[row] <= IMPOSSIBLE:
            sample_id, label, predicted = (str(table[name].iloc[row]) for name in ("sample_id", "label", "predicted"))
            detail = f"labelled {label} ({given[row]:.3f}), looks like {predicted} ({highest[row]:.3f})"
            yield Finding(sample_id, "suspicious label", "", detail)


def _rare(label: Strings) -> Iterator[Finding]:
    classes, counts = np.unique(label[label != ""], return_counts=True)
    for name, count in zip(classes, counts, strict=True):
        if count < RARE * counts.max():
            yield Finding("", "rare class", "", f"{name}: {count} samples, the largest class has {counts.max()}")


def _leaks(runs: Sequence[Comparison]) -> Iterator[Leak]:
    scores = [{result.head: result.balanced_accuracy for result in run.results} for run in runs]
    for head in LEAK_HEADS:
        if scores and all(head in by_head for by_head in scores):
            yield Leak(head, *(by_head[head] for by_head in scores))
