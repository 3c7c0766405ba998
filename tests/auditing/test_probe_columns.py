from dataclasses import replace

import numpy as np

from cellfeat.auditing.probe_columns import name_columns, position_columns
from tests.feature_fixtures import build_features, regions_at, with_samples

ALL = np.arange(6)


def samples_with(ids=None, **columns):
    features = build_features(np.array(list("abbaab")), np.zeros((6, 1, 2)), columns=columns)
    return features.samples if ids is None else with_samples(features, ids=np.array(ids)).samples


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


def test_letter_that_becomes_two_in_capitals_is_no_position():
    assert position_columns(samples_with(row=np.array(list("ßßAAßß"))), ALL) == {}


def test_order_of_the_rows_counts_only_where_names_and_classes_do_not_give_it():
    by_name = samples_with(["a2", "a10", "b1", "b3", "c1", "c2"])
    unordered = samples_with(["k", "c", "x", "a", "q", "b"])
    sorted_by_class = with_samples(
        build_features(np.array(list("aaabbb")), np.zeros((6, 1, 2))), ids=unordered.ids
    ).samples
    assert "order of the rows" not in name_columns(by_name, ALL)
    assert "order of the rows" in name_columns(unordered, ALL)
    assert "order of the rows" not in name_columns(sorted_by_class, ALL)


def test_boxes_give_positions_and_sizes():
    features = build_features(np.array(list("abbaab")), np.zeros((6, 1, 2)))
    corners = [(0, 0), (0, 40), (100, 100), (936, 10), (10, 936), (500, 500)]
    regions = regions_at("ffffff", corners)
    found = position_columns(with_samples(features, regions=regions).samples, ALL)
    assert found["x on the field"][:, 0].tolist() == [31.5, 71.5, 131.5, 41.5, 967.5, 531.5]
    assert found["y on the field"][3, 0] == 967.5
    assert "distance to the border" not in found
    sized = replace(regions, field_size=np.full((6, 2), 1000))
    found = position_columns(with_samples(features, regions=sized).samples, ALL)
    assert found["distance to the border"][:, 0].tolist() == [31.5, 31.5, 131.5, 31.5, 31.5, 467.5]
    assert found["size of the field"].shape == found["size of the box"].shape == (6, 2)
