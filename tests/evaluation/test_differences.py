from dataclasses import replace

import pytest

from cellfeat.evaluation.differences import HeadDifference, RepeatedDifference, all_differences
from cellfeat.statistics.interval_types import Difference

GAP = Difference(0.1, 0.05, 0.15, 0.04)


def test_evidence_is_claimed_by_the_adjusted_p_value():
    pair = HeadDifference("knn", "dummy", GAP, 0.04)
    assert pair.is_evidence
    assert "knn is better than dummy" in pair.verdict()
    assert "0.100 [0.050, 0.150]" in pair.verdict()


def test_evidence_of_a_pair_alone_is_doubted():
    pair = HeadDifference("knn", "dummy", GAP, 0.12)
    assert not pair.is_evidence
    assert pair.is_evidence_alone
    assert "no evidence" in pair.verdict()
    assert "p = 0.12" in pair.verdict()
    plain = replace(pair, difference=replace(GAP, p_value=0.12))
    assert "p = " not in plain.verdict()


@pytest.mark.parametrize(("p_value", "told"), [(1e-13, "p < 0.001"), (0.0012, "p = 0.0012"), (0.031, "p = 0.031")])
def test_tiny_p_values_of_repeats_are_rounded(p_value, told):
    pair = RepeatedDifference("knn", "dummy", replace(GAP, p_value=p_value), p_value)
    assert pair.verdict().endswith(told)


def test_every_pair_is_compared_and_adjusted_for_their_number():
    p_values = {("a", "b"): 0.01, ("a", "c"): 0.04, ("b", "c"): 0.03}
    pairs = all_differences(
        HeadDifference, ["a", "b", "c"], lambda better, worse: replace(GAP, p_value=p_values[better, worse])
    )
    assert [(pair.better, pair.worse) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.adjusted_p for pair in pairs] == pytest.approx([0.03, 0.06, 0.06])
