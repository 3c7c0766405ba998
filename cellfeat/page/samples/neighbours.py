"""The samples whose embeddings are most similar to those of each sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from cellfeat.page.content import TEXT_BLOCK, ShardMaker
from cellfeat.types import Float32s, Integers

N_NEIGHBOURS = 12
"""Neighbours of a sample."""

MOST_SAMPLES = 20_000
"""Samples up to which neighbours are found: the time grows with the square of their number."""

NONE = 0xFFFFFFFF
"""The row that stands for no neighbour."""

SHARD = "neighbours"
NOTE = "Nearest among all samples, by the first principal components of their embeddings."


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of the samples of a page.

    Attributes
    ----------
    entry
        The entry ``neighbours`` of the page's JSON; None without any.
    shards
        What makes each block of neighbours.
    """

    entry: dict[str, Any] | None = None
    shards: Mapping[str, ShardMaker] = field(default_factory=dict)


def neighbours_among(points: Float32s, rows: Integers, n_samples: int) -> Neighbours:
    """Find the neighbours of samples when they are asked for.

    Parameters
    ----------
    points
        Numbers that say how similar samples are, such as principal components, shape ``(n, n_numbers)``.
    rows
        The row of each of them among the samples of the page, ascending, shape ``(n,)``.
    n_samples
        Samples of the page; those that are not in `rows` have no neighbours.

    Returns
    -------
    Neighbours
        Without an entry for fewer than two samples, or too many.
    """
    if not 2 <= len(rows) <= MOST_SAMPLES:
        return Neighbours()
    k = min(N_NEIGHBOURS, len(rows) - 1)
    starts = range(0, n_samples, TEXT_BLOCK)
    shards = {
        f"{SHARD}-{number}": partial(_block, points, rows, range(start, min(start + TEXT_BLOCK, n_samples)), k)
        for number, start in enumerate(starts)
    }
    return Neighbours({"k": k, "shard": SHARD, "note": NOTE}, shards)


def _block(points: Float32s, rows: Integers, block: range, k: int) -> bytes:
    """The neighbours of one block of rows, shape ``(len(block), k)``."""
    from sklearn.neighbors import NearestNeighbors

    found = np.full((len(block), k), NONE, np.uint32)
    first, last = np.searchsorted(rows, [block.start, block.stop])
    if first < last:
        search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points)
        near = search.kneighbors(points[first:last], return_distance=False)
        itself = near == np.arange(first, last)[:, np.newaxis]
        # Of many equal samples, one may not be among its own nearest: then the farthest is left out.
        itself[~itself.any(axis=1), -1] = True
        found[rows[first:last] - block.start] = rows[near[~itself].reshape(-1, k)]
    return found.astype("<u4").tobytes()
