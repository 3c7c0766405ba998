"""Change the size of pictures by averaging."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_KEPT_MATRICES = 256


def average_to(pictures: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Change the size of pictures; each new pixel is the mean over the area that it covers: no pixel is skipped.

    Enlarged pictures have squares in place of pixels, and no values in between but at their borders.

    Parameters
    ----------
    pictures
        Shape ``(..., h, w)``.
    shape
        Height and width of the results.

    Returns
    -------
    ndarray of shape (..., *shape)
    """
    if pictures.shape[-2:] == shape:
        return pictures
    rows, columns = (_averaging(side, wanted) for side, wanted in zip(pictures.shape[-2:], shape, strict=True))
    return np.matmul(np.matmul(rows, pictures), columns.T)


@lru_cache(_KEPT_MATRICES)
def _averaging(side: int, wanted: int) -> NDArray[np.float32]:
    """The matrix that averages `side` pixels to `wanted`; a pixel on a boundary is shared between its neighbours."""
    edges = np.arange(wanted + 1) * (side / wanted)
    starts = np.arange(side)
    # Length that old pixel j shares with new pixel i; negative where they are apart.
    shared = np.minimum(edges[1:, np.newaxis], starts + 1) - np.maximum(edges[:-1, np.newaxis], starts)
    # The factor makes each row of the matrix sum to 1.
    return (shared.clip(min=0) * (wanted / side)).astype(np.float32)
