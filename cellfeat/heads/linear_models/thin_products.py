"""Products of many rows with few columns of weights, in pieces that the BLAS multiplies without copying them.

A BLAS first copies both matrices into an order of its own. With 9 columns of weights that copy takes as long as the
product. OpenBLAS multiplies small matrices as they are, up to a million multiplications, which takes 0.5 to 0.8 of the
time here. One call of `numpy.matmul` multiplies a stack of such pieces.
"""

import numpy as np

from cellfeat.types import Float32s

SMALL_PRODUCT = 1_000_000
"""Multiplications up to which OpenBLAS does not copy."""

PIECE_ROWS = (16, 8)
"""Rows of a piece, the larger where its product is small enough. With more than 125,000 weights none is, and the rows
are multiplied in the usual way.
"""

PIECE_COLUMNS = 64
"""Columns of a piece in the product with residuals; of 16 to 512 columns the fastest for 8 to 64 outputs."""

FEWEST_OUTPUTS = 3
"""For one or two outputs the usual product of residuals and rows is as fast or faster."""


def times_weights(rows: Float32s, weights: Float32s) -> Float32s:
    """Multiply weights by rows.

    Parameters
    ----------
    rows
        Of shape (n_rows, n_columns), contiguous.
    weights
        Of shape (n_outputs, n_columns), contiguous.

    Returns
    -------
    ndarray of shape (n_outputs, n_rows)
    """
    size = next((size for size in PIECE_ROWS if size * weights.size <= SMALL_PRODUCT), None)
    n_even = len(rows) // size * size if size else 0
    if not size or not n_even:
        product: Float32s = (rows @ weights.T).T
        return product
    out = np.empty((len(weights), len(rows)), np.float32)
    pieces = rows[:n_even].reshape(-1, size, rows.shape[1])
    out[:, :n_even].reshape(len(weights), -1, size)[:] = np.matmul(weights, pieces.mT).transpose(1, 0, 2)
    out[:, n_even:] = weights @ rows[n_even:].T
    return out


def times_rows(residuals: Float32s, rows: Float32s) -> Float32s:
    """Multiply residuals by rows, and sum over the rows.

    Parameters
    ----------
    residuals
        Of shape (n_outputs, n_rows), contiguous.
    rows
        Of shape (n_rows, n_columns), contiguous.

    Returns
    -------
    ndarray of shape (n_outputs, n_columns)
    """
    n_outputs, n_columns = len(residuals), rows.shape[1]
    n_even = n_columns // PIECE_COLUMNS * PIECE_COLUMNS
    if not n_even or n_outputs < FEWEST_OUTPUTS:
        product: Float32s = residuals @ rows
        return product
    out = np.empty((n_outputs, n_columns), np.float32)
    np.matmul(residuals, _column_pieces(rows[:, :n_even]), out=_column_pieces(out[:, :n_even]))
    out[:, n_even:] = residuals @ rows[:, n_even:]
    return out


def _column_pieces(matrix: Float32s) -> Float32s:
    """View a matrix of shape (n, n_columns) as pieces of shape (n_pieces, n, PIECE_COLUMNS)."""
    return matrix.reshape(len(matrix), -1, PIECE_COLUMNS).transpose(1, 0, 2)
