"""Groups that are too large: with one of them in the training or in the test part, a fold says little."""

from collections.abc import Iterator

import numpy as np

from cellfeat.auditing.findings import Finding
from cellfeat.types import Strings

LARGE = 0.2
"""A group is too large from this share of the samples on: it alone fills one of five folds."""

LEAST_SAMPLES = 20
"""In smaller data sets any group is large."""


def large_groups(group: Strings) -> Iterator[Finding]:
    """Find groups that hold more than a fifth of the samples.

    Parameters
    ----------
    group
        Name of each sample's group, shape ``(n_samples,)``.
    """
    if len(group) < LEAST_SAMPLES:
        return
    names, counts = np.unique(group, return_counts=True)
    for name, count in zip(names, counts, strict=True):
        if count > LARGE * len(group):
            detail = f"{count} of {len(group)} samples are one group: scores and intervals say little"
            yield Finding(str(name), "large group", "", detail)
