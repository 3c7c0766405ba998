"""The figure of a map: legend outside, many points as pixels, the note below."""

import itertools

import numpy as np
import pytest

from cellfeat.figures import WIDTHS, save_figure
from cellfeat.figures.map import RASTERISED_FROM, _colour, _marker, draw_map

NOTE = "Distances between clusters mean nothing."


def drawn(values, n: int = 200, **changes):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n)).astype(np.float32)
    options = {"column": "label", "method": "t-SNE", "note": NOTE} | changes
    return draw_map(x, y, np.array(values)[np.arange(n) % len(values)], **options)


def legend_texts(figure):
    legend = figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()]


def assert_whole(figure):
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert min(box.x0, box.y0) >= -0.02
    assert box.x1 <= width + 0.02
    assert box.y1 <= height + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("width", [*WIDTHS, None])
@pytest.mark.parametrize("n_names", [1, 9, 60])
def test_map_is_whole_with_its_legend_and_note(n_names, width):
    figure = drawn([f"a class of a long name {number}" for number in range(n_names)], width=width)
    assert_whole(figure)
    assert len(legend_texts(figure)) == n_names
    assert NOTE in figure.get_supxlabel().replace("\n", " ")


def test_more_than_seven_categories_are_numbered():
    category = np.arange(90) % 9
    figure = draw_map(category, category, np.char.add("c", category.astype(str)), column="c", method="PCA", note=NOTE)
    assert [text.get_text() for text in figure.axes[0].texts] == [str(number) for number in range(1, 10)]
    assert legend_texts(figure)[8] == "9  c8 (10)"
    assert not drawn(["a", "b"]).axes[0].texts


@pytest.mark.slow
def test_numbers_do_not_lie_on_one_another():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2000))
    figure = draw_map(x, y, np.array([f"c{row % 30}" for row in range(2000)]), column="c", method="PCA", note=NOTE)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert boxes
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_no_two_of_56_categories_look_alike():
    assert len({(_colour(code), _marker(code)) for code in range(56)}) == 56


@pytest.mark.slow
def test_rare_and_missing_values_share_an_entry():
    assert legend_texts(drawn(["a", ""]))[-1] == "no value (100)"
    assert legend_texts(drawn([f"n{number}" for number in range(70)], n=140))[-1] == "10 rare values, or none (20)"


def test_many_numbers_have_a_scale():
    figure = drawn([*(f"{number / 7:.3f}" for number in range(30)), ""])
    assert figure.axes[0].get_legend() is None
    assert figure.axes[1].get_ylabel() == "label"
    assert drawn(["1", "2", "3"]).axes[0].get_legend() is not None


def test_failed_samples_are_counted():
    x = np.array([0, 1, np.nan], np.float32)
    figure = draw_map(x, x, np.array(["a", "b", "a"]), column="label", method="PCA", note=NOTE)
    assert "1 sample could not be read" in figure.get_supxlabel().replace("\n", " ")
    assert "2 samples" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("n", [0, 1])
def test_map_of_hardly_any_sample_is_drawn(n):
    figure = draw_map(
        np.zeros(n, np.float32), np.zeros(n, np.float32), np.array(["a"] * n, dtype=str),
        column="label", method="PCA", note=NOTE,
    )  # fmt: skip
    assert_whole(figure)


@pytest.mark.slow
def test_many_points_are_pixels_in_a_pdf(tmp_path):
    for n in (RASTERISED_FROM, RASTERISED_FROM + 1):
        save_figure(drawn(["a", "b"], n=n, width="one"), tmp_path / f"{n}.pdf", "pdf")
    few, many = ((tmp_path / f"{n}.pdf").read_bytes() for n in (RASTERISED_FROM, RASTERISED_FROM + 1))
    assert b"/Subtype /Image" not in few
    assert b"/Subtype /Image" in many
    assert b"/Type3" not in many


def test_hostile_names_are_text():
    figure = drawn(["<script>", "$\\frac{1}{2}$", "../../etc", "a\nb"], column="\x1b[2J")
    figure.draw_without_rendering()
    shown = " ".join(legend_texts(figure))
    assert "<script>" in shown
    assert "$\\frac{1}{2}$" in shown
    assert "\n" not in shown
