"""Rows of a head's input, in blocks that fit into memory or a core's cache; rows of it and of its output, checked."""

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.text import first_ten
from cellfeat.types import Floats

BLOCK_ELEMENTS = 1 << 22
"""Elements of `X` processed at a time: 32 MB as float64."""

CACHED_ELEMENTS = 1 << 16
"""The same for steps that use each element several times: 512 KB as float64, which stay in a core's cache."""

SUM_TOLERANCE = 1e-3
"""Allowed distance from 1 of the sum of a sample's probabilities: far more than rounding, even in float32."""


def row_blocks(X: NDArray[np.float32], elements: int | None = None) -> list[slice]:
    """Divide the rows of a matrix into blocks.

    Parameters
    ----------
    X
        Array of shape (n_rows, n_columns).
    elements
        Maximum elements of a block, which has at least one row; None for `BLOCK_ELEMENTS`.
    """
    size = max(1, (elements or BLOCK_ELEMENTS) // max(1, X.shape[1]))
    return [slice(start, start + size) for start in range(0, len(X), size)]


def check_finite(X: NDArray[np.float32]) -> None:
    """Raise `HeadError` if a row of `X`, of shape (n_rows, n_columns), holds NaN or infinity."""
    # Summing needs no mask of the whole matrix. Finite float32 values may overflow a float32 sum, but no float64 sum.
    with np.errstate(over="ignore", invalid="ignore"):
        bad = np.flatnonzero(~np.isfinite(X.sum(axis=1)))
    bad = bad[~np.isfinite(X[bad].sum(axis=1, dtype=np.float64))]
    if len(bad):
        raise HeadError(
            f"X contains NaN or infinity in {len(bad)} of {len(X)} rows: {first_ten(bad)}; expected finite float32 "
            "numbers: leave out the samples whose extraction failed"
        )


def check_sums(probabilities: Floats, name: str) -> None:
    """Refuse probabilities below 0, and those of a sample that do not add up to 1.

    Parameters
    ----------
    probabilities
        Finite numbers, of shape (n_rows, n_classes).
    name
        Name of the head, for the message.

    Raises
    ------
    HeadError
        If there are any.
    """
    sums = probabilities.sum(axis=1)
    strange = np.flatnonzero((abs(sums - 1) > SUM_TOLERANCE) | (probabilities < -SUM_TOLERANCE).any(axis=1))
    if len(strange):
        first = ", ".join(f"{number:.3g}" for number in probabilities[strange[0]][:10])
        raise HeadError(
            f"{name}: the probabilities of {len(strange)} of {len(probabilities)} samples are below 0 or do not add up "
            f"to 1, such as {first}; scores that are not probabilities belong in decision_function"
        )
