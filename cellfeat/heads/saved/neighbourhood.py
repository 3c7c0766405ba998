"""Some training samples of a saved head, to find out whether new samples lie apart from them.

Kept are at most `MOST_KNOWN` of them, chosen at random. Their columns are standardised, and many columns are projected
at random onto `N_PROJECTED`, which keeps distances within a few percent [1]_ and, unlike principal components, does not
ignore a shift in a direction in which training samples do not vary. With 8,000 columns a head takes 1.5 MB more.

References
----------
.. [1] D. Achlioptas, "Database-friendly random projections: Johnson-Lindenstrauss with binary coins", Journal of
   Computer and System Sciences 66 (2003) 671-687.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.heads.rows import CACHED_ELEMENTS, row_blocks
from cellfeat.heads.state import HeadState
from cellfeat.statistics.apart import Known, chosen_rows
from cellfeat.types import Float32s, Floats, Integers

N_PROJECTED = 256
"""Columns of a projection."""

FARTHEST = 10.0
"""A standardised number is cut off here: a column that hardly varies at fitting must not decide a distance alone."""


@dataclass(frozen=True)
class Neighbourhood:
    """Training samples, as points between which distances are measured.

    Attributes
    ----------
    mean, scale
        Of each column over the kept training samples, shape ``(n_columns,)``; `scale` is 0 for a constant column, which
        is ignored.
    signs
        Bits of the random projection, packed, shape ``(n_columns, N_PROJECTED / 8)``; None where columns are few.
    known
        The training samples.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    signs: NDArray[np.uint8] | None
    known: Known

    @classmethod
    def of(cls, embeddings: Float32s, groups: Integers) -> Self | None:
        """Keep training samples; None where these form a single group.

        Parameters
        ----------
        embeddings
            Those of the samples to keep, as the head sees them, shape ``(n_samples, n_views, embedding_dim)``.
        groups
            Number of each sample's group, shape ``(n_samples,)``.
        """
        rows = embeddings.mean(axis=1, dtype=np.float64)
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        # Float32 rounding of a constant column is no variation.
        is_varied = deviation > 1e-6 * np.abs(mean)
        n_columns = rows.shape[1]
        signs = None
        if n_columns > N_PROJECTED:
            signs = np.random.default_rng(0).integers(0, 256, (n_columns, N_PROJECTED // 8), dtype=np.uint8)
        scale = np.where(is_varied, deviation, 0).astype(np.float32)
        points = _points(embeddings, mean.astype(np.float32), scale, signs)
        # As they are stored, so that a head answers the same before and after it is saved.
        known = Known.of(points.astype(np.float16).astype(np.float64), groups)
        return None if known is None else cls(mean.astype(np.float32), scale, signs, known)

    def points(self, embeddings: Float32s) -> Floats:
        """Project embeddings of shape ``(n_samples, n_views, n_columns)``, shape ``(n_samples, n_points)``."""
        return _points(embeddings, self.mean, self.scale, self.signs)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved: points of shape ``(n_known, n_points)``, and vectors of samples and of columns."""
        known = self.known
        arrays: dict[str, NDArray[Any]] = {
            "mean": self.mean,
            "scale": self.scale,
            "points": known.points.astype(np.float16),
            "groups": known.groups.astype(np.int64),
            "reach": known.reach,
            "scores": known.scores,
        }
        return arrays if self.signs is None else arrays | {"signs": self.signs}

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Restore from the result of `arrays`: points of shape ``(n_known, n_points)``, and vectors.

        Raises
        ------
        HeadError
            If the arrays are not such samples.
        """
        signs = arrays.get("signs")
        state = HeadState({name: array for name, array in arrays.items() if name != "signs"})
        mean = state.array("mean", -1)
        scale = state.array("scale", len(mean))
        n_points = len(mean) if signs is None else N_PROJECTED
        if signs is not None and (signs.dtype != np.uint8 or signs.shape != (len(mean), N_PROJECTED // 8)):
            raise HeadError(f"the head's array 'signs': expected {len(mean)} x {N_PROJECTED // 8} bytes")
        points = state.array("points", -1, n_points).astype(np.float64)
        groups = state.array("groups", len(points)).astype(np.int64)
        reach, scores = state.array("reach", len(points)), state.array("scores", len(points))
        if (scale < 0).any() or len(points) < 2:
            raise HeadError("the head's training samples: expected two or more, and no scale below 0")
        known = Known(points, groups, reach.astype(np.float64), scores.astype(np.float64))
        return cls(mean.astype(np.float32), scale.astype(np.float32), signs, known)


def kept_rows(rows: Integers) -> Integers:
    """Choose the training samples that are kept, of row numbers of shape ``(n,)``."""
    return chosen_rows(rows)


def _points(
    embeddings: Float32s, mean: NDArray[np.float32], scale: NDArray[np.float32], signs: NDArray[np.uint8] | None
) -> Floats:
    inverse = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
    projection = None
    if signs is not None:
        projection = (2.0 * np.unpackbits(signs, axis=1) - 1) / np.sqrt(N_PROJECTED)
    points = np.empty((len(embeddings), len(mean) if projection is None else N_PROJECTED))
    for block in row_blocks(embeddings.reshape(len(embeddings), -1), CACHED_ELEMENTS):
        standardised = (embeddings[block].mean(axis=1, dtype=np.float64) - mean) * inverse
        near = np.clip(standardised, -FARTHEST, FARTHEST)
        points[block] = near if projection is None else near @ projection
    return points
