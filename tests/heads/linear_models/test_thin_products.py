"""Products with few columns: equal to the plain ones, for any number of rows, and the same bits for equal rows."""

import numpy as np
import pytest

from cellfeat.heads.linear_models.thin_products import times_rows, times_weights


@pytest.mark.parametrize("n_rows", [1, 15, 16, 31, 64, 77])
@pytest.mark.parametrize(("n_outputs", "n_columns"), [(1, 3), (2, 200), (8, 1024), (8, 5000), (56, 2100), (64, 2048)])
def test_products_equal_the_plain_ones(n_rows, n_outputs, n_columns):
    rng = np.random.default_rng(0)
    rows, weights = (rng.standard_normal((n, n_columns), dtype=np.float32) for n in (n_rows, n_outputs))
    residuals = rng.standard_normal((n_outputs, n_rows), dtype=np.float32)
    np.testing.assert_allclose(times_weights(rows, weights), weights.astype(float) @ rows.T, atol=2e-3)
    np.testing.assert_allclose(times_rows(residuals, rows), residuals.astype(float) @ rows, atol=2e-4)
