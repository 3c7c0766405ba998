"""Transforms of the embeddings before a head: the setting `feature_transform` of most heads.

The result of every transform has columns of mean 0. A transform is fitted on the training rows only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from cellfeat.errors import HeadError
from cellfeat.heads.base import check_integer
from cellfeat.heads.preprocessing.moments import Moments
from cellfeat.heads.rows import row_blocks
from cellfeat.heads.state import HeadState
from cellfeat.text import near_names
from cellfeat.types import Float32s

TransformName = Literal["standardise", "power", "l2", "pca", "whiten"]

MIN_VARIANCE_SHARE = 1e-6
"""Components with less than this share of the largest variance are rounding, which whitening would amplify."""


def _as_it_is(X: Float32s) -> Float32s:
    return X


def _signed_root(X: Float32s) -> Float32s:
    roots = np.empty_like(X)
    for rows in row_blocks(X):
        roots[rows] = np.copysign(np.sqrt(np.abs(X[rows])), X[rows])
    return roots


def _unit_length(X: Float32s) -> Float32s:
    scaled = np.empty_like(X)
    for rows in row_blocks(X):  # in float64, which the whole of a large matrix has no room for
        lengths = np.sqrt(np.square(X[rows], dtype=np.float64).sum(axis=1, keepdims=True))
        scaled[rows] = X[rows] / np.where(lengths == 0, 1, lengths)
    return scaled


ROW_STEPS: dict[TransformName, Callable[[Float32s], Float32s]] = {
    "standardise": _as_it_is,
    "power": _signed_root,
    "l2": _unit_length,
    "pca": _as_it_is,
    "whiten": _as_it_is,
}
"""Steps before the columns are standardised; they have nothing to learn."""

PROJECTIONS = ("pca", "whiten")
"""Transforms that replace the standardised columns by principal components."""


@dataclass(frozen=True)
class FeatureTransform:
    """A fitted transform.

    ===============  ================================================================================================
    ``standardise``  columns of mean 0 and standard deviation 1
    ``power``        the signed square root of each number, which shortens long tails [1]_; then standardised
    ``l2``           each row scaled to length 1; then standardised
    ``pca``          standardised, then projected on the principal axes, those of largest variance first
    ``whiten``       the same, with each component scaled to a standard deviation of 1
    ===============  ================================================================================================

    Attributes
    ----------
    name
        Which transform.
    moments
        Moments of the columns that are standardised.
    axes
        Principal axes of shape (n_components, n_columns) for ``pca`` and ``whiten``, otherwise None.

    References
    ----------
    .. [1] F. Perronnin, J. Sánchez and T. Mensink, "Improving the Fisher kernel for large-scale image classification",
       ECCV 2010.
    """

    name: TransformName
    moments: Moments
    axes: NDArray[np.float64] | None = None

    @classmethod
    def fitted(cls, name: TransformName, X: Float32s, n_components: int | None = None) -> Self:
        """Fit on `X` of shape (n_rows, n_columns).

        Parameters
        ----------
        name
            Which transform.
        X
            Training rows.
        n_components
            Number of principal components to keep, at most the number of columns or rows; components whose variance is
            only rounding are dropped. None keeps all others.
        """
        moments = Moments.of(ROW_STEPS[name](X))
        if name not in PROJECTIONS:
            return cls(name, moments)
        return cls(name, moments, _principal_axes(X, moments, n_components, whiten=name == "whiten"))

    @classmethod
    def restored(cls, name: TransformName, state: HeadState, n_columns: int) -> Self:
        """Restore a transform from a head's state.

        Parameters
        ----------
        name
            Which transform.
        state
            The state.
        n_columns
            Expected number of columns before the transform.
        """
        axes = state.array("axes", -1, n_columns) if name in PROJECTIONS else None
        return cls(name, Moments.restored(state, n_columns), axes)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The learned part as arrays of a head's state: moments, and axes of shape (n_components, n_columns)."""
        return self.moments.arrays() | ({} if self.axes is None else {"axes": self.axes})

    @property
    def n_outputs(self) -> int:
        """Number of columns after the transform."""
        return len(self.moments.mean if self.axes is None else self.axes)

    def __call__(self, X: Float32s) -> NDArray[np.float64]:
        """Transform rows: (n_rows, n_columns) to (n_rows, n_outputs)."""
        standardised = self.moments.standardise(ROW_STEPS[self.name](X))
        return standardised if self.axes is None else standardised @ self.axes.T

    def in_float32(self, X: Float32s, *, overwrites: bool = False) -> Float32s:
        """Transform in float32, which is enough for training and, without components, takes a fifth of the time.

        Parameters
        ----------
        X
            Array of shape (n_rows, n_columns).
        overwrites
            Whether the result may take the place of `X`, which is then lost; principal components never do.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
        """
        if self.name == "standardise":
            return self.moments.standardise_float32(X, X if overwrites else None)
        transformed = X if overwrites and self.axes is None else np.empty((len(X), self.n_outputs), np.float32)
        for rows in row_blocks(X):
            transformed[rows] = self._block_in_float32(X[rows])
        return transformed

    def _block_in_float32(self, X: Float32s) -> Float32s:
        if self.axes is None:
            return self.moments.standardise_float32(ROW_STEPS[self.name](X))
        return self(X).astype(np.float32)


def check_transform(name: object, n_components: object) -> None:
    """Raise `HeadError` unless the transform exists and accepts `n_components`.

    Parameters
    ----------
    name
        The parameter `feature_transform` of a head.
    n_components
        The parameter `feature_components` of a head.
    """
    if not isinstance(name, str) or name not in ROW_STEPS:
        raise HeadError(f"feature_transform: got {name!r}; {near_names(str(name), ROW_STEPS)}")
    if n_components is None:
        return
    check_integer("feature_components", n_components, low=1)
    if name not in PROJECTIONS:
        raise HeadError(
            f"feature_components = {n_components}: expected feature_transform to be {' or '.join(PROJECTIONS)}, "
            f"got {name}; change feature_transform, or leave feature_components out"
        )


def _principal_axes(X: Float32s, moments: Moments, n_components: int | None, *, whiten: bool) -> NDArray[np.float64]:
    """Principal axes of the standardised columns, in descending order of variance."""
    n_columns = X.shape[1]
    n_kept = min(n_components or n_columns, n_columns, len(X))
    variances, axes = eigh(_correlation(X, moments), subset_by_index=(n_columns - n_kept, n_columns - 1))
    kept = variances > MIN_VARIANCE_SHARE * variances[-1]
    # Identical rows leave no variance, and the comparison above then excludes every component.
    kept[-1] = True
    if whiten:
        axes = axes / np.sqrt(np.where(variances > 0, variances, 1))  # identical rows have no variance
    # `eigh` sorts in ascending order, with one axis per column.
    return np.ascontiguousarray(axes[:, kept].T[::-1])


def _correlation(X: Float32s, moments: Moments) -> NDArray[np.float64]:
    products = np.zeros((X.shape[1], X.shape[1]))
    for rows in row_blocks(X):
        standardised = moments.standardise(X[rows])
        products += standardised.T @ standardised
    return products / len(X)
