"""Classes that coincide with a plate, a donor or another property: a head may learn that property instead."""

from collections.abc import Iterator

import numpy as np

from cellfeat.extraction.store import Samples
from cellfeat.statistics.association import cramers_v
from cellfeat.types import Strings

MOSTLY = 0.8
"""A class is confounded with a value that this share of its samples has, and at most `ELSEWHERE` of the others."""

ELSEWHERE = 0.5

LEAST_OF_CLASS = 5
"""In a class of fewer samples, a common value means little."""

ASSOCIATED = 0.5
"""Cramér's V from which a column predicts the class well: J. Cohen's "large effect" (1988) for two values."""

LEAST_PER_VALUE = 10
"""A column with fewer samples a value is too fine to say anything about a class."""


def confounded(samples: Samples) -> Iterator[str]:
    """Describe classes that coincide with one group or value of a column, and columns that predict the class."""
    columns = {"group": samples.groups, **samples.columns}
    for name, values in columns.items():
        is_known = (values != "") & (samples.labels != "")
        label, value = samples.labels[is_known], values[is_known]
        # A column with a single value, or a different value for almost every sample, forms no groups.
        if not 2 <= len(np.unique(value)) <= len(value) // 2:
            continue
        yield from _tied_classes(name, label, value)
        yield from _association(name, label, value)


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
            how = "cannot" if (here, elsewhere) == (1, 0) else "can hardly"
            yield f"{here:.0%} of {one} have {name} {most}, {elsewhere:.0%} of the others: they {how} be separated"


def _association(name: str, label: Strings, value: Strings) -> Iterator[str]:
    """Describe a column that predicts the class: a head may learn it instead of the cells."""
    if len(value) < LEAST_PER_VALUE * len(np.unique(value)) or len(np.unique(label)) < 2:
        return
    strength = cramers_v(label, value)
    if strength >= ASSOCIATED:
        yield f"{name} predicts the class: Cramér's V {strength:.2f} (0: not at all, 1: completely)"
