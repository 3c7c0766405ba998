"""The name of the plate, or of another group, that each sample is of."""

import numpy as np

from cellfeat.evaluation.groups.sample_groups import group_keys
from cellfeat.extraction.store import Features
from cellfeat.types import Strings


def plate_names(features: Features, word: str) -> Strings:
    """Name the plate of each sample.

    Parameters
    ----------
    features
        The samples.
    word
        A column, a table or ``group``, as for `sample_groups`; several columns joined by a plus.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``""`` where a sample has none.

    Raises
    ------
    SplitError, UnknownNameError, MissingFileError
        As `sample_groups`.
    """
    # Exact duplicates and pixels shared on a field join groups, and give none a name: their keys come first.
    n_unnamed = 1 if features.samples.regions is None else 2
    keys = group_keys(features.samples, word, features.path)[n_unnamed:]
    if not keys:
        return np.full(len(features), "", dtype=np.str_)
    return np.array(["+".join(filter(None, values)) for values in zip(*(key.tolist() for key in keys), strict=True)])
