import numpy as np
import pytest

from cellfeat.near_copies.overlap import Overlap
from cellfeat.near_copies.placement import Placement
from cellfeat.near_copies.turned import TURNS, TurnedCopy, turn
from cellfeat.samples.regions import Regions


def test_shifted_sample_lies_where_its_pixels_are():
    field = np.arange(40 * 50).reshape(40, 50)
    first, second = field[:30, :30], field[5:29, 12:44]
    overlap = Overlap.at((5, 12), (first.shape, second.shape), 1.0, is_exact=True)
    placed = Placement.of(overlap, (first.shape, second.shape))
    assert placed == Placement(12, 5, 0, False, 32, 24)
    assert second[3, 4] == first[3 + placed.dy, 4 + placed.dx]


@pytest.mark.parametrize("number", range(len(TURNS)), ids=TURNS)
def test_turned_sample_is_turned_back(number):
    first = np.arange(24).reshape(4, 6)
    second = turn(first, number)
    placed = Placement.of(TurnedCopy(1.0, TURNS[number]), (first.shape, second.shape))
    straight = np.fliplr(second) if placed.mirrored else second
    assert np.array_equal(np.rot90(straight, placed.quarters), first)
    assert (placed.height, placed.width) == first.shape


def test_crop_lies_where_its_box_is():
    boxes = np.array([[10, 20, 64, 64], [4, 50, 32, 48]])
    regions = Regions(np.array(["f", "f"]), np.zeros((2, 2)), boxes, np.zeros(2, int))
    assert Placement.of_boxes(regions, 0, 1) == Placement(30, -6, 0, False, 48, 32)


@pytest.mark.parametrize("text", ["", "dx=1", "dx=1 dy=2 quarters=4 mirrored=0 width=1 height=1"])
def test_other_text_is_no_placement(text):
    assert Placement.parse(text) is None


def test_text_is_read_back():
    placed = Placement(-3, 7, 2, True, 10, 20)
    assert Placement.parse(str(placed)) == placed
