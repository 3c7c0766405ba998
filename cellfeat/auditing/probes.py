"""Shortcut probes: what tells the class that should not.

A small head is given something other than the cells, such as properties of the files or the background at the border of
the pictures. It is scored on the folds on which `compare` scores heads. Where its score is above chance, a head could
find the class there as well, and a high score of it says little about the cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from cellfeat.auditing.probe_columns import (
    Columns,
    border_columns,
    file_columns,
    intensity_columns,
    name_columns,
    position_columns,
)
from cellfeat.auditing.probe_results import Probe, Probes, ProbeScore
from cellfeat.errors import SplitError
from cellfeat.evaluation.cross_validation.out_of_fold import OutOfFold
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.folds.grouped_folds import grouped_folds
from cellfeat.evaluation.groups.sample_groups import join_groups
from cellfeat.extraction.store import Samples
from cellfeat.near_copies.pictures import SamplePictures
from cellfeat.statistics.interval_types import LEVEL, Interval
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy, encode
from cellfeat.types import Floats, Integers, Strings

NOMINAL_LEVEL = 0.98
"""Level of the probes' intervals together.

One forest predicts a whole fold, so that its errors are dependent, which an interval over samples does not know: with
labels drawn at random, scores scatter 1.16 times as much as the intervals say (250 sets of 80 samples).
"""

N_TREES = 40
SAMPLES_PER_TREE = 2000
"""Training samples of each tree, at most: more take longer, and tell no more about so few columns."""
SAMPLES_PER_LEAF = 3


@dataclass(frozen=True)
class Split:
    """Labelled samples and their folds, as `cellfeat.evaluation.task.task.prepare` makes them.

    Attributes
    ----------
    rows
        Row numbers of the samples, shape ``(n_samples,)``.
    y
        Their labels, shape ``(n_samples,)``.
    classes
        All classes, sorted.
    folds
        One split a fold.
    bootstrap
        Gives intervals.
    random_state
        Seed of the probes.
    """

    rows: Integers
    y: Strings
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    bootstrap: GroupBootstrap
    random_state: int

    def score(self, predicted: Strings, level: float) -> tuple[float, Interval]:
        """Score predicted classes.

        Parameters
        ----------
        predicted
            Shape ``(n_samples,)``.
        level
            Confidence level of the interval.
        """
        interval = self.bootstrap.interval(predicted, level=level)
        return balanced_accuracy(self.y, predicted, self.classes), interval


def split_samples(samples: Samples, design: Design) -> Split:
    """Split the labelled samples into folds; their groups and copies are kept together.

    Parameters
    ----------
    samples
        All samples, with the groups that an audit found.
    design
        Folds, seed, bootstrap draws, and classes to leave out.

    Raises
    ------
    SplitError
        If the samples cannot be split into folds.
    """
    rows = np.flatnonzero(samples.is_ok & samples.is_labelled & ~np.isin(samples.labels, design.leave_out))
    if not rows.size:
        n_labelled = int(np.count_nonzero(samples.is_labelled))
        raise SplitError(f"no sample that could be read has a label: {n_labelled} of {len(samples)} have one")
    y, numbers = samples.labels[rows], join_groups([samples.digests, samples.groups])[rows]
    seed = design.random_state
    folds = tuple(grouped_folds(y, numbers, design.n_folds, random_state=seed))
    classes = tuple(np.unique(y).tolist())
    bootstrap = GroupBootstrap(y, numbers, classes, n_draws=design.draws, random_state=seed)
    return Split(rows, y, classes, folds, bootstrap, seed)


class _Seen(NamedTuple):
    """What a probe sees, and what it means if that tells the class; `missing` says why it sees nothing."""

    columns: Columns
    meaning: str
    missing: str = ""
    is_shortcut: bool = True


def probe_shortcuts(
    samples: Samples, split: Split, pictures: SamplePictures | None, head: OutOfFold | None = None
) -> Probes:
    """Score each probe on the folds of a head.

    Parameters
    ----------
    samples
        All samples.
    split
        The labelled samples and their folds.
    pictures
        Pictures of the samples; None where the images were not read.
    head
        Predictions of a head for the samples of the split; None where there are none.
    """
    seen, left_out = _sort_out(_seen_in_files(samples, split.rows, pictures) | _seen_in_pixels(split.rows, pictures))
    level = 1 - (1 - NOMINAL_LEVEL) / max(len(seen), 1)
    return Probes(
        scores=tuple(_scored(name, one, split, level) for name, one in seen.items()),
        left_out=left_out,
        chance=1 / len(split.classes),
        level=level,
        head=_head_score(head, split) if head else None,
    )


def _seen_in_files(samples: Samples, rows: Integers, pictures: SamplePictures | None) -> dict[str, _Seen]:
    return {
        "file properties": _Seen(
            file_columns(samples, pictures, rows),
            "save the files of all classes in one way; pictures cut to the size of their cells tell that size",
            "not recorded for these samples",
        ),
        "names and order": _Seen(
            name_columns(samples, rows),
            "harmless if that part of the names stands for the class; otherwise samples that follow each other share a "
            "plate, day or field and the class: make it their group (labels.group), or image the classes in turn",
            "the names hold nothing but the class and numbers within it",
        ),
        "position": _Seen(
            position_columns(samples, rows),
            "light and focus change with the place, and a head may have learned that",
            "no column of the labels table is one, such as x, y, row, column or well",
        ),
    }


def _seen_in_pixels(rows: Integers, pictures: SamplePictures | None) -> dict[str, _Seen]:
    if pictures is None:
        unread = _Seen({}, "", "the images were not read")
        return {"border": unread, "intensity statistics": unread}
    border, is_background = border_columns(pictures, rows)
    return {
        "border": _Seen(
            border,
            "no cell is there: compare background and illumination of the classes"
            if is_background
            else "cells reach the border, so that this may be the cells: look at pictures of each class",
            is_shortcut=is_background,
        ),
        "intensity statistics": _Seen(
            intensity_columns(pictures, rows),
            "the cells may differ so, but so may staining, exposure and camera: make sure that these were equal",
            is_shortcut=False,
        ),
    }


def _sort_out(everything: Mapping[str, _Seen]) -> tuple[dict[str, _Seen], dict[str, str]]:
    """Separate what varies between samples from what cannot tell anything."""
    seen, left_out = {}, {}
    for name, one in everything.items():
        varying = _ranked(one.columns)
        if varying:
            seen[name] = one._replace(columns=varying)
        else:
            left_out[name] = "equal in all samples" if one.columns else one.missing
    return seen, left_out


def _ranked(columns: Columns) -> Columns:
    """Columns by rank, which trees see alike and which holds no infinity; without columns that do not vary."""
    ranks = {
        source: np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], axis=1)
        for source, values in columns.items()
    }
    varying = {source: values[:, values.any(axis=0)].astype(np.float32) for source, values in ranks.items()}
    return {source: values for source, values in varying.items() if values.shape[1]}


def _scored(name: str, seen: _Seen, split: Split, level: float) -> Probe:
    predicted, importances = _predicted(np.concatenate(list(seen.columns.values()), axis=1), split)
    of_column = np.repeat(np.arange(len(seen.columns)), [values.shape[1] for values in seen.columns.values()])
    of_source = np.bincount(of_column, importances)
    score, interval = split.score(predicted, level)
    return Probe(name, score, interval, list(seen.columns)[of_source.argmax()], seen.is_shortcut, seen.meaning)


def _predicted(X: Floats, split: Split) -> tuple[Strings, Floats]:
    """Out-of-fold classes, and how much each column of `X` contributes to them."""
    codes, importances = encode(split.y, split.classes), np.zeros(X.shape[1])
    predicted = np.empty_like(codes)
    for fold in split.folds:
        head = RandomForestClassifier(
            N_TREES,
            min_samples_leaf=SAMPLES_PER_LEAF,
            max_samples=min(SAMPLES_PER_TREE, len(fold.train)),
            # Not in threads: scikit-learn changes the process's filters of warnings in each, and loses them.
            n_jobs=1,
            random_state=split.random_state,
        ).fit(X[fold.train], codes[fold.train], sample_weight=1 / np.bincount(codes[fold.train])[codes[fold.train]])
        predicted[fold.test] = head.predict(X[fold.test])
        importances += head.feature_importances_
    return np.array(split.classes)[predicted], importances


def _head_score(head: OutOfFold, split: Split) -> ProbeScore:
    predicted = np.array(split.classes)[head.probabilities.argmax(axis=1)]
    return ProbeScore(head.head, *split.score(predicted, LEVEL))
