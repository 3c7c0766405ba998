"""Products of many rows with few columns of weights, in pieces that the BLAS multiplies without copying them.

A BLAS first copies both matrices into an order of its own. With 9 columns of weights that copy takes as long as the
product. OpenBLAS multiplies small matrices as they are, up to a million multiplications, which takes 0.5 to 0.7 of the
time here. One call of `numpy.matmul` multiplies a stack of such pieces.
"""

import numpy as np

from cellfeat.types import Float32s

SMALL_PRODUCT = 1_000_000
"""Multiplications up to which OpenBLAS does not copy."""

PIECE_ROWS = (32, 16)
"""Rows of a piece, the fastest first; of 8 to 64 rows on 1,024 to 4,096 columns. Products of 16 rows are small enough
for up to 62,500 weights; larger ones are multiplied in the usual way.
"""


def times_weights(rows: Float32s, weights: Float32s) -> Float32s:
    """Multiply rows by weights.

    Parameters
    ----------
    rows
        Of shape (n_rows, n_columns), contiguous.
    weights
        Of shape (n_outputs, n_columns).

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
    """
    size = next((size for size in PIECE_ROWS if size * weights.size <= SMALL_PRODUCT), None)
    n_even = len(rows) // size * size if size else 0
    if not size or not n_even:
        product: Float32s = rows @ weights.T
        return product
    columns = np.ascontiguousarray(weights.T)
    out = np.empty((len(rows), len(weights)), np.float32)
    np.matmul(_pieces(rows[:n_even], size), columns, out=_pieces(out[:n_even], size))
    out[n_even:] = rows[n_even:] @ columns
    return out


def times_rows(residuals: Float32s, rows: Float32s) -> Float32s:
    """Multiply residuals by rows, and sum over the rows.

    Parameters
    ----------
    residuals
        Of shape (n_outputs, n_rows).
    rows
        Of shape (n_rows, n_columns), contiguous.

    Returns
    -------
    ndarray of shape (n_outputs, n_columns)
    """
    size = PIECE_ROWS[-1]
    n_even = len(rows) // size * size
    if not n_even or size * len(residuals) * rows.shape[1] > SMALL_PRODUCT:
        product: Float32s = residuals @ rows
        return product
    of_pieces = residuals[:, :n_even].reshape(len(residuals), -1, size).transpose(1, 0, 2)
    total: Float32s = np.matmul(of_pieces, _pieces(rows[:n_even], size)).sum(axis=0)
    total += residuals[:, n_even:] @ rows[n_even:]
    return total


def _pieces(rows: Float32s, size: int) -> Float32s:
    return rows.reshape(-1, size, rows.shape[1])
