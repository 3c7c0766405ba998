import numpy as np
import pytest
from matplotlib.text import Text

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.figures import draw_confusion
from cellfeat.evaluation.figures.confusion import _percent
from tests.feature_fixtures import SMALL, build_clusters


@pytest.fixture(scope="module", params=[2, 9, 30])
def best(request):
    """A head on 2, 9 or 30 classes with long names."""
    classes = tuple(f"a rather long cell line name {i}" for i in range(request.param))
    return compare(build_clusters(n=12 * len(classes), classes=classes), ["logreg"], design=SMALL).best


@pytest.mark.slow
def test_every_label_fits_the_figure(best):
    figure = draw_confusion(best)
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    for axes in figure.axes:
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes.xaxis.label, axes.yaxis.label]
        for text in labels:
            box = text.get_window_extent()
            assert box.x0 >= -0.5
            assert box.y0 >= -0.5
            assert box.x1 <= width + 0.5
            assert box.y1 <= height + 0.5


def test_rows_and_title_have_their_numbers_of_samples(best):
    axes, *_ = draw_confusion(best).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert all(label.endswith("\nn = 12") for label in labels)
    assert f"{12 * len(labels)} samples" in axes.get_title(loc="left")


def test_cells_have_their_counts(best):
    figure = draw_confusion(best)
    confusion = best.scores.per_class.confusion
    texts = {
        tuple(round(float(place)) for place in text.get_position()): text.get_text()
        for text in figure.axes[0].texts
        if isinstance(text, Text)
    }
    assert len(texts) == np.count_nonzero(confusion)
    for (column, row), text in texts.items():
        assert text.split("\n")[0] == str(confusion[row, column])


@pytest.mark.slow
def test_counts_do_not_overlap(best):
    figure = draw_confusion(best)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    cell = axes.get_window_extent().width / len(best.scores.per_class.classes)
    assert max(text.get_window_extent().width for text in axes.texts) < cell
    heights = [label.get_window_extent().height for label in axes.get_yticklabels()]
    assert max(heights) < cell


@pytest.mark.parametrize(
    ("share", "shown"), [(0.001, "<1%"), (0.005, "<1%"), (0.0051, "1%"), (0.9, "90%"), (1.0, "100%")]
)
def test_a_few_samples_are_not_shown_as_none(share: float, shown: str) -> None:
    assert _percent(share) == shown
