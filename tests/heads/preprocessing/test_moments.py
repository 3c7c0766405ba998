"""Column moments: against numpy in float64, in blocks, and at the edges of float32."""

import numpy as np
import pytest

from cellfeat.heads.preprocessing import moments
from cellfeat.heads.preprocessing.moments import Moments
from cellfeat.heads.rows import row_blocks


def test_moments_equal_those_of_numpy_for_any_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    X = (1000 + np.random.default_rng(0).standard_normal((101, 7))).astype(np.float32)
    monkeypatch.setattr(moments, "CACHED_ELEMENTS", 50)
    assert len(row_blocks(X, 50)) > 10
    found = Moments.of(X)
    np.testing.assert_allclose(found.mean, X.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.scale, X.astype(np.float64).std(axis=0), rtol=1e-9)


def test_standardised_columns_have_mean_0_and_deviation_1() -> None:
    X = np.random.default_rng(0).lognormal(size=(50, 3)).astype(np.float32)
    X[:, 1] = 0.1
    standardised = Moments.of(X).standardise(X)
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(axis=0), [1, 0, 1], atol=1e-6)
