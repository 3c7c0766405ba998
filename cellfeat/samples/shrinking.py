"""Shrink pictures by averaging."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_KEPT_MATRICES = 256


def average_to(pictures: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Shrink pictures; each new pixel is the mean over the area that it covers, so that no pixel is skipped.

    Parameters
    ----------
    pictures
        Shape ``(..., h, w)``.
    shape
        Height and width of the results, at most those of the pictures.

    Returns
    -------
    ndarray of shape (..., *shape)
    """
    rows, columns = (_averaging(side, fewer) for side, fewer in zip(pictures.shape[-2:], shape, strict=True))
    return np.matmul(np.matmul(rows, pictures), columns.T)


@lru_cache(_KEPT_MATRICES)
def _averaging(side: int, fewer: int) -> NDArray[np.float32]:
    """The matrix that averages `side` pixels to `fewer`; a pixel on a boundary is shared between its neighbours."""
    edges = np.arange(fewer + 1) * (side / fewer)
    starts = np.arange(side)
    # Length that old pixel j shares with new pixel i; negative where they are apart.
    shared = np.minimum(edges[1:, np.newaxis], starts + 1) - np.maximum(edges[:-1, np.newaxis], starts)
    # The factor makes each row of the matrix sum to 1.
    return (shared.clip(min=0) * (fewer / side)).astype(np.float32)
