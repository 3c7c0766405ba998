"""Columns of positions, numbers and files, as several programs call them."""

import pandas as pd
import pytest

from cellfeat.config import FieldsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.tables import file_columns_of, further_columns, object_column, position_columns

NONE = FieldsSettings()


AREA = ["AreaShape_Center_X", "AreaShape_Center_Y"]
LOCATION = ["Location_Center_X", "Location_Center_Y"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (LOCATION, tuple(LOCATION)),
        ([f"Nuclei_{name}" for name in LOCATION[::-1]], tuple(f"Nuclei_{name}" for name in LOCATION)),
        (AREA + LOCATION, tuple(LOCATION)),
        ([f"Cells_{name}" for name in AREA], tuple(f"Cells_{name}" for name in AREA)),
        (["X", "Y", "Z"], ("X", "Y")),
        (["x_px", "y_px"], ("x_px", "y_px")),
        (["centroid-0", "centroid-1"], ("centroid-1", "centroid-0")),
        (["Centroid X px", "Centroid Y px"], ("Centroid X px", "Centroid Y px")),
        (["center_x", "center_y"], ("center_x", "center_y")),
        (["nucleus_x", "nucleus_y"], ("nucleus_x", "nucleus_y")),
        (["Metadata_Row", "Metadata_Column", "row", "col"], None),
        (["label", "area"], None),
    ],
)
def test_positions_are_known_by_their_names(columns: list[str], expected: tuple[str, str] | None) -> None:
    assert position_columns(columns, NONE, "t.csv") == expected


@pytest.mark.parametrize("name", ["Centroid {} µm", "{}_um", "Nuclei - Position {} [µm]"])
def test_micrometres_are_refused(name: str) -> None:
    with pytest.raises(ManifestError, match="micrometres"):
        position_columns([name.format("X"), name.format("Y")], NONE, "t.csv")


def test_named_columns_are_taken() -> None:
    settings = FieldsSettings(x="a", y="b", object="n")
    assert position_columns(["a", "b", "x", "y"], settings, "t.csv") == ("a", "b")
    assert object_column(["n", "ObjectNumber"], settings, "t.csv") == "n"
    with pytest.raises(ManifestError, match=r"no column 'a'.*images.fields.x"):
        position_columns(["x", "y"], settings, "t.csv")


@pytest.mark.parametrize("name", ["ObjectNumber", "Nuclei_Number_Object_Number", "cell_id", "CellID", "object"])
def test_numbers_are_known_by_their_names(name: str) -> None:
    assert object_column(["x", "y", name, "area"], NONE, "t.csv") == name


def test_files_of_channels_are_known() -> None:
    columns = ["FileName_OrigDNA", "FileName_OrigER", "PathName_OrigDNA", "PathName_OrigER"]
    assert file_columns_of(columns, ["dna", "ER"], [], "t.csv").folders == ("PathName_OrigDNA", "PathName_OrigER")
    assert file_columns_of(["Image_FileName_DNA", "x"], ["DNA"], [], "t.csv").names == ("Image_FileName_DNA",)
    assert file_columns_of(["file", "x"], ["a", "b"], [], "t.csv").names == ("file",)
    with pytest.raises(ManifestError, match=r"images.channels=\[DNA, ER\]"):
        file_columns_of(columns, ["blue", "red"], [], "t.csv")


def test_labels_of_cells_are_kept_beside_measurements() -> None:
    names = [
        "cell_type",
        "Cell_Line",
        "nucleus_class",
        "Cells_AreaShape_Area",
        "Nuclei_Intensity_Mean_DNA",
        "Texture_1_2",
    ]
    assert further_columns(pd.DataFrame(columns=[*names, "Filtered_Parent_Nuclei"]), []) == names[:3]
