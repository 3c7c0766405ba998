import numpy as np
import pytest
from matplotlib import pyplot

from cellfeat.evaluation.compare import compare
from cellfeat.reporting.figures import draw_confusion, draw_recalls, draw_reliability
from tests.feature_fixtures import SMALL


def test_figures_leave_pyplot_alone(comparison):
    draw_confusion(comparison.best)
    draw_recalls(comparison.results)
    draw_reliability(comparison.results)
    assert pyplot.get_fignums() == []


def test_labels_of_the_confusion_matrix_fit_the_figure(make_clusters):
    names = tuple(f"a rather long cell line name {i}" for i in range(9))
    figure = draw_confusion(compare(make_clusters(n=180, classes=names), ["dummy"], design=SMALL).best)
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    for axes in figure.axes:
        for text in [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes.xaxis.label]:
            box = text.get_window_extent()
            assert box.x0 >= -0.5
            assert box.y0 >= -0.5
            assert box.x1 <= width + 0.5
            assert box.y1 <= height + 0.5


def test_reliability_shows_both_kinds_without_small_bins(make_clusters):
    result = compare(make_clusters(n=300, separation=1), ["logreg"], design=SMALL).best
    (axes,) = draw_reliability([result]).axes
    _, before, after = axes.lines
    calibration = result.scores.calibration
    for line, scores in ((before, calibration.uncalibrated), (after, calibration.calibrated)):
        shown = [bin_ for bin_ in scores.reliability if bin_[2] >= 10]
        assert 0 < len(shown) < len(scores.reliability)
        assert line.get_xydata() == pytest.approx(np.array(shown)[:, :2])
