import numpy as np
import pytest

from cellfeat.near_copies.positions import positions

SHAPES = dict.fromkeys(range(4), (64, 64))


def columns(**named):
    return {name: np.array(values, dtype=str) for name, values in named.items()}


@pytest.mark.parametrize(
    ("field", "x", "y"),
    [
        ("field", "x", "y"),
        ("ImageNumber", "Location_Center_X", "Location_Center_Y"),
        ("Metadata_Site", "Nuclei_Location_Center_X", "Nuclei_Location_Center_Y"),
        ("fov_id", "centroid_x", "centroid_y"),
        ("file_name", "centre-x", "centre-y"),
        ("image", "column", "row"),
    ],
)
def test_columns_are_recognised_by_their_names(field, x, y):
    placed = positions(columns(**{field: list("aabb"), x: [10, 40, 10, 10], y: [5, 5, 5, 200], "index": list("0123")}))
    assert set(placed.columns) == {field, x, y}
    assert list(placed.predicted(SHAPES)) == [(0, 1)]
    assert placed.predicted(SHAPES)[0, 1].columns == 30
    assert placed.predicted(SHAPES)[0, 1].share == pytest.approx(34 / 64)


@pytest.mark.parametrize(
    "names", [("x", "y"), ("field", "x"), ("field", "matrix", "index_y"), ("field", "well_row", "well_column"), ()]
)
def test_other_columns_are_no_positions(names):
    assert positions(columns(**{name: ["1", "2"] for name in names})) is None


def test_several_columns_name_the_field_together():
    placed = positions(columns(plate=list("aabb"), field=list("1212"), x=["5"] * 4, y=["5"] * 4))
    assert placed.predicted(SHAPES) == {}
    assert placed.are_apart((0, 1))
    assert placed.are_apart((0, 2))


def test_frames_of_one_field_are_neither_one_picture_nor_apart():
    placed = positions(columns(field=list("1111"), frame=list("aabb"), x=["5"] * 4, y=["5"] * 4))
    assert list(placed.predicted(SHAPES)) == [(0, 1), (2, 3)]
    assert not placed.are_apart((0, 2))
    assert not placed.are_in_one_picture((0, 2))


def test_unknown_fields_and_positions_predict_nothing():
    placed = positions(columns(field=["1", "1", "", ""], x=["5", "", "5", "5"], y=["5", "5", "5", "nowhere"]))
    assert placed.predicted(SHAPES) == {}
    assert not placed.are_apart((0, 2))


def test_samples_of_different_sizes_overlap_around_their_centres():
    placed = positions(columns(field=["1", "1"], x=["50", "50"], y=["50", "50"]))
    (overlap,) = placed.predicted({0: (64, 64), 1: (32, 32)}).values()
    assert (overlap.rows, overlap.columns, overlap.share, overlap.shows_same_cell) == (16, 16, 1, True)


def test_overlaps_of_a_crowded_field_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    places, sides = rng.integers(0, 200, (60, 2)), rng.integers(4, 60, (60, 2))
    placed = positions(columns(field=["1"] * 60, y=places[:, 0], x=places[:, 1]))
    shapes = dict(enumerate(map(tuple, sides.tolist())))
    touching = [
        (one, other)
        for one in range(60)
        for other in range(one + 1, 60)
        if (2 * np.abs(places[one] - places[other]) + 1 < sides[one] + sides[other]).all()  # not by half a pixel
    ]
    found = placed.predicted(shapes)
    assert list(found) == sorted(found)
    assert set(touching) <= set(found)
    assert all((2 * np.abs(places[one] - places[other]) < sides[one] + sides[other]).all() for one, other in found)
