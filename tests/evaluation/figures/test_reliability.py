import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.figures import draw_reliability
from tests.feature_fixtures import SMALL


@pytest.fixture
def result(make_clusters):
    return compare(make_clusters(n=300, separation=1), ["logreg"], design=SMALL).best


def test_reliability_shows_both_kinds_without_small_bins(result):
    panel, _ = draw_reliability([result]).axes
    _, before, after = panel.lines
    calibration = result.scores.calibration
    for line, scores in ((before, calibration.uncalibrated), (after, calibration.calibrated)):
        shown = [bin_ for bin_ in scores.reliability if bin_[2] >= 10]
        assert 0 < len(shown) < len(scores.reliability)
        assert line.get_xydata() == pytest.approx(np.array(shown)[:, :2])


def test_every_bin_has_its_number_of_samples(result):
    _, counts = draw_reliability([result]).axes
    numbers = [int(text.get_text()) for text in counts.texts]
    assert numbers == result.scores.calibration.calibrated.reliability[:, 2].tolist()
    assert sum(numbers) == 300


def test_uncalibrated_heads_have_counts(make_clusters):
    design = Design(folds=3, draws=100, calibrate="none")
    result = compare(make_clusters(), ["logreg"], design=design).best
    panel, counts = draw_reliability([result]).axes
    assert len(panel.lines) == 2
    assert sum(int(text.get_text()) for text in counts.texts) == 180


def test_panels_without_a_head_are_empty(comparison):
    figure = draw_reliability([*comparison.results, comparison.best])
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 8
