import pytest

from cellfeat.figures.style import DPI, LARGEST_AREA, LONGEST_SIDE, new_figure


@pytest.mark.parametrize(("width", "height"), [(8, 2), (8, 1000), (450, 450)], ids=["usual", "tall", "large"])
def test_figures_of_many_classes_are_drawn_smaller(width, height):
    """A thousand classes would be 150,000 pixels high, which matplotlib refuses."""
    figure = new_figure(width, height)
    assert figure.bbox.width * figure.bbox.height <= LARGEST_AREA * 1.001
    assert max(figure.bbox.width, figure.bbox.height) <= LONGEST_SIDE * 1.001
    assert figure.dpi == DPI or figure.bbox.width * figure.bbox.height > 1e7
