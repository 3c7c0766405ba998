import numpy as np
import pytest
from scipy import stats

from cellfeat.statistics.interval_types import Difference
from cellfeat.statistics.significance import corrected_differences


def corrected_difference(values, n_folds: int) -> Difference:
    """The difference of two heads whose scores differ by these values in the folds of all repeats."""
    (found,) = corrected_differences(np.stack([values, np.zeros(len(values))]), n_folds)
    return found.difference


def test_correction_is_that_of_nadeau_and_bengio():
    values = np.array([0.02, 0.05, -0.01, 0.03, 0.04, 0.01])
    found = corrected_difference(values, n_folds=3)
    t = values.mean() / np.sqrt((1 / 6 + 1 / 2) * values.var(ddof=1))
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 5))
    assert (found.low < 0) == (found.p_value > 0.05)
    assert found.p_value > stats.ttest_1samp(values, 0).pvalue


def test_heads_that_never_differ_have_no_evidence():
    found = corrected_difference(np.zeros(6), n_folds=3)
    assert (found.estimate, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_false_claims_are_rare_where_a_plain_test_makes_many():
    """Folds whose differences share what their overlapping training parts share: a correlation of 1/n_folds."""
    rng = np.random.default_rng(0)
    n_folds, n_values, n_data_sets = 5, 25, 400
    shared = rng.normal(size=(n_data_sets, 1)) * np.sqrt(1 / n_folds)
    values = shared + rng.normal(size=(n_data_sets, n_values)) * np.sqrt(1 - 1 / n_folds)
    corrected = np.mean([corrected_difference(row, n_folds).p_value < 0.05 for row in values])
    plain = np.mean(stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05)
    assert corrected <= 0.08
    assert plain > 0.3
