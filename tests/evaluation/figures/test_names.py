import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.text import Text

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.figures import draw_confusion, draw_curves, draw_heads, draw_recalls, draw_reliability
from cellfeat.figures import names
from cellfeat.figures.names import lettering
from tests.evaluation.figures.conftest import curves_of
from tests.feature_fixtures import SMALL, build_clusters

SCRIPTS = (
    "细胞系", "خلية سرطانية", "תא", "😀🧬", "αβγ δ", "клетка", "नि", "세포", "e\u0301te\u0301", "x\u0336y", "日\ufe0f",
    "$\\frac{1}{2}_x^2$", "cost $5", "_a__b^", "line\nbreak", "tab\tname", "\\alpha", "x" * 100, "x" * 99 + "y",
)  # fmt: skip


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.fixture(scope="module")
def scripts():
    """Heads compared on classes named in many scripts; one head has such a name, too."""
    found = compare(build_clusters(n=12 * len(SCRIPTS), classes=SCRIPTS), ["logreg", "dummy"], design=SMALL)
    best, other = found.results
    return replace(found, results=(replace(best, head="细$\\frac$"), other))


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        lambda found: draw_confusion(found.best),
        lambda found: draw_heads(found.results, found.differences_to_best()),
        lambda found: draw_recalls(found.results),
        lambda found: draw_reliability(found.results),
        lambda found: draw_curves(curves_of(found)),
    ],
    ids=["confusion", "heads", "recalls", "reliability", "curves"],
)
def test_names_in_any_script_are_drawn_without_warnings(scripts, draw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(scripts)
        figure.draw_without_rendering()
    shown = texts(figure)
    assert any("$\\frac$" in text for text in shown)
    assert not any("\t" in text for text in shown)


def test_every_class_has_a_label_of_its_own(scripts):
    (axes, *_) = draw_recalls(scripts.results).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(labels)) == len(SCRIPTS)
    assert max(map(len, labels)) <= 50


def test_letters_without_a_font_are_escaped():
    private = "\U000f1234"
    with lettering([private, "HeLa"]) as shown:
        assert shown([private, "HeLa"]) == [r"\U000f1234", "HeLa"]


def test_fonts_that_have_the_letters_are_taken(monkeypatch):
    """Where the usual font lacks Greek, as one of matplotlib's own does, another one is found."""
    monkeypatch.setattr(names, "FAMILY", "cmr10")
    with lettering(["αβγ"]) as shown:
        assert shown(["αβγ"]) == ["αβγ"]
        first, *others = pyplot.rcParams["font.family"]
    assert first == "cmr10"
    assert others
    assert pyplot.rcParams["font.family"] != [first, *others]


def test_figures_leave_pyplot_alone(comparison):
    draw_confusion(comparison.best)
    draw_recalls(comparison.results)
    draw_reliability(comparison.results)
    assert pyplot.get_fignums() == []


def test_dollars_are_letters(make_clusters):
    """An even number of them would be set as mathematics."""
    figure = draw_confusion(compare(make_clusters(classes=("$a$", "$b$")), ["dummy"], design=SMALL).best)
    figure.draw_without_rendering()
    labels = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert len(labels) >= 4
    assert not any(text.get_parse_math() for text in labels)
    assert np.isfinite([text.get_window_extent().width for text in labels]).all()
