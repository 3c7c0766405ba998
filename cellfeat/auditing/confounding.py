"""Classes that coincide with a plate, a donor or a property of their files: a head may learn that instead."""

from collections.abc import Iterator

import numpy as np

from cellfeat.auditing.file_properties import ASSOCIATED, predicting_sizes, property_columns
from cellfeat.extraction.store import Samples
from cellfeat.statistics.association import cramers_v
from cellfeat.types import Strings

MOSTLY = 0.8
"""A class is confounded with a value that this share of its samples has, and at most `ELSEWHERE` of the others."""

ELSEWHERE = 0.5

LEAST_OF_CLASS = 5
"""In a class of fewer samples, a common value means little."""

GROUP = "group"

LEAST_GROUPS = 5
"""Classes of so many groups each can be told from the groups."""

LEAST_PER_VALUE = 10
"""A column with fewer samples a value is too fine to say anything about a class."""


def confounded(samples: Samples) -> Iterator[str]:
    """Describe classes that coincide with one group, column or property of the files, and what predicts the class."""
    found = [_confounded_with(name, samples, values) for name, values in property_columns(samples)]
    for name, values in _group_columns(samples).items():
        yield from _confounded_with(name, samples, values)
    for details in found:
        yield from details
    # The last property is the size: what is said of a few sizes need not be said of their ranks.
    if not found or not found[-1]:
        yield from predicting_sizes(samples)


def _group_columns(samples: Samples) -> dict[str, Strings]:
    """The groups and further columns; groups that a column holds as well, as those of fields do, are left out."""
    is_a_column = any(np.array_equal(values, samples.groups) for values in samples.columns.values())
    return {**({} if is_a_column else {GROUP: samples.groups}), **samples.columns}


def _confounded_with(name: str, samples: Samples, values: Strings) -> list[str]:
    is_known = (values != "") & samples.is_labelled
    label, value = samples.labels[is_known], values[is_known]
    # A column with a single value, or a different value for almost every sample, forms no groups.
    if not 2 <= len(np.unique(value)) <= len(value) // 2:
        return []
    tied = list(_tied_classes(name, label, value))
    return tied if _is_replicated(name, samples, label, value) else [*tied, *_association(name, label, value)]


def _is_replicated(name: str, samples: Samples, label: Strings, value: Strings) -> bool:
    """Whether each class has several groups, as treatments given by well have: then groups tell it by design.

    Folds keep groups together, so that no head sees a group of the test part. This holds for the groups alone, and not
    for other columns.
    """
    if name != GROUP or not np.array_equal(samples.columns.get(name, samples.groups), samples.groups):
        return False
    _, n_groups = np.unique(np.unique(np.stack([label, value]), axis=1)[0], return_counts=True)
    return bool(n_groups.min() >= LEAST_GROUPS)


def _tied_classes(name: str, label: Strings, value: Strings) -> Iterator[str]:
    """Describe each class whose samples mostly share a value that the other classes mostly lack."""
    for one in np.unique(label):
        of_class, of_others = value[label == one], value[label != one]
        held, counts = np.unique(of_class, return_counts=True)
        most = held[counts.argmax()]
        if len(of_class) < LEAST_OF_CLASS or not len(of_others):
            continue
        here, elsewhere = np.mean(of_class == most), np.mean(of_others == most)
        if here >= MOSTLY and elsewhere <= ELSEWHERE:
            are_one = (here, elsewhere) == (1, 0)
            danger = f"{one} and {name} cannot be told apart" if are_one else f"a head may tell {one} by {name} alone"
            yield f"{here:.0%} of {one} have {name} {most}, {elsewhere:.0%} of the others: {danger}"


def _association(name: str, label: Strings, value: Strings) -> Iterator[str]:
    """Describe a column that predicts the class: a head may learn it instead of the cells."""
    if len(value) < LEAST_PER_VALUE * len(np.unique(value)) or len(np.unique(label)) < 2:
        return
    strength = cramers_v(label, value)
    if strength >= ASSOCIATED:
        yield f"{name} predicts the class: Cramér's V {strength:.2f} (0: not at all, 1: completely)"
