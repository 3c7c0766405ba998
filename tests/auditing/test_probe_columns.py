import numpy as np
import pytest

from cellfeat.auditing.probe_columns import is_position, name_columns, position_columns
from tests.feature_fixtures import build_features, with_samples

ALL = np.arange(6)


def samples_with(ids=None, **columns):
    features = build_features(np.array(list("abbaab")), np.zeros((6, 1, 2)), columns=columns)
    return features.samples if ids is None else with_samples(features, ids=np.array(ids)).samples


@pytest.mark.parametrize(
    "name",
    [
        *(
            "x",
            "Y",
            "pos_x",
            "posX",
            "xpos",
            "cx",
            "xmin",
            "X_px",
            "row",
            "Col",
            "column",
            "centroid-0",
            "bbox-1",
            "left",
        ),
        *("Nuclei_Location_Center_X", "AreaShape_Center_Y", "stage_x", "PositionX", "well_row", "center_row"),
    ],
)
def test_names_of_positions(name):
    assert is_position(name)


@pytest.mark.parametrize(
    "name", ["area", "texture_x", "max", "growth", "plate", "site", "bbox_area", "x_intensity", "µm"]
)
def test_names_of_no_positions(name):
    assert not is_position(name)


def test_position_columns_hold_numbers_letters_and_wells():
    found = position_columns(
        samples_with(
            x=np.array(["1", "2.5", "-3", "1e3", "0", "7"]),
            row=np.array(list("ABCDEF")),
            well=np.array(["A1", "B02", "H12", "AA3", "c7", "D-4"]),
            y=np.array(["1", "", "", "2", "3", "4"]),
            area=np.array(["1", "2", "3", "4", "5", "6"]),
        ),
        ALL,
    )
    assert found.keys() == {"x", "row", "well"}
    assert found["x"][:, 0].tolist() == [1, 2.5, -3, 1000, 0, 7]
    assert np.diff(found["row"][:, 0]).tolist() == [1] * 5
    assert found["well"].tolist() == [[1, 1], [2, 2], [8, 12], [27, 3], [3, 7], [4, 4]]


def test_order_of_the_rows_counts_only_where_names_and_classes_do_not_give_it():
    by_name = samples_with(["a2", "a10", "b1", "b3", "c1", "c2"])
    unordered = samples_with(["k", "c", "x", "a", "q", "b"])
    sorted_by_class = with_samples(
        build_features(np.array(list("aaabbb")), np.zeros((6, 1, 2))), ids=unordered.ids
    ).samples
    assert "order of the rows" not in name_columns(by_name, ALL)
    assert "order of the rows" in name_columns(unordered, ALL)
    assert "order of the rows" not in name_columns(sorted_by_class, ALL)
