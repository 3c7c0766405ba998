"""Samples with the same pixels."""

import numpy as np

from cellfeat.near_copies.overlap import Pair
from cellfeat.types import Strings


def exact_duplicates(digests: Strings) -> list[Pair]:
    """Pair each sample that has the pixels of an earlier one with the first of these.

    Parameters
    ----------
    digests
        Digest of the pixels of each sample, shape ``(n_samples,)``; ``""`` where it could not be read.

    Returns
    -------
    list of (first, later)
        Row numbers, in the order of the later samples.

    Examples
    --------
    >>> exact_duplicates(np.array(["a", "b", "a", "", "", "a"]))
    [(0, 2), (0, 5)]
    """
    # `return_index` gives the first sample with each digest, and so does `first[inverse]` for each sample.
    known, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    originals = first[inverse]
    is_later = (known[inverse] != "") & (originals != np.arange(len(digests)))
    return [(int(originals[row]), int(row)) for row in np.flatnonzero(is_later)]
