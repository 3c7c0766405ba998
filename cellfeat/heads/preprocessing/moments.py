"""Mean and standard deviation of each column, to standardise them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.heads.rows import CACHED_ELEMENTS, row_blocks
from cellfeat.heads.state import HeadState


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each column.

    Attributes
    ----------
    mean
        Array of shape (n_columns,).
    scale
        Array of shape (n_columns,): the standard deviation, or 1 for a constant column.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray[np.float32]) -> Self:
        """Compute the moments of `X`, of shape (n_rows, n_columns), in float64."""
        mean = X.mean(axis=0, dtype=np.float64)
        # Centred first: the mean square minus the squared mean would cancel in columns that are far from 0.
        squares = np.zeros_like(mean)
        for rows in row_blocks(X, CACHED_ELEMENTS):
            centred = X[rows] - mean
            squares += np.einsum("ij,ij->j", centred, centred)
        deviation = np.sqrt(squares / len(X))
        # A deviation below the resolution of float32 at the mean is rounding, not signal.
        constant = deviation <= np.finfo(np.float32).eps * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, deviation))

    @classmethod
    def restored(cls, state: HeadState, n_columns: int) -> Self:
        """Restore the moments from a head's state.

        Parameters
        ----------
        state
            The state.
        n_columns
            Expected number of columns.
        """
        return cls(state.array("mean", n_columns), state.array("scale", n_columns))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The moments as arrays of a head's state, each of shape (n_columns,)."""
        return {"mean": self.mean, "scale": self.scale}

    def standardise_float32(
        self, X: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Standardise in float32, which is enough for training and takes a fifth of the time.

        Parameters
        ----------
        X
            Array of shape (n_rows, n_columns).
        out
            Where to, of the same shape; `X` itself is possible. None for a new array.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
        """
        high = self.mean.astype(np.float32)
        low = (self.mean - high).astype(np.float32)
        inverse = (1 / self.scale).astype(np.float32)
        standardised = np.empty_like(X) if out is None else out
        for rows in row_blocks(X, CACHED_ELEMENTS):
            # The mean is subtracted in two parts: rounded to float32 it would shift columns that are far from 0.
            block = np.subtract(X[rows], high, out=standardised[rows])
            block -= low
            block *= inverse
        return standardised

    def standardise(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `X`, of shape (n_rows, n_columns), with columns of mean 0 and standard deviation 1."""
        return (X - self.mean) / self.scale
