"""Classes that go with a plate, a donor or another property of the samples: what is learnt may be that one's look."""

from collections.abc import Iterator

import numpy as np

from cellfeat.extraction.store import Samples
from cellfeat.statistics.association import cramers_v
from cellfeat.types import Strings

MOSTLY = 0.8
"""A class is confounded with a value that this share of its samples has, and at most `ELSEWHERE` of the others."""

ELSEWHERE = 0.5

LEAST_OF_CLASS = 5
"""Of a class of fewer samples it means little that they have the same value."""

ASSOCIATED = 0.5
"""From this Cramér's V on a column tells much of the class: J. Cohen's "large effect" (1988) for two values."""

LEAST_PER_VALUE = 10
"""A column of fewer samples a value is too fine to say anything of a class."""


def confounded(samples: Samples) -> Iterator[str]:
    """Name classes that go with one group, or value of a column, and columns that tell the class by themselves."""
    columns = {"group": samples.groups, **samples.columns}
    for name, values in columns.items():
        is_known = (values != "") & (samples.labels != "")
        label, value = samples.labels[is_known], values[is_known]
        # A column of one value, or of another for almost every sample, groups nothing.
        if not 2 <= len(np.unique(value)) <= len(value) // 2:
            continue
        yield from _tied_classes(name, label, value)
        yield from _association(name, label, value)


def _tied_classes(name: str, label: Strings, value: Strings) -> Iterator[str]:
    """Name each class whose samples have one value, all of them or most, where the others mostly have not."""
    for one in np.unique(label):
        of_class, of_others = value[label == one], value[label != one]
        held, counts = np.unique(of_class, return_counts=True)
        most = held[counts.argmax()]
        if len(of_class) < LEAST_OF_CLASS or not len(of_others):
            continue
        here, elsewhere = np.mean(of_class == most), np.mean(of_others == most)
        if here >= MOSTLY and elsewhere <= ELSEWHERE:
            told = "cannot" if (here, elsewhere) == (1, 0) else "can hardly"
            yield f"{here:.0%} of {one} have {name} {most}, {elsewhere:.0%} of the others: the two {told} be told apart"


def _association(name: str, label: Strings, value: Strings) -> Iterator[str]:
    """Say where a column tells much of the class: then it can be learnt in place of the cells."""
    if len(value) < LEAST_PER_VALUE * len(np.unique(value)) or len(np.unique(label)) < 2:
        return
    strength = cramers_v(label, value)
    if strength >= ASSOCIATED:
        yield f"{name} tells the class: Cramér's V {strength:.2f}, where 1 is wholly and 0 not at all"
