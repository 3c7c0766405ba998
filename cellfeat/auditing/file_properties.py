"""Properties of the files as columns that may go with a class: type, bits, format and size."""

from collections.abc import Iterator

import numpy as np

from cellfeat.extraction.store import Samples
from cellfeat.statistics.association import cramers_v, rank_association
from cellfeat.types import Integers, Strings

LARGE = 0.14
"""Share of the variance of ranks from which a size predicts the class: J. Cohen's "large effect" (1988) for eta²."""

ASSOCIATED = 0.5
"""Cramér's V from which a column predicts the class well: J. Cohen's "large effect" (1988) for two values."""

N_BINS, LEAST_PER_BIN = 5, 10
"""Ranges of equal numbers of samples that sizes are divided into; with fewer samples each says little."""

SIGNIFICANT = 0.001
"""A size is examined in every audit, so chance alone must not be told in one of twenty."""


def property_columns(samples: Samples) -> Iterator[tuple[str, Strings]]:
    """Give the name and the values of each property, shape ``(n_samples,)``; ``""`` where it is unknown."""
    properties = samples.properties
    if properties is None:
        return
    yield "type", properties.kind
    bits = properties.bits_of_wide_integers
    yield "bits used", np.where(bits > 0, bits.astype(np.str_), "")
    yield "file format", properties.file_format
    yield "size", properties.size


def predicting_sizes(samples: Samples) -> Iterator[str]:
    """Describe height and width where they predict the class: a head can learn it from the scale of a picture."""
    properties = samples.properties
    if properties is None:
        return
    is_known = samples.is_labelled & (properties.height > 0)
    label = samples.labels[is_known]
    sides = {"height": properties.height[is_known], "width": properties.width[is_known]}
    if np.array_equal(sides["height"], sides["width"]):
        sides = {"size": sides["height"]}
    for name, values in sides.items():
        yield from _predicting(name, values, label)


def _predicting(name: str, values: Integers, label: Strings) -> Iterator[str]:
    if len(np.unique(label)) < 2 or len(np.unique(values)) < 2:
        return
    found = rank_association(values, label)
    if found.share >= LARGE and found.p_value <= SIGNIFICANT:
        yield f"{name} predicts the class: {_medians(values, label)}"
    elif len(values) >= N_BINS * LEAST_PER_BIN:
        # A class between two others, or on both sides of one, does not show in ranks.
        strength = cramers_v(_bins(values), label)
        if strength >= ASSOCIATED:
            yield f"{name}, in {N_BINS} ranges, predicts the class: Cramér's V {strength:.2f} (1: completely)"


def _bins(values: Integers) -> Strings:
    edges = np.unique(np.quantile(values, np.arange(1, N_BINS) / N_BINS))
    return np.searchsorted(edges, values).astype(np.str_)


def _medians(values: Integers, label: Strings) -> str:
    medians = {one: float(np.median(values[label == one])) for one in np.unique(label).tolist()}
    least, most = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    return f"the median is {medians[least]:g} pixels for {least} and {medians[most]:g} for {most}"
