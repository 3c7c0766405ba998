"""Samples of whole fields, from label images, tables of positions and tables of fields."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.samples.reading.worker_pool import sample_reader
from tests.samples.fields.field_files import CENTRES, CHANNELS, SIDE, Fields, manifest, write_csv, write_fields

MASKS = {"images__fields__masks_root": "masks"}
LABELS = ["P1,A1,drug", "P1,B2,none", "P2,A1,drug", "P2,B2,none"]


@pytest.fixture
def fields(tmp_path: Path) -> Fields:
    return write_fields(tmp_path)


def masks_of(fields: Fields) -> dict[str, object]:
    return {"images__fields__masks_root": fields.root / "masks"}


def objects_csv(fields: Fields, name: str = "Nuclei.csv", *, prefix: str = "") -> Path:
    header = f"ImageNumber,ObjectNumber,{prefix}Location_Center_X,{prefix}Location_Center_Y,AreaShape_Area"
    rows = [
        f"{number},{value}.0,{x},{y},49"
        for number, _ in enumerate(fields.pixels, start=1)
        for value, (x, y) in enumerate(CENTRES, start=1)
    ]
    return write_csv(fields.root / name, header, rows)


def load_data(fields: Fields, *, folder: str = r"D:\screen\{plate}") -> Path:
    header = ",".join([f"FileName_Orig{c}" for c in CHANNELS] + [f"PathName_Orig{c}" for c in CHANNELS])
    header += ",Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Compound"
    rows = [
        ",".join(
            [f"{well}_s{site}_{c}.png" for c in CHANNELS]
            + [folder.format(plate=plate)] * 2
            + [plate, well, str(site), "drug" if well == "A01" else "none"]
        )
        for plate, well, site in fields.pixels
    ]
    return write_csv(fields.root / "load_data.csv", header, rows)


def test_cells_of_label_images_have_ids_groups_and_boxes(fields: Fields) -> None:
    found = manifest(fields.root, **masks_of(fields))
    assert found.table["sample_id"].tolist()[:5] == [
        "P1/A01/1:1",
        "P1/A01/1:2",
        "P1/A01/1:3",
        "P1/A01/1:4",
        "P1/B02/1:1",
    ]
    assert found.table["group"].tolist() == found.table["field"].tolist() == found.regions.field.tolist()
    assert found.regions.centre[:4].tolist() == [list(map(float, centre)) for centre in CENTRES]
    assert found.regions.box[0].tolist() == [5, 4, 9, 9]
    assert found.regions.mask_value.tolist() == [1, 2, 3, 4] * 4
    assert set(found.columns) == {"field", "plate", "well", "site"}
    assert found.file_columns == ("file_DNA", "file_ER")


def test_crops_are_the_pixels_of_the_boxes(fields: Fields) -> None:
    found = manifest(fields.root, **masks_of(fields))
    reader = sample_reader(found, None, max_pixels=10**6)
    expected = fields.pixels["P1", "B02", 1][:, 6:15, 26:35]
    np.testing.assert_array_equal(reader.read(5), expected)
    properties = reader.read_sample(5).properties
    assert (properties.height, properties.width, properties.file_format) == (9, 9, "png")
    assert properties.bits_used == int(expected.max()).bit_length()


def test_pixels_outside_of_the_cell_become_zero(fields: Fields) -> None:
    found = manifest(fields.root, **masks_of(fields), images__fields__mask="zero_outside")
    crop = sample_reader(found, None, max_pixels=10**6).read(1)
    expected = fields.pixels["P1", "A01", 1][:, 6:15, 26:35].copy()
    expected[:, fields.labels["P1", "A01", 1][6:15, 26:35] != 2] = 0
    np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize("name", ["{plate}/{well}_s{site}_cp_masks.tif", "{plate}/{well}_s{site:d}_cp_masks.tif"])
def test_names_of_label_images_can_be_given(name: str, fields: Fields) -> None:
    assert len(manifest(fields.root, **masks_of(fields), images__fields__masks=name)) == 16


def test_label_images_beside_the_images_are_no_fields(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", np.full((SIDE, SIDE), 7, np.uint8))
        labels = np.zeros((SIDE, SIDE), np.int32)
        labels[10:20, 10:20], labels[30:34, 30:34] = 3, 9
        tifffile.imwrite(tmp_path / "images" / f"{name}_masks.tif", labels)
    for pattern in (None, "{field}.tif"):
        found = manifest(tmp_path, images__pattern=pattern, images__channels=[0])
        assert found.table["sample_id"].tolist() == ["a:3", "a:9", "b:3", "b:9"]
        assert found.file_columns == ("file",)


def test_classes_of_wells_are_joined(fields: Fields) -> None:
    labels = write_csv(fields.root / "layout.csv", "Plate,Well,treatment", LABELS)
    found = manifest(fields.root, **masks_of(fields), labels__file=labels)
    assert set(zip(found.table["well"], found.table["label"], strict=True)) == {("A01", "drug"), ("B02", "none")}
    assert "Plate" not in found.columns


def test_classes_of_cells_are_joined_by_field_and_number(fields: Fields) -> None:
    rows = [f"{p},{w},{s},{n},{'round' if n < 3 else 'flat'}" for p, w, s in fields.pixels for n in range(1, 5)]
    labels = write_csv(
        fields.root / "cells.csv", "Metadata_Plate,Metadata_Well,Metadata_Site,ObjectNumber,treatment", rows
    )
    found = manifest(fields.root, **masks_of(fields), labels__file=labels)
    assert found.table["label"].tolist() == ["round", "round", "flat", "flat"] * 4


def test_classes_of_sample_ids_are_joined(fields: Fields) -> None:
    rows = [f"{p}/{w}/{s}:{n},{n % 2}" for p, w, s in fields.pixels for n in range(1, 5)]
    labels = write_csv(fields.root / "cells.csv", "file_id,treatment", rows)
    assert manifest(fields.root, **masks_of(fields), labels__file=labels).table["label"].tolist() == ["1", "0"] * 8


def test_cells_without_a_row_are_told(fields: Fields) -> None:
    labels = write_csv(fields.root / "layout.csv", "Plate,Well,treatment", LABELS[:3])
    with pytest.raises(ManifestError, match="4 of 16 cells have no row"):
        manifest(fields.root, **masks_of(fields), labels__file=labels)
    found = manifest(fields.root, **masks_of(fields), labels__file=labels, labels__unmatched="listed")
    assert len(found) == 12
    assert len(found.regions) == 12
    kept = manifest(fields.root, **masks_of(fields), labels__file=labels, labels__unmatched="ignore")
    assert kept.table["label"].tolist().count("") == 4


def test_load_data_and_objects_give_plates_and_classes(fields: Fields) -> None:
    found = manifest(
        fields.root,
        images__pattern=None,
        images__fields__table=load_data(fields),
        images__fields__positions=str(objects_csv(fields)),
        labels__label="Metadata_Compound",
        labels__group="plate",
    )
    assert found.table["sample_id"].tolist()[4] == "P1/B02/1:1"
    assert found.table["group"].tolist() == ["P1"] * 8 + ["P2"] * 8
    assert found.table["label"].tolist()[:8] == ["drug"] * 4 + ["none"] * 4
    assert found.regions.centre[0].tolist() == [8, 9]
    assert any("other folders" in line for line in found.remarks)
    assert "AreaShape_Area" not in found.columns


@pytest.mark.parametrize("prefix", ["Nuclei_", "Cells_"])
def test_prefixed_positions_and_numbers_are_known(prefix: str, fields: Fields) -> None:
    found = manifest(
        fields.root,
        images__pattern=None,
        images__fields__table=load_data(fields, folder="/home/lab/{plate}"),
        images__fields__positions=str(objects_csv(fields, prefix=prefix)),
    )
    assert len(found) == 16


def test_deepprofiler_tables_are_read_field_by_field(fields: Fields) -> None:
    for plate, well, site in fields.pixels:
        (fields.root / "locations" / plate).mkdir(parents=True, exist_ok=True)
        rows = [f"{x},{y}" for x, y in CENTRES[:3]]
        header = "Nuclei_Location_Center_X,Nuclei_Location_Center_Y"
        write_csv(fields.root / "locations" / plate / f"{well}-{site}-Nuclei.csv", header, rows)
    found = manifest(
        fields.root, images__fields__positions=f"{fields.root}/locations/{{plate}}/{{well}}-{{site}}-Nuclei.csv"
    )
    assert found.table["sample_id"].tolist()[:3] == ["P1/A01/1:1", "P1/A01/1:2", "P1/A01/1:3"]
    assert len(found) == 12


def test_one_table_of_files_positions_and_labels(fields: Fields) -> None:
    rows = [f"P1/A01_s1_DNA.png,P1/A01_s1_ER.png,{x},{y},{'drug' if x < 20 else 'none'}" for x, y in CENTRES]
    labels = write_csv(fields.root / "cells.csv", "DNA,ER,x,y,treatment", rows)
    found = manifest(fields.root, images__pattern=None, labels__file=labels)
    assert found.table["sample_id"].tolist() == [f"P1/A01_s1_DNA:{n}" for n in range(1, 5)]
    assert found.table["label"].tolist() == ["drug", "none", "drug", "none"]


def test_class_folders_give_labels(tmp_path: Path) -> None:
    for label in ("drug", "none"):
        (tmp_path / "images" / label).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "images" / label / "1.tif", np.zeros((SIDE, SIDE), np.uint8))
    rows = [f"{label}/1.tif,{x},{y}" for label in ("drug", "none") for x, y in CENTRES]
    table = write_csv(tmp_path / "positions.csv", "file,x,y", rows)
    found = manifest(
        tmp_path,
        images__pattern="{label}/{field}.tif",
        images__channels=[0],
        images__fields__positions=str(table),
        labels__label=None,
    )
    assert found.table["label"].tolist() == ["drug"] * 4 + ["none"] * 4


def test_cells_at_the_border_are_dropped_and_counted(fields: Fields) -> None:
    padded = manifest(fields.root, **masks_of(fields), images__fields__crop_size=21)
    assert any(
        "8 of 16 crops reach beyond the border" in line or "crops reach beyond" in line for line in padded.remarks
    )
    dropped = manifest(fields.root, **masks_of(fields), images__fields__crop_size=21, images__fields__border="drop")
    assert 0 < len(dropped) < len(padded) == 16
    assert any(f"left out: {16 - len(dropped)} cells at the border" in line for line in dropped.remarks)


def test_positions_and_label_images_are_compared(fields: Fields) -> None:
    rows = ["P1,A01,1,1,8,9", "P1,A01,1,7,30,10", "P1,A01,1,2,,10", "P1,A01,1,3,400,10"]
    header = "Metadata_Plate,Metadata_Well,Metadata_Site,ObjectNumber,Location_Center_X,Location_Center_Y"
    table = write_csv(fields.root / "cells.csv", header, rows)
    found = manifest(fields.root, **masks_of(fields), images__fields__positions=str(table))
    assert found.table["sample_id"].tolist() == ["P1/A01/1:1"]
    told = "\n".join(found.remarks)
    assert "1 cells without a position: P1/A01/1:2" in told
    assert "1 cells whose number is no value of their label image: P1/A01/1:7" in told
    assert "1 cells whose centre lies outside of their field: P1/A01/1:3" in told
    assert "2 objects of label images that the positions do not list" in told


def test_crop_size_is_asked_for_with_one_that_fits(fields: Fields) -> None:
    with pytest.raises(ConfigError, match=r"at most 7 pixels.*crop_size=16"):
        manifest(fields.root, **masks_of(fields), images__fields__crop_size=None)


def test_resolution_changes_the_box_and_not_the_crop(fields: Fields) -> None:
    wanted = {"images__fields__resolution": 0.5, "images__fields__crop_size": 8}
    with pytest.raises(ManifestError, match=r"do not state.*pixel_size"):
        manifest(fields.root, **masks_of(fields), **wanted)
    found = manifest(fields.root, **masks_of(fields), **wanted, images__fields__pixel_size=0.25)
    assert set(found.regions.box[:, 2].tolist()) == {16}
    assert sample_reader(found, None, max_pixels=10**6).read(0).shape == (2, 8, 8)


def test_digest_covers_boxes_and_label_values(fields: Fields) -> None:
    found = manifest(fields.root, **masks_of(fields))
    assert found.digest() == manifest(fields.root, **masks_of(fields)).digest()
    assert found.digest() != manifest(fields.root, **masks_of(fields), images__fields__crop_size=11).digest()


def test_taken_rows_keep_their_crops(fields: Fields) -> None:
    found = manifest(fields.root, **masks_of(fields))
    whole = sample_reader(found, None, max_pixels=10**6)
    taken = sample_reader(found.take([7, 2]), None, max_pixels=10**6)
    np.testing.assert_array_equal(taken.read(0), whole.read(7))
    np.testing.assert_array_equal(taken.read(1), whole.read(2))


def test_numbers_of_scikit_image_are_no_classes(fields: Fields) -> None:
    rows = [f"P1/A01_s1_DNA.png,{n},{y},{x}" for n, (x, y) in enumerate(CENTRES, start=1)]
    table = write_csv(fields.root / "regions.csv", "file,label,centroid-0,centroid-1", rows)
    found = manifest(fields.root, images__fields__positions=str(table))
    assert found.table["label"].tolist() == [""] * 4
    assert found.table["sample_id"].tolist()[3] == "P1/A01/1:4"
    assert found.regions.centre[1].tolist() == [30, 10]


def test_field_with_an_empty_table_is_left_out(fields: Fields) -> None:
    (fields.root / "locations").mkdir()
    for plate, well, site in fields.pixels:
        rows = [] if (plate, well) == ("P1", "B02") else ["8,9"]
        write_csv(fields.root / "locations" / f"{plate}-{well}-{site}.csv", "x,y", rows)
    positions = f"{fields.root}/locations/{{plate}}-{{well}}-{{site}}.csv"
    found = manifest(fields.root, images__fields__positions=positions)
    assert len(found) == 3
    assert any("1 fields whose table of positions is empty: P1/B02/1" in line for line in found.remarks)


def test_label_images_in_a_folder_inside_are_no_fields(fields: Fields) -> None:
    for path in sorted((fields.root / "images").rglob("*_ER.png")):
        path.unlink()
    (fields.root / "masks").rename(fields.root / "images" / "objects")
    found = manifest(
        fields.root,
        images__pattern="{plate}/{name}_DNA.png",
        images__channels=[0],
        images__fields__masks_root=fields.root / "images" / "objects",
        images__fields__masks="{plate}/{name}_cp_masks.tif",
    )
    assert len(found) == 16
    assert set(found.columns) == {"field", "plate", "name"}


def test_image_numbers_ask_for_their_table(fields: Fields) -> None:
    with pytest.raises(ManifestError, match=r"images\.fields\.table=FILE"):
        manifest(fields.root, images__fields__positions=str(objects_csv(fields)))


def test_folder_of_masks_beside_the_images_is_named(fields: Fields) -> None:
    with pytest.raises(ManifestError, match=r"no field has a label image.*masks_root=.*masks;"):
        manifest(fields.root)


def test_how_tables_of_positions_were_read_is_told(fields: Fields) -> None:
    for plate, well, site in fields.pixels:
        table = fields.root / "locations" / f"{plate}-{well}-{site}.csv"
        table.parent.mkdir(exist_ok=True)
        table.write_text("x,y,line\n20,20,Zürich\n", encoding="cp1252")
    found = manifest(fields.root, images__fields__positions=f"{fields.root}/locations/{{plate}}-{{well}}-{{site}}.csv")
    (told,) = [remark for remark in found.remarks if "Windows-1252" in remark]
    assert "locations/P1-A01-1.csv" in told
    assert "Zürich" in told
    assert "3 more tables" in told


def test_numbers_in_several_places_are_warned_of(fields: Fields) -> None:
    path = fields.root / "masks" / "P1" / "A01_s1_cp_masks.tif"
    labels = tifffile.imread(path)
    labels[labels == 4] = 1
    # A speck of a few pixels beside its cell is none.
    labels[0, 0] = 3
    tifffile.imwrite(path, labels)
    warned = [line for line in manifest(fields.root, **masks_of(fields)).remarks if "several places" in line]
    assert len(warned) == 1
    assert "A01_s1_cp_masks.tif 1" in warned[0]
    assert "A01_s1_cp_masks.tif 3" not in warned[0]


def test_column_of_fields_may_hold_names_of_files(fields: Fields) -> None:
    rows = ["A01_s1_DNA.png,drug", "B02_s1_DNA.png,none"]
    labels = write_csv(fields.root / "layout.csv", "field,treatment", rows)
    found = manifest(
        fields.root / "images" / "P1",
        **{"images__root": fields.root / "images" / "P1", "images__fields__masks_root": fields.root / "masks" / "P1"},
        images__pattern="{well}_s{site}_{channel}.png",
        labels__file=labels,
    )
    assert found.table.groupby("field")["label"].unique().str[0].to_dict() == {"A01/1": "drug", "B02/1": "none"}


def test_crops_at_the_border_are_counted_among_those_that_are_kept(fields: Fields) -> None:
    path = write_csv(
        fields.root / "cells.csv", "plate,well,site,x,y", ["P1,A01,1,1,1", "P1,A01,1,20,20", "P1,A01,1,90,20"]
    )
    found = manifest(fields.root, images__fields__positions=str(path), labels__unmatched="ignore")
    assert any(line.startswith("1 of 2 crops reach") for line in found.remarks)


def test_rows_may_name_the_files_of_fields_of_which_a_pattern_takes_a_part(fields: Fields) -> None:
    rows = [f"{well}_s1,{x},{y}" for well in ("A01", "B02") for x, y in CENTRES]
    table = write_csv(fields.root / "positions.csv", "field,x,y", rows)
    pattern = "P1/{well}_s{site}_{channel}.png"
    found = manifest(fields.root, images__pattern=pattern, images__fields__positions=str(table))
    assert found.table["well"].tolist() == ["A01"] * 4 + ["B02"] * 4
