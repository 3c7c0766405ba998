"""Robust scaling: fitted on the training part alone, with missing values, constants and heavy tails."""

import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.preprocessing.scaling import CLIP, RobustScaling, fitted_scaling


def rows(n: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 1, 4)).astype(np.float32)


def test_normal_numbers_keep_their_scale():
    scaled = RobustScaling.fitted(rows(5000))(rows(5000))
    assert np.median(scaled) == pytest.approx(0, abs=0.02)
    middle = np.percentile(scaled, 75) - np.percentile(scaled, 25)
    assert middle == pytest.approx(1.349, rel=0.1)


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_units_do_not_matter(factor):
    factor = np.float32(factor)
    plain, other = RobustScaling.fitted(rows())(rows()), RobustScaling.fitted(rows() * factor)(rows() * factor)
    assert np.allclose(plain, other, atol=1e-5)


def test_outliers_are_clipped_in_order():
    fitted = RobustScaling.fitted(rows())
    far = np.array([1e3, 1e6, 3e38, -3e38], np.float32).reshape(4, 1, 1) * np.ones((1, 1, 4), np.float32)
    scaled = fitted(far)
    assert np.isfinite(scaled).all()
    assert np.abs(scaled).max() <= CLIP
    assert (np.diff(scaled[:3], axis=0) >= 0).all()


def test_missing_numbers_become_the_median():
    train = rows()
    train[:50, 0, 1] = np.nan
    scaled = RobustScaling.fitted(train)(train)
    assert (scaled[:50, 0, 1] == 0).all()
    known = RobustScaling.fitted(train[50:])
    assert np.allclose(RobustScaling.fitted(train).median[1], known.median[1])


def test_constant_and_empty_columns_become_zero_also_elsewhere():
    train = rows()
    train[..., 0], train[..., 1] = 5, np.nan
    fitted = RobustScaling.fitted(train)
    scaled = fitted(rows(seed=1) * 100)
    assert (scaled[..., :2] == 0).all()
    assert (scaled[..., 2:] != 0).any()


def test_counts_that_are_mostly_zero_keep_their_spread():
    train = np.zeros((200, 1, 1), np.float32)
    train[:30, 0, 0] = np.arange(30)
    scaled = RobustScaling.fitted(train)(train)
    assert len(np.unique(scaled)) == 30


def test_views_are_scaled_alike():
    embeddings = np.random.default_rng(0).normal(size=(50, 8, 3)).astype(np.float32)
    fitted = RobustScaling.fitted(embeddings)
    assert len(fitted) == 3
    assert fitted(embeddings).shape == (50, 8, 3)


def test_arrays_restore_the_same_scaling():
    fitted = RobustScaling.fitted(rows())
    assert np.array_equal(RobustScaling.restored(fitted.arrays())(rows()), fitted(rows()))


def test_scaling_with_a_width_of_zero_is_refused():
    with pytest.raises(HeadError, match="scale"):
        RobustScaling.restored({"median": np.zeros(2), "scale": np.zeros(2)})


def test_unknown_scaling_is_refused():
    with pytest.raises(HeadError, match="'other'"):
        fitted_scaling("other", rows())
