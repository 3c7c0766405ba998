import numpy as np
import pytest
from matplotlib import pyplot

from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.reporting.figures import draw_confusion, draw_recalls, draw_reliability


def test_pictures_leave_pyplot_alone(comparison):
    draw_confusion(comparison.best)
    draw_recalls(comparison.results)
    draw_reliability(comparison.results)
    assert pyplot.get_fignums() == []


def test_no_label_of_the_confusion_matrix_is_cut_off(make_clusters):
    names = tuple(f"a rather long cell line name {i}" for i in range(9))
    result = compare(make_clusters(n=180, classes=names), ["dummy"], design=Design(folds=3, draws=100)).best
    figure = draw_confusion(result)
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    for axes in figure.axes:
        for text in [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes.xaxis.label]:
            box = text.get_window_extent()
            assert box.x0 >= -0.5
            assert box.y0 >= -0.5
            assert box.x1 <= width + 0.5
            assert box.y1 <= height + 0.5


def test_reliability_leaves_out_bins_of_a_few_samples_and_shows_both_kinds(make_clusters):
    result = compare(make_clusters(n=300, separation=1), ["logreg"], design=Design(folds=3, draws=100)).best
    (axes,) = draw_reliability([result]).axes
    _, before, after = axes.lines
    for line, name in ((before, "reliability_uncalibrated"), (after, "reliability")):
        shown = [bin_ for bin_ in result.record()[name] if bin_[2] >= 10]
        assert 0 < len(shown) < len(result.record()[name])
        assert line.get_xydata() == pytest.approx(np.array(shown)[:, :2])
