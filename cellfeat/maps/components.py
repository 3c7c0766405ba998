"""Principal components of embeddings, fitted on a part of the rows and computed a block at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cellfeat.heads.preprocessing.scaling import RobustScaling, fitted_scaling, scaled
from cellfeat.heads.rows import BLOCK_ELEMENTS
from cellfeat.types import Float32s, Floats, Integers

N_COMPONENTS = 50

MOST_ROWS = 50_000
"""Rows that the axes are fitted on: more of them hardly turn the axes."""

MOST_ELEMENTS = 1 << 26
"""Numbers that they are fitted on: 256 MB."""


@dataclass(frozen=True)
class Components:
    """Standardised columns of the mean over views, projected on their principal axes.

    Columns are standardised as heads do it, since layers and measured numbers have very different scales.

    Attributes
    ----------
    scaling
        Robust scaling of imported tables, before everything else; None for embeddings of networks.
    mean, scale
        Of each column, shape ``(embedding_dim,)``.
    axes
        Shape ``(n_components, embedding_dim)``, of the largest variance first.
    shares
        Share of the variance along each axis, shape ``(n_components,)``.
    """

    scaling: RobustScaling | None
    mean: Floats
    scale: Floats
    axes: Float32s
    shares: Floats

    @classmethod
    def fitted(cls, embeddings: Float32s, rows: Integers, scaling: str) -> Self:
        """Fit on some rows; the same rows give the same bits with any number of threads.

        Parameters
        ----------
        embeddings
            Shape ``(n_samples, n_views, embedding_dim)``.
        rows
            Rows that could be read, at least one, shape ``(n,)``.
        scaling
            Name of the scaling in the recipe.
        """
        taken = embeddings[_some(rows, embeddings.shape[1] * embeddings.shape[2])]
        found = fitted_scaling(scaling, taken)
        means = scaled(found, taken).mean(axis=1)
        known = np.isfinite(means)
        means[~known] = np.nan
        n_known = np.maximum(np.count_nonzero(known, axis=0), 1)
        mean = np.sum(means, axis=0, dtype=np.float64, where=known) / n_known
        deviation = np.sqrt(np.sum(np.square(means - mean), axis=0, where=known) / n_known)
        # A deviation below the resolution of float32 at the mean is rounding.
        is_constant = deviation <= np.finfo(np.float32).eps * np.abs(mean)
        scale = np.where(is_constant, 1.0, deviation)
        axes, shares = _principal_axes(_standardised(means, mean, scale))
        return cls(found, mean, scale, axes, shares)

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore from the result of `arrays`, each of the shape that the attributes name."""
        names = {name.removeprefix("scaling_"): arrays[name] for name in arrays if name.startswith("scaling_")}
        scaling = RobustScaling.restored(names) if names else None
        return cls(scaling, arrays["mean"], arrays["scale"], arrays["axes"], arrays["shares"])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays to save, each of the shape that the attributes name, such as ``(embedding_dim,)``."""
        scaling = {} if self.scaling is None else self.scaling.arrays()
        return {
            "mean": self.mean,
            "scale": self.scale,
            "axes": self.axes,
            "shares": self.shares,
            **{f"scaling_{name}": array for name, array in scaling.items()},
        }

    def __call__(self, embeddings: Float32s, rows: Integers) -> Float32s:
        """Project some rows.

        Parameters
        ----------
        embeddings
            Shape ``(n_samples, n_views, embedding_dim)``.
        rows
            Row numbers, shape ``(n,)``.

        Returns
        -------
        ndarray of shape (n, n_components)
        """
        found = np.empty((len(rows), len(self.axes)), np.float32)
        with threadpool_limits(1):
            for block in _blocks(len(rows), embeddings.shape[1] * embeddings.shape[2]):
                means = scaled(self.scaling, embeddings[rows[block]]).mean(axis=1)
                found[block] = _standardised(means, self.mean, self.scale) @ self.axes.T
        return found


def _some(rows: Integers, n_numbers: int) -> Integers:
    """Some rows in ascending order, drawn at random: files are often sorted by class."""
    n_taken = min(len(rows), MOST_ROWS, max(1, MOST_ELEMENTS // max(1, n_numbers)))
    return np.sort(np.random.default_rng(0).choice(rows, n_taken, replace=False))


def _blocks(n_rows: int, n_numbers: int) -> Iterator[slice]:
    size = max(1, BLOCK_ELEMENTS // max(1, n_numbers))
    return (slice(start, start + size) for start in range(0, n_rows, size))


def _standardised(means: Float32s, mean: Floats, scale: Floats) -> Float32s:
    """Standardise rows of shape ``(n, embedding_dim)``; a missing number becomes the mean."""
    standardised = ((means - mean) / scale).astype(np.float32)
    return np.nan_to_num(standardised, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _principal_axes(standardised: Float32s) -> tuple[Float32s, Floats]:
    """Axes and their shares of the variance, of rows with mean 0 of shape ``(n, embedding_dim)``."""
    from sklearn.utils.extmath import randomized_svd

    n_kept = min(N_COMPONENTS, *standardised.shape)
    total = float(np.sum(np.square(standardised), dtype=np.float64))
    # Threads of BLAS add in another order, and t-SNE makes another picture of another last bit.
    with threadpool_limits(1):
        _, lengths, axes = randomized_svd(standardised, n_kept, n_iter=4, random_state=0, flip_sign=False)
    # The sign of an axis is free: its largest number is positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1)
    axes = np.where(largest < 0, -axes, axes).astype(np.float32)
    return axes, np.square(lengths.astype(np.float64)) / (total or 1.0)
