"""Nearest neighbours by cosine similarity, computed in blocks so that memory stays bounded."""

import numpy as np

from cellfeat.types import Floats, Integers


def nearest_by_cosine(
    queries: Floats, others: Floats, n_neighbours: int, *, block_rows: int, excluded: Integers | None = None
) -> tuple[Integers, Floats]:
    """Find the rows of `others` that are most similar to each query.

    Parameters
    ----------
    queries
        Rows of length 1, shape ``(n_queries, n_columns)``.
    others
        Rows of length 1, shape ``(n_others, n_columns)``.
    n_neighbours
        Neighbours of each query, 1 to ``n_others``.
    block_rows
        Queries compared at once: a block takes ``block_rows * n_others`` numbers.
    excluded
        For each query the row of `others` that is not a neighbour of it, such as the query itself, shape
        ``(n_queries,)``. None excludes no row.

    Returns
    -------
    neighbours, cosines
        Rows of `others` and their cosine similarities, both of shape ``(n_queries, n_neighbours)``. The neighbours of
        a query are in no particular order.
    """
    neighbours = np.empty((len(queries), n_neighbours), dtype=np.intp)
    cosines = np.empty((len(queries), n_neighbours), dtype=queries.dtype)
    for start in range(0, len(queries), block_rows):
        block = slice(start, start + block_rows)
        similarity = queries[block] @ others.T
        if excluded is not None:
            similarity[np.arange(len(similarity)), excluded[block]] = -np.inf
        # A partition, which takes less time than sorting: nothing depends on the order of the neighbours.
        neighbours[block] = np.argpartition(-similarity, n_neighbours - 1, axis=1)[:, :n_neighbours]
        cosines[block] = np.take_along_axis(similarity, neighbours[block], axis=1)
    return neighbours, cosines
