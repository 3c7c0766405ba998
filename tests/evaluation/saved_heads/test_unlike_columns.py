import numpy as np
import pytest

import cellfeat
from cellfeat.evaluation.saved_heads.unlike_fitted import unlike_fitted
from tests.feature_fixtures import SMALL

NAMES = ["area", "intensity", "texture", "count"]


def table_of(*, seed=0, n=200, change=None):
    """Measurements with heavy tails, missing values and a count that is mostly 0."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    X = rng.standard_t(3, (n, 4)) * [100, 0.01, 5, 1] + [500, 0.1, -3, 0] + label[:, None] * [60, 0.006, 3, 0]
    X[:, 3] = rng.poisson(0.3, n)
    X[rng.random(n) < 0.02, 2] = np.nan
    if change is not None:
        change(X)
    return cellfeat.Features.from_arrays(X, names=NAMES, labels=np.array(["a", "b"])[label])


@pytest.fixture(scope="module")
def bundle():
    return cellfeat.fit(table_of(), "logreg", design=SMALL)[0]


def columns(bundle, features):
    found = unlike_fitted(bundle, features)
    assert found is not None
    return [one.what.removeprefix("column ") for one in found]


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("n", [1, 20, 60, 500])
def test_rows_of_the_same_kind_are_not_told(bundle, seed, n):
    assert columns(bundle, table_of(seed=seed, n=n)) == []


def test_shift_as_of_a_plate_is_not_told(bundle):
    def shift(X):
        X[:, :3] = X[:, :3] * [1.2, 1.2, 2] + [100, 0.01, 5]

    assert columns(bundle, table_of(seed=1, change=shift)) == []


@pytest.mark.parametrize("factor", [1e-6, 0.01, 0.1, 10, 1e6])
def test_column_in_another_unit_is_told(bundle, factor):
    def convert(X):
        X[:, 0] *= factor

    assert columns(bundle, table_of(seed=1, change=convert)) == ["area"]


def test_normalised_table_is_told(bundle):
    def normalise(X):
        X[:, 0] = (X[:, 0] - np.median(X[:, 0])) / X[:, 0].std()

    (one,) = unlike_fitted(bundle, table_of(seed=1, change=normalise))

    assert "area" in str(one)
    assert "spread" in one.here
    assert "median of 5" in one.fitted


def test_column_without_numbers_is_told_first(bundle):
    def lose(X):
        X[:, 0] *= 10
        X[:, 1] = np.nan

    assert columns(bundle, table_of(seed=1, change=lose)) == ["intensity", "area"]


def test_predictions_hold_the_differences(bundle):
    def convert(X):
        X[:, 1] *= 1000

    predictions = cellfeat.predict(bundle, table_of(seed=1, change=convert))

    assert [one.what for one in predictions.unlike_fitted] == ["column intensity"]
