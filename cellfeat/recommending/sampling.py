"""Which samples recipes are compared on: labelled ones, of all classes and of many groups."""

import numpy as np

from cellfeat.config import Settings
from cellfeat.errors import ManifestError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.groups.sample_groups import group_keys, join_groups
from cellfeat.evaluation.task.selection import Selection
from cellfeat.extraction.store import Features, Samples, Status
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.types import Integers, Strings

LEAST_PER_CLASS = 40
"""Samples of each class that are taken even where the class is rare, as far as there are so many."""


def labelled_rows(manifest: Manifest, settings: Settings, design: Design) -> Integers:
    """Find the samples that may be used: labelled, of the parts of a split and the classes that `compare` uses.

    Parameters
    ----------
    manifest
        All samples.
    settings, design
        The settings, and how heads are evaluated.

    Raises
    ------
    ManifestError
        If no sample has a label.
    SplitError, UnknownNameError
        As for `cellfeat.compare`.
    """
    samples = samples_of(manifest, {})
    if not (samples.labels != "").any():
        raise ManifestError(
            f"{manifest.root}: no sample has a label, and recommend compares recipes by how well classes are told "
            "apart: name a table of labels (--labels CSV, --set labels.label=COLUMN), or label a part of the samples "
            "first; a hundred of each class are enough"
        )
    chosen = Selection.of(features_of(samples, settings), design, samples.labels)
    return np.flatnonzero((samples.labels != "") & chosen.is_allowed)


def choose_rows(manifest: Manifest, rows: Integers, n_wanted: int, groups: str, seed: int) -> Integers:
    """Choose samples of all classes, of as many groups as possible.

    Parameters
    ----------
    manifest
        All samples.
    rows
        Rows that may be chosen, shape ``(n_allowed,)``.
    n_wanted
        How many to choose; classes share them by their sizes, but rare ones get `LEAST_PER_CLASS`.
    groups
        As ``comparison.groups``.
    seed
        Seed of the random order.

    Returns
    -------
    ndarray of shape (n,)
        In an order in which every beginning is spread over classes and groups.
    """
    samples = samples_of(manifest, {})
    keys = group_keys(samples, groups, manifest.root)
    group, label = join_groups(keys)[rows], samples.labels[rows]
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    # The first sample of each group, then the second of each, and so on.
    turn = _turns(group[order])
    by_turn = order[np.argsort(turn, kind="stable")]
    place = np.empty(len(rows))
    for name in np.unique(label):
        members = by_turn[label[by_turn] == name]
        share = n_wanted * len(members) / len(rows)
        n_taken = min(len(members), max(round(share), min(LEAST_PER_CLASS, n_wanted)))
        # Evenly spaced in [0, 1), and behind all others where it is not taken.
        place[members] = np.where(np.arange(len(members)) < n_taken, np.arange(len(members)) / max(1, n_taken), np.inf)
    first = np.argsort(place, kind="stable")
    return rows[first[np.isfinite(place[first])]]


def _turns(values: Integers) -> Integers:
    """How many equal values stand before each."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    turns = np.empty(len(values), np.intp)
    turns[order] = np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))
    return turns


def samples_of(manifest: Manifest, digests: dict[int, str]) -> Samples:
    """Give the samples of a manifest as the rules of groups take them.

    Parameters
    ----------
    manifest
        The samples.
    digests
        Digest of the pixels by row; copies among the others are unknown.
    """

    def text(name: str) -> Strings:
        return manifest.table[name].to_numpy(dtype=str)

    return Samples(
        ids=text("sample_id"),
        labels=text("label"),
        groups=text("group"),
        status=np.full(len(manifest), Status.OK, np.uint8),
        digests=np.array([digests.get(row, "") for row in range(len(manifest))], dtype=str),
        columns={name: text(name) for name in manifest.columns},
        regions=manifest.regions,
    )


def features_of(samples: Samples, settings: Settings) -> Features:
    """Give samples as features without embeddings, which is what the rules of `compare` ask for.

    Parameters
    ----------
    samples, settings
        The samples, and the settings that found them.
    """
    provenance = {"settings": settings.record()}
    empty = np.zeros((len(samples), 1, 0), np.float32)
    return Features(settings.extraction.output, samples, empty, "", {}, provenance)
