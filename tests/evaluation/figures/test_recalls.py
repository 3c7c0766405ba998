from dataclasses import replace

import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.figures import draw_curves, draw_recalls
from tests.evaluation.figures.conftest import curves_of
from tests.feature_fixtures import SMALL, build_clusters


@pytest.fixture(scope="module")
def good_and_dummy():
    """A head whose recalls are all high, and one at the level of chance."""
    return compare(build_clusters(n=300, separation=1.5), ["logreg", "dummy"], design=SMALL)


def test_head_at_chance_does_not_squeeze_the_axis(good_and_dummy):
    best, dummy = good_and_dummy.results
    (axes,) = draw_recalls(good_and_dummy.results).axes
    start, stop = axes.get_xlim()
    low, high = best.scores.per_class.recall_intervals.T
    assert start <= low.min()
    assert high.max() <= stop
    assert start > low.min() - 0.13, "up to a tenth and a margin below"
    (alone,) = draw_recalls([best]).axes
    assert alone.get_xlim() == (start, stop)
    recall = dummy.scores.per_class.recall
    assert [text.get_text().strip() for text in axes.texts] == [f"◂ {value:.2f}" for value in recall if value < start]
    assert axes.texts


def test_axis_shows_all_heads_where_none_is_better_than_chance(good_and_dummy):
    dummy = good_and_dummy.results[1]
    (axes,) = draw_recalls([dummy]).axes
    start, stop = axes.get_xlim()
    assert start <= dummy.scores.per_class.recall.min()
    assert dummy.scores.per_class.recall.max() <= stop
    assert not axes.texts


def test_classes_have_their_numbers_of_samples(good_and_dummy):
    (axes,) = draw_recalls(good_and_dummy.results).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{name}\nn = 100" for name in "abc"]


def test_head_at_chance_does_not_squeeze_the_learning_curves(good_and_dummy):
    figure = draw_curves(curves_of(good_and_dummy))
    (axes,) = figure.axes
    low, high = good_and_dummy.best.scores.overall.interval
    assert low - 0.02 < axes.get_ylim()[0] <= low
    assert high <= axes.get_ylim()[1]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["logreg", f"dummy: {good_and_dummy.results[1].balanced_accuracy:.3f}, below the axis"]


def test_perfect_heads_are_inside_the_axis(good_and_dummy):
    """Recalls of 1, whose intervals end there, and two heads that are the same."""
    best = good_and_dummy.best
    per_class = replace(
        best.scores.per_class, recall=np.ones(3), recall_intervals=np.array([[0.96, 1.0], [0.97, 1.0], [1.0, 1.0]])
    )
    perfect = replace(best, scores=replace(best.scores, per_class=per_class))
    (axes,) = draw_recalls([perfect, perfect]).axes
    assert axes.get_xlim() == pytest.approx((0.88, 1.02))
