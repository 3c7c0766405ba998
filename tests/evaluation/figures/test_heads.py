"""The figure of all heads: verdicts in words, best first, chance where the axis reaches it."""

from dataclasses import replace

import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.figures import draw_heads
from cellfeat.evaluation.scores.differences import HeadDifference
from cellfeat.statistics.interval_types import Difference
from tests.feature_fixtures import SMALL, build_clusters


def pair(worse: str, low: float) -> HeadDifference:
    return HeadDifference("logreg", worse, Difference(0.031, low, 0.05, 0.01), 0.02)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.fixture(scope="module")
def weak():
    """Heads that are little better than chance."""
    return compare(build_clusters(n=300, separation=0.15), ["logreg", "knn"], design=SMALL)


def test_verdict_stands_beside_each_head(comparison):
    logreg, knn, dummy = comparison.results
    figure = draw_heads(comparison.results, [pair(knn.head, -0.01), pair(dummy.head, 0.012)], width="two")
    shown = [text for text in texts(figure) if "chance" not in text and "◂" not in text]
    assert shown == [
        "best", "no evidence of a difference:\n0.031 [-0.010, 0.050]", "worse by 0.031 [0.012, 0.050]",
    ]  # fmt: skip
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == f"{logreg.head}\n{logreg.score()}"
    assert figure.axes[0].yaxis_inverted(), "the best head is on top"


def test_head_below_the_axis_has_an_arrow(comparison):
    figure = comparison.plot_heads()
    dummy = comparison["dummy"]
    assert f"◂ {dummy.balanced_accuracy:.3f}" in [text.strip() for text in texts(figure)]
    assert figure.axes[0].get_xlim()[0] > dummy.balanced_accuracy


def test_chance_is_marked_where_it_is_near(weak, comparison):
    assert " chance" in texts(weak.plot_heads())
    assert " chance" not in texts(comparison.plot_heads())


def test_single_head_has_no_verdict(comparison):
    assert texts(replace(comparison, results=comparison.results[:1], differences=()).plot_heads()) == [""]
