from functools import partial

import numpy as np
import pytest
from scipy import stats

from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.significance import corrected_differences
from cellfeat.statistics.simultaneous import Family

N_HEADS = 5
CLASSES = tuple(f"class {i}" for i in range(6))
RECALLS = np.linspace(0.85, 0.6, len(CLASSES))


def independent_cells(rng, *, shared=0.5):
    """Equal heads that err together on the given share of the samples, each sample its own group."""
    truth = np.repeat(np.arange(len(CLASSES)), [150, 100, 80, 60, 40, 25])
    luck = rng.random(len(truth))
    heads = [
        np.where(np.where(rng.random(len(truth)) < shared, luck, rng.random(len(truth))) < RECALLS[truth], truth, 0)
        for _ in range(N_HEADS)
    ]
    return truth, np.arange(len(truth)), heads


def cells_of_plates(rng, *, n_plates):
    """Equal heads whose recalls each plate changes, for all classes together and for each class."""
    groups = np.repeat(np.arange(n_plates), 240)
    truth = np.tile(np.repeat(np.arange(len(CLASSES)), 40), n_plates)
    heads = []
    for _ in range(N_HEADS):
        moved = rng.uniform(-0.08, 0.08, (n_plates, len(CLASSES))) + rng.uniform(-0.05, 0.05, (n_plates, 1))
        heads.append(np.where(rng.random(len(truth)) < (RECALLS + moved)[groups, truth], truth, (truth + 1) % 6))
    return truth, groups, heads


def differences(simulate, seed, *, n_draws=600):
    truth, groups, heads = simulate(np.random.default_rng(seed))
    names = np.array(CLASSES)
    bootstrap = GroupBootstrap(names[truth], groups, CLASSES, n_draws=n_draws, random_state=seed)
    return bootstrap, [names[head] for head in heads]


def test_two_heads_have_the_interval_of_their_pair_alone():
    bootstrap, heads = differences(independent_cells, 0)
    (found,) = bootstrap.differences(heads[:2])
    assert found.difference == bootstrap.difference(heads[0], heads[1])
    assert found.adjusted_p == found.difference.p_value


def test_more_heads_widen_the_interval_less_than_bonferroni():
    bootstrap, heads = differences(independent_cells, 0)
    together = bootstrap.differences(heads)[0].difference
    alone, bonferroni = (bootstrap.difference(*heads[:2], level=level) for level in (0.95, 1 - 0.05 / 10))
    widths = [gap.high - gap.low for gap in (alone, together, bonferroni)]
    assert widths[0] < widths[1] < widths[2]


def test_equal_predictions_widen_no_interval():
    """Heads that copy each other add no claim, and differ by exactly 0."""
    bootstrap, (first, second, *_) = differences(independent_cells, 0)
    found = bootstrap.differences([first, second, second, second])
    assert found[0].difference.low == pytest.approx(bootstrap.difference(first, second).low, abs=0.001)
    copies = found[-1].difference
    assert (copies.estimate, copies.low, copies.high, copies.p_value) == (0, 0, 0, 1)


def test_constant_differences_are_adjusted_by_bonferroni():
    """Draws without spread say nothing of how pairs depend on each other."""
    y = np.tile(["a", "b"], 12)
    heads = [y, np.full(24, "a"), np.full(24, "b")]
    found = GroupBootstrap(y, np.repeat(np.arange(4), 6), ["a", "b"], n_draws=100).differences(heads)
    assert found[0].difference.p_value == pytest.approx(2 * 0.5**4)
    assert found[0].adjusted_p == pytest.approx(3 * 2 * 0.5**4)
    assert found[0].difference.low < 0


def test_one_head_has_no_differences():
    bootstrap, heads = differences(independent_cells, 0)
    assert bootstrap.differences(heads[:1]) == ()
    assert corrected_differences(np.zeros((1, 6)), 3) == ()


def test_level_and_adjusted_p_value_are_one_rule():
    family = Family.of_heads(np.diag([1.0, 2.0, 0.5, 1.0]), 7)
    error = 1 - family.level_of_each()
    assert 0.05 / 6 < error < 0.05
    assert family.adjusted(error * 0.999) < 0.05 <= family.adjusted(error * 1.001)
    assert family.adjusted(1.0) == 1
    assert family.adjusted(1e-9) == pytest.approx(6e-9)


def test_repeats_of_two_heads_have_the_corrected_interval():
    scores = np.random.default_rng(0).normal(0.7, 0.05, (2, 15))
    (found,) = corrected_differences(scores, 5)
    values = scores[0] - scores[1]
    half = stats.t.ppf(0.975, 14) * np.sqrt((1 / 15 + 1 / 4) * values.var(ddof=1))
    ends = found.difference.low, found.difference.high
    assert ends == pytest.approx((values.mean() - half, values.mean() + half))
    assert found.adjusted_p == found.difference.p_value


def family_wise_error(simulate, n_data_sets):
    """Share of data sets of equal heads in which one or more pairs are called different."""
    n_false = 0
    for seed in range(n_data_sets):
        bootstrap, heads = differences(simulate, seed, n_draws=400)
        n_false += any(not one.difference.low <= 0 <= one.difference.high for one in bootstrap.differences(heads))
    return n_false / n_data_sets


@pytest.mark.slow
@pytest.mark.parametrize(
    "simulate",
    [
        independent_cells,
        partial(independent_cells, shared=0.95),
        partial(cells_of_plates, n_plates=12),
        partial(cells_of_plates, n_plates=6),
        partial(cells_of_plates, n_plates=3),
    ],
    ids=["independent", "similar heads", "12 plates", "6 plates", "3 plates"],
)
def test_equal_heads_seldom_differ(simulate):
    """Five equal heads: of 150 data sets, 11 % is three standard errors above 5 %; single intervals err in 30 %."""
    assert family_wise_error(simulate, 150) < 0.11


@pytest.mark.slow
def test_equal_heads_seldom_differ_over_repeats():
    """Folds share training parts: the differences within a data set are correlated by 1 over the number of folds."""
    rng = np.random.default_rng(0)
    n_false = 0
    for _ in range(300):
        shared = rng.normal(size=(N_HEADS, 1)) * np.sqrt(1 / 5)
        scores = 0.7 + 0.02 * (shared + rng.normal(size=(N_HEADS, 25)) * np.sqrt(1 - 1 / 5))
        found = corrected_differences(scores, 5)
        n_false += any(not one.difference.low <= 0 <= one.difference.high for one in found)
    assert n_false / 300 < 0.09
