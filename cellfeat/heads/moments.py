"""Mean and standard deviation of each column: what standardises the inputs of most heads."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.heads.state import HeadState

BLOCK_ELEMENTS = 1 << 22
"""Elements of `X` that are worked on at a time: 32 MB as float64."""


@dataclass(frozen=True)
class Moments:
    """Column moments.

    Attributes
    ----------
    mean
        Array of shape (n_columns,).
    scale
        Array of shape (n_columns,): the standard deviation, and 1 for a constant column.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray[np.float32]) -> Self:
        """Take the moments of `X`, of shape (n_rows, n_columns), in float64."""
        mean = X.mean(axis=0, dtype=np.float64)
        squares = np.zeros_like(mean)
        for rows in row_blocks(X):
            squares += np.square(X[rows] - mean).sum(axis=0)
        deviation = np.sqrt(squares / len(X))
        # A deviation below the resolution of float32 at the mean is rounding, not signal.
        constant = deviation <= np.finfo(np.float32).eps * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, deviation))

    @classmethod
    def restored(cls, state: HeadState, n_columns: int) -> Self:
        """Take the moments out of a head's state."""
        return cls(state.array("mean", n_columns), state.array("scale", n_columns))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The moments as arrays of a head's state."""
        return {"mean": self.mean, "scale": self.scale}

    def standardise(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `X` with columns of mean 0 and standard deviation 1."""
        return (X - self.mean) / self.scale


def row_blocks(X: NDArray[np.float32]) -> list[slice]:
    """Cut the rows of `X` into blocks of at most `BLOCK_ELEMENTS` elements, or one row."""
    size = max(1, BLOCK_ELEMENTS // max(1, X.shape[1]))
    return [slice(start, start + size) for start in range(0, len(X), size)]
