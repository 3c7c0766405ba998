import numpy as np
import pytest

from cellfeat.near_copies.joining import declared, join
from cellfeat.near_copies.overlap import Overlap
from cellfeat.near_copies.search import NearCopies, near_copies
from tests.near_copies.fields import crops
from tests.near_copies.pictured import pictured

SHAPES = dict.fromkeys(range(6), (64, 64))
EMPTY = np.full(6, "")


def overlap(columns, *, is_exact=False):
    return Overlap.at((0, columns), ((64, 64), (64, 64)), 0.95, is_exact=is_exact)


def text(values):
    return np.array(values, dtype=str)


@pytest.mark.parametrize("column", ["plate", "Metadata_Plate", "plate_id"])
def test_only_equal_pixels_join_plates(column):
    found = NearCopies({(0, 1): overlap(5), (2, 3): overlap(5, is_exact=True), (0, 4): overlap(9)})
    known = declared(EMPTY, {column: text(["a", "b", "a", "b", "a", ""])})
    joining = join(found, known, SHAPES)
    assert joining.joined.keys() == {(2, 3), (0, 4)}
    assert joining.crossing.keys() == {(2, 3)}
    assert joining.apart.keys() == {(0, 1)}
    assert "a and b" in joining.apart[0, 1]


def test_only_equal_pixels_join_declared_groups():
    found = NearCopies({(0, 1): overlap(5), (1, 2): overlap(5)})
    joining = join(found, declared(text(["d1", "d2", "", "", "", ""]), {}), SHAPES)
    assert joining.joined.keys() == {(1, 2)}


@pytest.fixture
def placed():
    """Samples 0 and 1 overlap by half, 2 and 3 by more than a quarter, 4 and 5 are alone."""
    columns = {"field": list("112233"), "x": [50, 80, 50, 90, 50, 500], "y": [50] * 6}
    return declared(EMPTY, {name: text(values) for name, values in columns.items()})


def test_confirmed_positions_decide(placed):
    found = NearCopies({(0, 1): overlap(30), (0, 2): overlap(3), (4, 5): overlap(8), (1, 4): overlap(0, is_exact=True)})
    joining = join(found, placed, SHAPES)
    assert joining.joined.keys() == {(0, 1), (1, 4), (2, 3)}
    assert joining.apart.keys() == {(0, 2), (4, 5)}
    assert "2 pairs" in joining.remarks[0]
    assert "50%" in joining.remarks[0]


def test_positions_that_the_pixels_contradict_are_ignored(placed):
    found = NearCopies({(0, 1): overlap(3), (4, 5): overlap(8)})
    joining = join(found, placed, SHAPES)
    assert joining.joined.keys() == {(0, 1), (4, 5)}
    assert "ignored" in joining.remarks[0]


@pytest.mark.slow
def test_positions_of_generated_crops_are_confirmed():
    cut = crops("textured", n_fields=6)
    rows, columns = cut.centre.T
    known = declared(text([""] * len(rows)), {"field": text(cut.field), "x": text(columns), "y": text(rows)})
    shapes = dict.fromkeys(range(len(rows)), (64, 64))
    joining = join(near_copies(pictured(cut.pixels), ()), known, shapes)
    shares = cut.shares()
    assert {pair for pair, share in shares.items() if share >= 0.25} <= joining.joined.keys() <= shares.keys()
    assert "positions decide" in joining.remarks[0]


def test_a_declared_group_may_be_the_field():
    known = declared(text(list("112233")), {"x": text([50, 80, 50, 90, 50, 500]), "y": text([50] * 6)})
    joining = join(NearCopies({(0, 1): overlap(30)}), known, SHAPES)
    assert joining.joined.keys() == {(0, 1), (2, 3)}
