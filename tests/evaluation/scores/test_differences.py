import re
from dataclasses import replace

import numpy as np
import pytest

from cellfeat.evaluation.scores.differences import HeadDifference, head_differences, rule_lines
from cellfeat.statistics.interval_types import Difference
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.significance import corrected_differences
from cellfeat.statistics.simultaneous import Adjusted

GAP = Difference(0.1, 0.05, 0.15, 0.01)
CLASSES = ("HeLa", "A549", "U-2 OS")
SHOWN = re.compile(r"(\S+) \[(\S+), (\S+)\]")


def agrees(pair):
    """Whether the verdict is that of the interval as it is shown."""
    _, low, high = map(float, SHOWN.search(pair.verdict()).groups())
    excludes_zero = not low <= 0 <= high
    return excludes_zero == ("is better than" in pair.verdict()) == (not pair.verdict().startswith("no evidence"))


def random_heads(rng):
    """Labels, groups, and the predictions of two to six heads, some of them nearly or wholly the same."""
    n = int(rng.integers(30, 300))
    y = np.array(CLASSES)[np.arange(n) % 3]
    groups = np.arange(n) if rng.random() < 0.5 else np.arange(n) // 3 % int(rng.integers(3, 12))
    first = np.where(rng.random(n) < rng.uniform(0.3, 1), y, np.roll(y, 1))
    heads = [first]
    for _ in range(rng.integers(1, 6)):
        changed = rng.random(n) < rng.choice([0, 0.02, 0.1, 0.3])
        heads.append(np.where(changed, rng.permutation(y), heads[rng.integers(len(heads))]))
    return y, groups, heads


@pytest.mark.parametrize("seed", range(60))
def test_verdict_is_that_of_the_shown_interval(seed):
    y, groups, heads = random_heads(np.random.default_rng(seed))
    found = GroupBootstrap(y, groups, CLASSES, n_draws=200).differences(heads)
    pairs = head_differences([f"head{i}" for i in range(len(heads))], found)
    assert pairs
    for pair in pairs:
        assert agrees(pair)
        assert pair.is_evidence == (pair.adjusted_p < 0.05)
        assert pair.difference.estimate >= 0


@pytest.mark.parametrize("seed", range(30))
def test_verdict_of_repeats_is_that_of_the_shown_interval(seed):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.3, 1) + rng.normal(0, rng.choice([0.001, 0.01, 0.1]), (int(rng.integers(2, 6)), 15))
    for pair in head_differences("abcdef"[: len(scores)], corrected_differences(scores, 5)):
        assert agrees(pair)
        assert pair.is_evidence == (pair.adjusted_p < 0.05)


@pytest.mark.parametrize("low", [4e-4, 4e-9, 0.0, -4e-9, -4e-4])
def test_rounding_does_not_hide_a_sign(low):
    pair = HeadDifference("knn", "dummy", replace(GAP, low=low), 0.04)
    assert agrees(pair)
    assert pair.is_evidence == (low > 0)


def test_better_head_is_named_by_the_sign_of_the_difference():
    """Over repeats, heads are ranked by another mean than that of their differences."""
    pair = HeadDifference.of("knn", "mlp", Adjusted(Difference(-0.1, -0.15, -0.05, 0.01), 0.03))
    assert pair == HeadDifference("mlp", "knn", GAP, 0.03)
    assert "mlp is better than knn by 0.100 [0.050, 0.150]" in pair.verdict()


def test_every_pair_is_named_in_order():
    pairs = head_differences(["a", "b", "c"], [Adjusted(GAP, 0.01)] * 3)
    assert [(pair.better, pair.worse) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_rule_names_the_number_of_pairs():
    assert "10 pairs" in rule_lines(10)[0]
    assert "pairs" not in rule_lines(1)[0]
