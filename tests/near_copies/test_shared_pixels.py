import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellfeat.near_copies import shared_pixels as finder
from cellfeat.near_copies.shared_pixels import overlap_blocks, shared_pixels
from cellfeat.samples.regions import Regions


def regions_of(fields, boxes) -> Regions:
    boxes = np.array(boxes, dtype=np.int64).reshape(-1, 4)
    n = len(boxes)
    return Regions(np.array(list(fields), dtype=str), boxes[:, [1, 0]].astype(float), boxes, np.zeros(n, int))


def brute_force(regions: Regions) -> dict[tuple[int, int], int]:
    """Common pixels of each pair that has any, counted one by one."""
    found = {}
    for first in range(len(regions)):
        for second in range(first + 1, len(regions)):
            (top, left, height, width), (other_top, other_left, other_height, other_width) = regions.box[
                [first, second]
            ]
            rows = min(top + height, other_top + other_height) - max(top, other_top)
            columns = min(left + width, other_left + other_width) - max(left, other_left)
            if regions.field[first] == regions.field[second] and rows > 0 and columns > 0:
                found[first, second] = int(rows * columns)
    return found


def found_in(regions: Regions) -> dict[tuple[int, int], int]:
    found = {}
    for block in overlap_blocks(regions):
        for (first, second), pixels in zip(block.pairs.tolist(), block.pixels.tolist(), strict=True):
            assert first < second
            assert (first, second) not in found
            found[first, second] = pixels
    return found


BOX = st.tuples(*[st.integers(-60, 60)] * 2, *[st.integers(1, 50) | st.integers(1, 2000)] * 2)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("abc"), BOX), max_size=40), st.integers(1, 50))
def test_overlaps_are_those_of_brute_force(rows, most):
    regions = regions_of([field for field, _ in rows], [box for _, box in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "MOST_CANDIDATES", most)  # many blocks
        expected = brute_force(regions)
        assert found_in(regions) == expected
        shared = shared_pixels(regions)
    assert set(np.flatnonzero(shared.is_shared)) == {row for pair in expected for row in pair}
    assert_joined(shared.group, expected)


def assert_joined(group, pairs) -> None:
    """Groups are the connected components of the pairs, made here by repeated relabelling."""
    label = list(range(len(group)))
    for _ in label:
        for first, second in pairs:
            label[first] = label[second] = min(label[first], label[second])
    assert len({*zip(label, group.tolist(), strict=True)}) == len(set(label)) == len(set(group.tolist()))


def test_boxes_that_touch_share_no_pixel():
    regions = regions_of("aaa", [(0, 0, 10, 10), (10, 0, 10, 10), (0, 10, 10, 10)])
    assert found_in(regions) == {}
    assert shared_pixels(regions).keys.tolist() == ["", "", ""]


def test_overlap_is_counted_in_pixels_and_as_a_share_of_the_smaller_box():
    (overlaps,) = overlap_blocks(regions_of("aa", [(0, 0, 100, 100), (90, 95, 10, 20)]))
    assert overlaps.pixels.tolist() == [50]
    assert overlaps.share.tolist() == [0.25]


def test_fields_are_apart_although_their_boxes_are_equal():
    assert found_in(regions_of("ab", [(0, 0, 9, 9)] * 2)) == {}


def test_chain_of_overlaps_is_one_group():
    shared = shared_pixels(regions_of("aaaab", [(0, 8 * i, 10, 10) for i in range(4)] + [(0, 0, 10, 10)]))
    assert len(set(shared.group[:4].tolist())) == 1
    assert shared.n_samples == 4
    assert shared.keys[4] == ""


def test_no_samples_have_no_overlaps():
    assert found_in(regions_of([], [])) == {}
    assert shared_pixels(regions_of([], [])).n_samples == 0


def test_one_box_as_large_as_an_image_can_be():
    largest = 2**31 - 1
    boxes = [(-largest, -largest, largest, largest), (-5, -5, 10, 10), (5, 5, 10, 10), (0, 0, 1, 1)]
    assert found_in(regions_of("aaaa", boxes)) == {(0, 1): 25, (1, 3): 1}


def test_many_equal_boxes_take_no_time_of_their_pairs():
    shared = shared_pixels(regions_of(["a"] * 50_000, [(0, 0, 64, 64)] * 50_000))
    assert len(set(shared.group.tolist())) == 1
    assert shared.n_samples == 50_000


def test_time_grows_with_the_boxes_not_with_their_square():
    rng = np.random.default_rng(0)
    n = 100_000
    corners = rng.integers(0, 30_000, (n, 2))  # one field, as a scan of a slide
    regions = regions_of(["slide"] * n, np.column_stack([corners, np.full((n, 2), 64)]))
    began = time.perf_counter()
    shared = shared_pixels(regions)
    assert time.perf_counter() - began < 10  # 0.5 s on an idle core; all pairs would take minutes
    assert 0 < shared.n_samples < n
