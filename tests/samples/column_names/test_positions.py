import pytest

from cellfeat.samples.column_names.positions import axis_of, centre_columns, is_position


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


@pytest.mark.parametrize(
    ("names", "x", "y"),
    [
        ("x y", "x", "y"),
        ("Y X", "X", "Y"),
        ("row column", "column", "row"),
        ("row col x y", "x", "y"),
        ("pos_x pos_y area", "pos_x", "pos_y"),
        ("PositionX PositionY", "PositionX", "PositionY"),
        ("xmin ymin cx cy", "cx", "cy"),
        ("y_px x_px", "x_px", "y_px"),
        ("x_local_px y_local_px x_global_px y_global_px", "x_local_px", "y_local_px"),
        ("Center_of_mass_X Center_of_mass_Y", "Center_of_mass_X", "Center_of_mass_Y"),
        ("x_um y_um x y", "x", "y"),
        (
            "FilteredCells2_AreaShape_Center_X FilteredCells2_AreaShape_Center_Y",
            *(f"FilteredCells2_AreaShape_Center_{a}" for a in "XY"),
        ),
        ("hoechst.centroid.x hoechst.centroid.y", "hoechst.centroid.x", "hoechst.centroid.y"),
        ("centroid-0 centroid-1", "centroid-1", "centroid-0"),
        ("Location_Center_X Location_Center_Y", "Location_Center_X", "Location_Center_Y"),
        ("AreaShape_Center_Y AreaShape_Center_X", "AreaShape_Center_X", "AreaShape_Center_Y"),
        (
            "stage_x stage_y Nuclei_Location_Center_X Nuclei_Location_Center_Y",
            *(f"Nuclei_Location_Center_{a}" for a in "XY"),
        ),
        (
            "Cells_Location_Center_Y Nuclei_Location_Center_X Nuclei_Location_Center_Y",
            *(f"Nuclei_Location_Center_{a}" for a in "XY"),
        ),
        (
            "Nuclei_AreaShape_Center_X Nuclei_AreaShape_Center_Y Nuclei_AreaShape_BoundingBoxMinimum_X",
            *(f"Nuclei_AreaShape_Center_{a}" for a in "XY"),
        ),
        (
            "Metadata_Nuclei_Location_Center_X Metadata_Nuclei_Location_Center_Y",
            *(f"Metadata_Nuclei_Location_Center_{a}" for a in "XY"),
        ),
    ],
)
def test_columns_of_centres_are_found(names, x, y):
    assert centre_columns(names.split()) == (x, y)


@pytest.mark.parametrize(
    "names", ["x", "x_intensity y", "stage_x stage_y", "well_row well_column", "xmin ymin", "left top", "a b", ""]
)
def test_other_columns_are_no_centres(names):
    assert centre_columns(names.split()) is None


def test_bounding_boxes_are_positions_and_no_centres():
    axis = axis_of("Nuclei_AreaShape_BoundingBoxMinimum_X")
    assert axis.axis == "x"
    assert not axis.is_centre


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("axis-0 axis-1", ("axis-1", "axis-0")),
        ("centroid-0 centroid-1 centroid-2", ("centroid-2", "centroid-1")),
        ("index axis-0 axis-1 axis-2", ("axis-2", "axis-1")),
        ("bbox-0 bbox-1 bbox-2 bbox-3 centroid-0 centroid-1", ("centroid-1", "centroid-0")),
    ],
)
def test_numbered_axes_of_pictures_and_of_volumes(names, found):
    assert centre_columns(names.split()) == found
