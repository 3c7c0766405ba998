"""The embeddings of some samples, without a copy of the matrix: rows are gathered when a fold needs them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.heads.rows import BLOCK_ELEMENTS
from cellfeat.types import Bools, Float32s, Integers


class ChosenEmbeddings:
    """Some rows of a matrix of embeddings, which stays where it is.

    An array of a million rows takes gigabytes, and most of them are in use: a copy of those would double it.

    Parameters
    ----------
    source
        All embeddings, shape ``(n, n_views, embedding_dim)``.
    rows
        Row numbers of those in use, shape ``(n_samples,)``.
    """

    def __init__(self, source: Float32s, rows: Integers) -> None:
        self._source, self._rows = source, rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape ``(n_samples, n_views, embedding_dim)``."""
        return (len(self._rows), *self._source.shape[1:])

    def __getitem__(self, which: Integers | Bools | slice) -> Float32s:
        """Copy some of the rows; `which` counts those in use."""
        return self._source[self._rows[which]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def take(self, which: Integers) -> "ChosenEmbeddings":
        """Choose some of the rows, without a copy of them; `which` counts those in use, shape ``(n,)``."""
        return ChosenEmbeddings(self._source, self._rows[which])

    def blocks(self) -> Iterator[Float32s]:
        """Copy the rows in their order, some at a time, shape ``(n, n_views, embedding_dim)`` each."""
        _, n_views, embedding_dim = self.shape
        size = max(1, BLOCK_ELEMENTS // max(1, n_views * embedding_dim))
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def mean_over_views(self) -> Float32s:
        """Average over views, shape ``(n_samples, embedding_dim)``, without a copy of all views."""
        means = np.empty((len(self), self.shape[2]), np.float32)
        start = 0
        for block in self.blocks():
            np.mean(block, axis=1, out=means[start : start + len(block)])
            start += len(block)
        return means
