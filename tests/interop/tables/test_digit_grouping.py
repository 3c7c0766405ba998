"""Tables as spreadsheets write them: thousands set apart, German words, other names of ids."""

import math

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.digit_grouping import find_grouping, is_ambiguous
from cellfeat.interop.tables.importing import ImportOptions, import_table


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["998,00", "1.234,50", "-12.345.678,9"], [998.0, 1234.5, -12345678.9]),
        (["998.00", "1,234.50", "7"], [998.0, 1234.5, 7.0]),
        (["1 234,5", "12"], [1234.5, 12.0]),
        (["1'234.5", "2\u202f000"], [1234.5, math.nan]),
        (["1.234,5", "1.5", "unknown"], [1234.5, math.nan, math.nan]),
    ],
)
def test_grouped_numbers_are_read_by_the_marks_of_their_column(texts, expected):
    grouping = find_grouping(texts)
    assert np.array_equal([grouping.read(text) for text in texts], expected, equal_nan=True)


def test_plain_numbers_have_no_grouping():
    assert find_grouping(["1,234", "1.5", "998", "a 123"]) is None
    assert is_ambiguous("1.234")
    assert not is_ambiguous("0.234")


@pytest.fixture
def german(tmp_path):
    """A function that writes measurements as a German spreadsheet exports them, with one column of areas."""

    def write(areas):
        rng = np.random.default_rng(0)
        table = pd.DataFrame(
            {
                "Zelle Nr.": np.arange(1, len(areas) + 1),
                "Zelllinie": np.resize(["HeLa", "MCF-7"], len(areas)),
                "Platte": np.resize(["P1", "P1", "P2", "P2"], len(areas)),
                "Fläche [µm²]": areas,
                "Rundheit": rng.random(len(areas)),
                "Bemerkung": np.resize(["", "", "unscharf"], len(areas)),
            }
        )
        path = tmp_path / "messung.csv"
        table.to_csv(path, sep=";", decimal=",", index=False, encoding="utf-8-sig")
        return path

    return write


def test_columns_with_points_for_thousands_are_features(german):
    areas = [f"{n}.{234 + n},5" for n in range(1, 41)]
    imported = import_table(german(areas))
    assert imported.features.provenance["imported"]["columns"] == ["Fläche [µm²]", "Rundheit"]
    assert imported.features.embeddings[:2, 0, 0].tolist() == [1235.5, 2236.5]
    assert imported.features.samples.ids[0] == "1"
    said = "\n".join(imported.remarks)
    assert "Zelllinie" in said
    assert "Bemerkung" in said


def test_points_that_may_be_thousands_are_not_guessed(german):
    imported = import_table(german([f"{n}.234" for n in range(1, 41)]))
    assert imported.features.provenance["imported"]["columns"] == ["Rundheit"]
    assert any("warning" in line and "Fläche" in line and "'1.234'" in line for line in imported.remarks)


def test_column_of_groups_keeps_its_name(german):
    path = german([f"{n},5" for n in range(1, 41)])
    features = import_table(path, ImportOptions(group="Platte")).features
    assert features.samples.columns["Platte"].tolist() == features.samples.groups.tolist()


def test_labels_join_ids_of_another_name(tmp_path):
    names = [f"img_{n}.png" for n in range(20)]
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(20, 3)), image_names=names)
    pd.DataFrame({"datei": names[::-1], "label": ["a", "b"] * 10, "fold": range(20)}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    for chosen in ("image_names", "datei", None):
        imported = import_table(tmp_path / "a.npz", ImportOptions(labels=tmp_path / "labels.csv", id=chosen))
        assert imported.features.samples.ids.tolist() == names
        assert imported.features.samples.labels[0] == "b"
        assert "fold" in imported.features.samples.columns


def test_damaged_excel_file_is_named_as_one(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ManifestError, match="Excel"):
        import_table(tmp_path / "a.xlsx")


def test_commas_behind_a_zero_are_decimals(tmp_path):
    values = [f"{n % 3},{n * 37 % 1000:03d}" for n in range(40)]
    table = pd.DataFrame({"id": [f"c{n}" for n in range(40)], "share": values})
    table.to_csv(tmp_path / "a.csv", sep=";", index=False)
    numbers = import_table(tmp_path / "a.csv").features.embeddings[:, 0, 0]
    np.testing.assert_allclose(numbers, [float(value.replace(",", ".")) for value in values], rtol=1e-6)
