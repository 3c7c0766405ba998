import numpy as np
import pytest

from cellfeat.auditing.name_parts import name_parts


def columns(names, classes=()):
    return {source: values[:, 0].tolist() for source, values in name_parts(names, classes).items()}


def test_words_and_numbers_are_numbered_by_place():
    found = columns(["plate1_B02_0007.tif", "plate12_B11_0003.tif"])
    assert found["number 1 of the names"] == [1, 12]
    assert found["number 2 of the names"] == [2, 11]
    assert found["number 3 of the names"] == [7, 3]
    assert found["word 1 of the names"] == [0, 0]


def test_shorter_names_lack_their_last_parts():
    found = columns(["a_1", "b_1_2"])
    np.testing.assert_array_equal(found["number 2 of the names"], [np.nan, 2])


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["HeLa/x7.png", "U-2 OS/x8.png"], ["HeLa", "U-2 OS"]),
        (["hela_x7", "u2os_x8"], ["HeLa", "U-2 OS"]),
        (["x7HELA", "x8U_2_OS"], ["HeLa", "U-2 OS"]),
        (["BA_x7.jpg", "EO_x8.jpg"], ["basophil", "eosinophil"]),
        (["G1_x7.tif", "S_phase_x8.tif"], ["G1", "S_phase"]),
        (["1/x7", "2/x8"], ["1", "2"]),
    ],
)
def test_class_names_are_no_parts(names, classes):
    assert columns(names, classes) == {"word 1 of the names": [0, 0], "number 1 of the names": [7, 8]}


def test_endings_are_no_parts():
    assert columns(["a_1.png", "a_2.ome.tif", "a_3.jpeg"]) == columns(["a_1", "a_2", "a_3"])


def test_last_number_that_counts_within_each_class_is_left_out():
    names = [f"{name}/p{row % 2}_{row:02d}.png" for name, n in (("A549", 30), ("HeLa", 10)) for row in range(n)]
    assert "number 2 of the names" not in columns(names, ["A549", "HeLa"])
    assert columns(names, ["A549", "HeLa"])["number 1 of the names"][:3] == [0, 1, 0]


def test_running_number_over_all_classes_is_kept():
    names = [f"{'A549' if row < 30 else 'HeLa'}/{row:02d}.png" for row in range(40)]
    assert columns(names, ["A549", "HeLa"]) == {"number 1 of the names": list(range(40))}


@pytest.mark.parametrize("names", [["", "", ""], ["—", "_", "."], ["9" * 400, "1", "2"], ["细胞1", "细胞2", "b٣"]])
def test_strange_names_are_no_error(names):
    assert all(len(values) == 3 for values in columns(names, ["", "-", "a", "(["]).values())
