"""Figures for print: as wide as a column or two, letters that can be read, nothing cut off."""

import warnings

import matplotlib.text
import pytest

from cellfeat.errors import ConfigError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.figures import WIDTHS, save_figure
from tests.evaluation.figures.conftest import curves_of
from tests.feature_fixtures import HOSTILE, SMALL, build_clusters

NAMES = {
    "two classes": ("a", "a rather long cell line name that goes on and on"),
    "hostile names": (*HOSTILE, "<script>alert(1)</script>", "细胞系"),
    "60 classes": tuple(f"class number {number} of many" for number in range(60)),
}


@pytest.fixture(scope="module", params=NAMES)
def found(request):
    classes = NAMES[request.param]
    return compare(build_clusters(n=12 * len(classes), classes=classes), ["knn", "dummy"], design=SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["heads", "confusion", "recalls", "reliability"])
def test_printed_figure_is_readable_and_whole(found, kind, width, tmp_path):
    figure = getattr(found, f"plot_{kind}")(width=width)
    assert figure.get_figwidth() <= WIDTHS[width] + 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, tmp_path / "x.png")
    assert_readable_and_whole(figure)


@pytest.mark.parametrize("width", WIDTHS)
def test_printed_curves_are_readable_and_whole(comparison, width):
    figure = comparison_curves(comparison).plot(width=width)
    figure.draw_without_rendering()
    assert_readable_and_whole(figure)


def test_unknown_width_is_refused(comparison):
    with pytest.raises(ConfigError, match="one, two"):
        comparison.plot_heads(width="three")


def comparison_curves(found):
    from cellfeat.evaluation.learning_curves.curves import LearningCurves

    return LearningCurves(found.provenance, tuple(curves_of(found)))


def assert_readable_and_whole(figure):
    sizes = [text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip()]
    assert min(sizes) >= 5
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()  # of all that is drawn, in inches
    assert min(box.x0, box.y0) >= -0.005
    assert box.x1 <= width + 0.005
    assert box.y1 <= height + 0.005
