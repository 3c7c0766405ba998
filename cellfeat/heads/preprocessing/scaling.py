"""Robust scaling of feature tables: fitted on the training part, applied before any head.

Numbers that people measured, such as CellProfiler's, have units, heavy tails and missing values. Embeddings of networks
have none of these and are not scaled.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.heads.rows import CACHED_ELEMENTS, row_blocks
from cellfeat.heads.state import HeadState
from cellfeat.text import near_names
from cellfeat.types import Float32s, Floats

ScalingName = Literal["none", "robust"]
"""The rules by their names in a recipe; another rule gets another name."""

CLIP = 3.0
"""No scaled number is beyond this distance from 0; see `RobustScaling`."""

WIDTHS = ((25, 75, 1.349), (5, 95, 3.290), (1, 99, 4.653), (0, 100, 6.0))
"""Pairs of percentiles, and their distance on a normal distribution in standard deviations; of the range, of 400 draws.

The first pair that differs is taken: more than half of the values of a column may be equal, as counts often are.
"""

_COLUMNS_AT_ONCE = 64

_ROWS_AT_ONCE = 256
"""Rows of a block of columns that are transposed at a time: whole columns take twice as long, being far apart."""


@dataclass(frozen=True)
class RobustScaling:
    """Median and robust width of each column of the training part.

    A number ``x`` becomes ``z = (x - median) / scale`` and then ``z / sqrt(1 + (z / 3)²)``, which is close to ``z``
    near 0, keeps the order, and stays within 3 [1]_. A missing value becomes 0, as the median does. So does every value
    of a column that was constant or missing in the training part.

    Attributes
    ----------
    median, scale
        Shape ``(n_columns,)``, float64; `scale` is the distance of the quartiles in standard deviations of a normal
        distribution, or that of wider percentiles where the quartiles are equal: see `WIDTHS`.

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
       tabular data", NeurIPS 2024: robust scaling and smooth clipping.
    """

    median: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fitted(cls, embeddings: Float32s) -> Self:
        """Fit on the training part, of shape ``(n_samples, n_views, embedding_dim)``; all views count alike."""
        rows = embeddings.reshape(-1, embeddings.shape[-1])
        n_columns = rows.shape[1]
        median, scale = np.zeros(n_columns), np.ones(n_columns)
        for start in range(0, n_columns, _COLUMNS_AT_ONCE):
            some = slice(start, start + _COLUMNS_AT_ONCE)
            median[some], scale[some] = _centres_and_widths(rows[:, some])
        return cls(median, scale)

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Restore from the result of `arrays`: two arrays of shape ``(n_columns,)``.

        Raises
        ------
        HeadError
            If the arrays are not such a scaling.
        """
        state = HeadState(arrays)
        median = state.array("median", -1).astype(np.float64)
        scale = state.array("scale", len(median)).astype(np.float64)
        if (scale <= 0).any():
            raise HeadError("scale: expected numbers above 0; fit and save the head again")
        return cls(median, scale)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The scaling as arrays to save, each of shape ``(n_columns,)``."""
        return {"median": self.median, "scale": self.scale}

    def __len__(self) -> int:
        return len(self.median)

    def __call__(self, embeddings: Float32s) -> Float32s:
        """Scale embeddings of shape ``(n_samples, n_views, embedding_dim)``; the result has none missing."""
        rows = embeddings.reshape(-1, embeddings.shape[-1])
        scaled = np.empty(rows.shape, np.float32)
        inverse = 1 / self.scale
        for block in row_blocks(rows, CACHED_ELEMENTS):
            # In float64: the difference of two float32 numbers may be beyond float32.
            z = rows[block] - self.median
            z *= inverse
            root = z / CLIP
            root *= root
            root += 1
            np.sqrt(root, out=root)
            z /= root
            if np.isnan(z.sum()):
                z[np.isnan(z)] = 0
            scaled[block] = z
        return scaled.reshape(embeddings.shape)


def _centres_and_widths(columns: Float32s) -> tuple[Floats, Floats]:
    """Median and scale of some columns, of shape ``(n_rows, n_columns)``; of a constant one, a scale that leaves 0."""
    # Each column contiguous, and sorted with missing values last.
    ordered = np.empty(columns.shape[::-1], columns.dtype)
    for start in range(0, len(columns), _ROWS_AT_ONCE):
        ordered[:, start : start + _ROWS_AT_ONCE] = columns[start : start + _ROWS_AT_ONCE].T
    ordered.sort(axis=1)
    n_known = np.count_nonzero(~np.isnan(ordered), axis=1)
    median, scale = _percentile(ordered, n_known, 50), np.zeros(len(ordered))
    for low, high, deviations in WIDTHS:
        width = (_percentile(ordered, n_known, high) - _percentile(ordered, n_known, low)) / deviations
        scale = np.where(scale > 0, scale, width)
    # A number of another sample in a column that is constant here says nothing that could have been learned.
    constant = ~(scale > 0)
    return np.where(n_known > 0, median, 0.0), np.where(constant, np.finfo(np.float64).max, scale)


def _percentile(ordered: Float32s, n_known: NDArray[np.intp], percent: float) -> Floats:
    """Percentile of each row of ``ordered``, interpolated between the two values beside it; 0 where none is known."""
    place = np.maximum(n_known - 1, 0) * percent / 100
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(n_known - 1, 0))
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below].astype(np.float64), ordered[rows, above].astype(np.float64)
    return np.where(n_known > 0, low + (high - low) * (place - below), 0.0)


def fitted_scaling(name: str, embeddings: Float32s) -> RobustScaling | None:
    """Fit the scaling that a recipe names.

    Parameters
    ----------
    name
        ``none`` or ``robust``.
    embeddings
        The training part, shape ``(n_samples, n_views, embedding_dim)``.

    Returns
    -------
    RobustScaling or None
        None for ``none``: the numbers are used as they are.

    Raises
    ------
    HeadError
        If this version of cellfeat has no such scaling.
    """
    known = get_args(ScalingName)
    if name not in known:
        raise HeadError(f"scaling: the recipe of these features names {name!r}; {near_names(name, known)}")
    return RobustScaling.fitted(embeddings) if name == "robust" else None


def scaled(scaling: RobustScaling | None, embeddings: Float32s) -> Float32s:
    """Scale embeddings, or give them as they are.

    Parameters
    ----------
    scaling
        The fitted scaling; None for none.
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``.

    Returns
    -------
    ndarray of shape (n_samples, n_views, embedding_dim)
    """
    return embeddings if scaling is None else scaling(embeddings)
