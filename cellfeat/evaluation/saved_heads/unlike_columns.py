"""How the columns of a table differ from those that a head was fitted on: other units, or another normalisation."""

from collections.abc import Sequence

import numpy as np

from cellfeat.heads.preprocessing.scaling import RobustScaling
from cellfeat.types import Bools, Float32s

LEAST_SAMPLES = 20
"""The quartiles of fewer samples differ by chance."""

FARTHEST_MEDIAN = 3.0
"""A column differs where its median is farther from that of the training samples than this many of their spreads."""

MOST_TIMES = 4.0
"""A column differs where its spread is this many times that of the training samples, or this part of it."""

_CONSTANT = float(np.finfo(np.float64).max)


def unlike_columns(fitted: RobustScaling, embeddings: Float32s, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Find columns whose numbers lie elsewhere, or are spread otherwise, than those of the training samples.

    Columns that were constant at fitting are left out, because a head sees nothing of them.

    Parameters
    ----------
    fitted
        Median and spread of the training samples.
    embeddings
        The samples in question, shape ``(n_samples, n_views, n_columns)``.
    names
        Names of the columns; without names they are numbered.

    Returns
    -------
    list of tuple
        Column, numbers of these samples, numbers of the training samples; the most different columns first.
    """
    if len(embeddings) < LEAST_SAMPLES:
        return []
    here = RobustScaling.fitted(embeddings)
    is_missing: Bools = np.asarray(np.isnan(embeddings.reshape(-1, embeddings.shape[-1])).all(axis=0), dtype=bool)
    is_constant = (here.scale >= _CONSTANT) & ~is_missing
    distance = np.abs(here.median - fitted.median) / fitted.scale / FARTHEST_MEDIAN
    # A count that is 0 everywhere here may have been 0 nearly everywhere: only its median is compared.
    spread = np.where(is_constant | is_missing, fitted.scale, here.scale)
    times, parts = spread / fitted.scale / MOST_TIMES, fitted.scale / spread / MOST_TIMES
    excess = np.where(is_missing, np.inf, np.max([distance, times, parts], axis=0))
    excess[fitted.scale >= _CONSTANT] = 0
    columns = sorted(np.flatnonzero(excess > 1).tolist(), key=lambda column: -excess[column])
    return [
        (
            f"column {names[column] if column < len(names) else column}",
            "no numbers" if is_missing[column] else _told(here, column, is_constant=bool(is_constant[column])),
            f"a {_told(fitted, column)}",
        )
        for column in columns
    ]


def _told(scaling: RobustScaling, column: int, *, is_constant: bool = False) -> str:
    spread = 0.0 if is_constant else scaling.scale[column]
    return f"median of {scaling.median[column]:.3g} with a spread of {spread:.3g}"
