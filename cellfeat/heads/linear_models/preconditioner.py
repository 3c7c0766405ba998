"""The preconditioner of logistic regression: directions of large curvature, scaled to the curvature of the others.

The idea is that of Frangella, Tropp and Udell (2023), "Randomized Nyström preconditioning".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, qr

from cellfeat.types import Float32s, Floats

N_DIRECTIONS = 128
"""Number of scaled directions. On 1,024 and 3,840 columns 64 need a fifth more passes; 256 cost more than they save."""

SAMPLED_ROWS = 2048
"""Rows from which the directions are found."""


@dataclass(frozen=True)
class Directions:
    """Directions of large curvature at weights of 0, the same for every penalty.

    Attributes
    ----------
    vectors
        Orthonormal, of shape (n_columns + 1, n_directions).
    curvatures
        Along each of them, ascending, without the penalty.
    """

    vectors: Float32s
    curvatures: Floats

    @classmethod
    def of(cls, rows: Float32s, sample_weights: Float32s, n_classes: int) -> "Directions":
        """Find them by a randomised range finder.

        See Halko, Martinsson and Tropp (2011), "Finding structure with randomness". The random numbers are always the
        same.

        Parameters
        ----------
        rows
            Standardised, of shape (n_samples, n_columns).
        sample_weights
            Of shape (n_samples,).
        n_classes
            Number of classes.
        """
        sample = _Sample.of(rows, sample_weights)
        n_directions = min(N_DIRECTIONS, *sample.shape)
        probes = np.random.default_rng(0).standard_normal((sample.shape[1], n_directions), dtype=np.float32)
        # The range of the transposed sample times the sample, from its products with random vectors: the large matrix
        # is never formed.
        basis, _ = qr(sample.transposed_times(sample.times(probes)), mode="economic")
        projected = sample.times(basis)
        variances, axes = eigh(projected.T @ projected / sample.shape[0])
        return cls(basis @ axes, _curvature_of_certainty(n_classes) * np.maximum(variances, 0))


@dataclass(frozen=True)
class _Sample:
    """Every so many rows with a 1 for the intercept, times the root of their weight.

    It is not formed, because new memory costs as much time as the products.
    """

    rows: Float32s
    roots: Float32s

    @classmethod
    def of(cls, rows: Float32s, sample_weights: Float32s) -> "_Sample":
        step = max(1, len(rows) // SAMPLED_ROWS)
        return cls(rows[::step], np.sqrt(sample_weights[::step, None]))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.rows.shape[1] + 1

    def times(self, vectors: Float32s) -> Float32s:
        """Multiply the sample by vectors of shape (n_columns + 1, n_vectors)."""
        product: Float32s = (self.rows @ vectors[:-1] + vectors[-1]) * self.roots
        return product

    def transposed_times(self, vectors: Float32s) -> Float32s:
        """Multiply the transposed sample by vectors of shape (n_rows, n_vectors)."""
        weighted = self.roots * vectors
        return np.concatenate([self.rows.T @ weighted, weighted.sum(axis=0, keepdims=True)])


@dataclass(frozen=True)
class Preconditioner:
    """The preconditioner: a symmetric linear map from coordinates with nearly equal curvature to weights.

    Attributes
    ----------
    directions
        Orthonormal, of shape (n_columns + 1, n_directions).
    scales
        Factor along each of them for each problem, of shape (n_problems, 1, n_directions).
    rest
        Factor along all others, of shape (n_problems, 1, 1).
    """

    directions: Float32s
    scales: Float32s
    rest: Float32s

    @classmethod
    def of(cls, directions: Directions, penalties: Floats) -> "Preconditioner":
        """Scale by the curvature with each penalty.

        Parameters
        ----------
        directions
            Where the curvature is large.
        penalties
            Of shape (n_problems,).
        """
        scales = ((directions.curvatures + penalties[:, None]) ** -0.5).astype(np.float32)[:, None]
        # The curvature of the remaining directions is at most the smallest one found.
        return cls(directions.vectors, scales, scales[..., :1])

    def __call__(self, values: Float32s) -> Float32s:
        """Map coordinates to weights, or gradients to coordinates: (n_problems, n_classes, n_columns + 1)."""
        # `directions @ directions.T` projects on the directions, where `scales` apply; `rest` applies everywhere else.
        along: Float32s = (values @ self.directions) * (self.scales - self.rest)
        mapped: Float32s = self.rest * values + along @ self.directions.T
        return mapped

    def inverse(self, weights: Float32s) -> Float32s:
        """Map weights to coordinates, both of shape (n_problems, n_classes, n_columns + 1).

        Parameters
        ----------
        weights
            Of shape (n_problems, n_classes, n_columns + 1).

        Returns
        -------
        ndarray of shape (n_problems, n_classes, n_columns + 1)
        """
        along: Float32s = (weights @ self.directions) * (np.reciprocal(self.scales) - np.reciprocal(self.rest))
        mapped: Float32s = weights / self.rest + along @ self.directions.T
        return mapped

    def take(self, numbers: Sequence[int]) -> "Preconditioner":
        """Keep some of the problems."""
        return Preconditioner(self.directions, self.scales[numbers], self.rest[numbers])


def _curvature_of_certainty(n_classes: int) -> float:
    """Curvature of the cross-entropy in the logit of a class, when all classes are equally probable."""
    return (1 - 1 / n_classes) / n_classes
