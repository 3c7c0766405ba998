"""Labels that need a second look: conflicts between copies, labels that a head contradicts, rare classes."""

from collections.abc import Iterator, Mapping

import numpy as np

from cellfeat.auditing.findings import Finding
from cellfeat.evaluation.task.task import Task
from cellfeat.extraction.store import Samples
from cellfeat.near_copies.overlap import Pair
from cellfeat.near_copies.placement import Placement
from cellfeat.types import Floats, Strings

SURE, IMPOSSIBLE = 0.9, 0.01
"""A label is suspicious where a head that never saw the sample gives another class at least 0.9 and this one 0.01."""

RARE = 0.1
"""A class with fewer samples than this share of the largest class is rare."""


def pair_finding(
    samples: Samples, finding: str, pair: Pair, detail: str, placement: Placement | None = None
) -> Finding:
    """Make a finding about two samples.

    Parameters
    ----------
    samples
        All samples.
    finding
        The kind.
    pair
        Rows of the first and the later sample; the finding is about the later one.
    detail
        What was measured.
    placement
        Where the later sample lies on the first; None where that is not known.
    """
    first, later = pair
    return Finding(str(samples.ids[later]), finding, str(samples.ids[first]), detail, placement)


def label_conflicts(samples: Samples, pairs: Mapping[Pair, Placement | None]) -> Iterator[Finding]:
    """Find pairs of copies or near copies with different labels.

    Parameters
    ----------
    samples
        All samples.
    pairs
        Where the later one lies on the first, by the rows of the copies and near copies.
    """
    for (first, later), placement in pairs.items():
        labels = samples.labels[first], samples.labels[later]
        if "" not in labels and labels[0] != labels[1]:
            # "Here" and "there" would be wrong on a page that shows the other one first.
            detail = f"{samples.ids[later]} is labelled {labels[1]}, {samples.ids[first]} {labels[0]}"
            yield pair_finding(samples, "label conflict", (first, later), detail, placement)


def suspicious_labels(task: Task, probabilities: Floats) -> Iterator[Finding]:
    """Find labels that a head which never saw the sample contradicts with confidence, the most confident first.

    Parameters
    ----------
    task
        Samples and folds.
    probabilities
        Calibrated out-of-fold probabilities, shape ``(n_samples, n_classes)``.
    """
    # The classes of a task are sorted, so `searchsorted` gives the column of each label.
    given = probabilities[np.arange(len(task.y)), np.searchsorted(task.classes, task.y)]
    highest, column = probabilities.max(axis=1), probabilities.argmax(axis=1)
    for row in np.argsort(-highest, kind="stable"):
        if highest[row] >= SURE and given[row] <= IMPOSSIBLE:
            predicted = task.classes[column[row]]
            detail = f"labelled {task.y[row]} ({given[row]:.3f}), looks like {predicted} ({highest[row]:.3f})"
            yield Finding(str(task.sample_id[row]), "suspicious label", "", detail)


def rare_classes(labels: Strings) -> Iterator[Finding]:
    """Find classes with far fewer samples than the largest one, from labels of shape ``(n_samples,)``."""
    classes, counts = np.unique(labels[labels != ""], return_counts=True)
    for name, count in zip(classes, counts, strict=True):
        if count < RARE * counts.max():
            yield Finding("", "rare class", "", f"{name}: {count} samples, the largest class has {counts.max()}")
