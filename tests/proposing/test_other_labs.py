"""Folders of further laboratories: composites beside channels, channels without files, tables of wells and of cells."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from cellfeat.errors import ManifestError, MissingFileError
from cellfeat.proposing.config_text import config_text
from cellfeat.proposing.proposal import Answers, Proposal
from cellfeat.proposing.propose import FilesTarget, propose
from cellfeat.proposing.seeing import survey_lines
from cellfeat.proposing.survey import survey_folder
from cellfeat.proposing.words import are_wells, role_of_word
from tests.proposing.layout_folders import CLASSES, draw_field, pixels, save, write_csv

WELLS = ("A01", "A02", "B01", "B02")


def proposal_for(folder: Path) -> Proposal:
    return propose(survey_folder(folder), None, Answers({}), FilesTarget(folder / "cellfeat_files.csv"))


def said(found: Proposal) -> str:
    return "\n".join(found.remarks)


def write_labels(folder: Path, ids: Sequence[object], header: str = "image,label") -> None:
    write_csv(folder / "labels.csv", header, [(one, CLASSES[place % 2]) for place, one in enumerate(ids)])


@pytest.mark.parametrize("word", ["merge", "overlay", "composite", "RGB"])
def test_composites_beside_channels_are_left_out(tmp_path: Path, word: str) -> None:
    for number, channel in product(range(8), ("ch00", "ch01")):
        save(tmp_path, f"c{number}_{channel}.tif")
        save(tmp_path, f"c{number}_{word}.tif", pixels(12, 12, 3))
    write_labels(tmp_path, [f"c{number}" for number in range(8)])
    found = proposal_for(tmp_path)
    assert found.settings.images.channels == ["ch00", "ch01"]
    assert len(found.manifest) == 8


@pytest.mark.parametrize("copy", ["{}_overlay.png", "{}_annotated.jpg", "overlay_{}.png", "{}.tif.jpg", "{} (RGB).tif"])
def test_drawings_and_copies_beside_images_are_left_out(tmp_path: Path, copy: str) -> None:
    for number in range(6):
        save(tmp_path, f"x{number}.tif")
        save(tmp_path, copy.format(f"x{number}"), pixels(12, 12, 3))
    assert len(survey_folder(tmp_path).previews) == 6
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 6
    assert found.settings.images.channels == [0]


@pytest.mark.parametrize("names", [("mergel_1", "mergel_2"), ("a_rgb", "b_rgb"), ("overlay_1", "overlay_2")])
def test_words_of_drawings_without_another_image_are_images(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        save(tmp_path, f"{name}.png")
    assert survey_folder(tmp_path).previews == ()


def test_one_format_of_two_is_taken(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path, f"tif/x{number}.tif")
        save(tmp_path, f"png/x{number}.png")
    assert {Path(name).suffix for name in proposal_for(tmp_path).manifest.table["file"]} == {".tif"}


@pytest.mark.parametrize("folder", ["thumbnails", "overlays", "QC", "low_res images", "Merged", "backup"])
@pytest.mark.parametrize("images", ["A/{}.png", "A/raw/{}.png", "A/{}_DAPI.png"])
def test_images_in_folders_of_previews_are_no_samples(tmp_path: Path, folder: str, images: str) -> None:
    for label, number in product("AB", range(6)):
        save(tmp_path, images.replace("A", label).format(f"x{number}"))
        save(tmp_path, f"{label}/{folder}/x{number}.jpg", pixels(12, 12, 3))
    survey = survey_folder(tmp_path)
    assert len(survey.previews) == 12
    assert any("12 images named like previews" in line for line in survey_lines(survey))
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 12
    assert found.settings.images.channels in ([0], ["DAPI"])
    assert set(found.manifest.table["label"]) == {"A", "B"}


def test_folder_of_overlays_beside_that_of_images_is_no_class(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path, f"images/x{number}.png")
        save(tmp_path, f"overlays/x{number}.png", pixels(12, 12, 3))
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 6
    assert not found.manifest.table["label"].any()


def test_folders_of_composites_and_of_channels(tmp_path: Path) -> None:
    for folder, number in product(("DAPI", "GFP", "merge"), range(6)):
        save(tmp_path, f"{folder}/x{number}.png", pixels(12, 12, *([3] if folder == "merge" else [])))
    assert proposal_for(tmp_path).settings.images.channels == ["DAPI", "GFP"]


def test_class_that_is_called_like_previews_stays_where_its_images_are_no_copies(tmp_path: Path) -> None:
    for label, number in product(("overlay", "plain"), range(6)):
        save(tmp_path, f"{label}/{label[0]}{number}.png")
    assert set(proposal_for(tmp_path).manifest.table["label"]) == {"overlay", "plain"}


def test_composites_alone_are_the_images(tmp_path: Path) -> None:
    for label, number in product(CLASSES, range(4)):
        save(tmp_path, f"{label}/c{number}_merge.tif", pixels(12, 12, 3))
    assert len(proposal_for(tmp_path).manifest) == 8


def save_coloured(folder: Path, name: str, *planes: int) -> None:
    """Save a grey image as RGB in these of its planes."""
    image = np.zeros((12, 12, 3), np.uint8)
    image[..., list(planes)] = pixels(12, 12, 1)
    save(folder, name, image)


def test_channels_saved_in_their_colours_are_channels_and_no_classes(tmp_path: Path) -> None:
    for number, (plane, colour) in product(range(8), enumerate(("red", "green", "blue"))):
        save_coloured(tmp_path, f"im{number}_{colour}.png", plane)
    write_labels(tmp_path, [f"im{number}" for number in range(8)])
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 8
    assert sorted(found.settings.images.channels) == ["blue", "green", "red"]


def test_one_channel_saved_in_its_colour_is_one_channel(tmp_path: Path) -> None:
    for label, number in product(CLASSES, range(4)):
        save_coloured(tmp_path, f"{label}/c{number}.png", 2)
    found = proposal_for(tmp_path)
    assert found.settings.images.channels == [2]
    assert any("1 channel a file, saved as RGB" in line for line in survey_lines(survey_folder(tmp_path)))


def test_grey_images_in_different_colours_keep_all_planes(tmp_path: Path) -> None:
    for plane, label in enumerate(CLASSES[:2]):
        for number in range(4):
            save_coloured(tmp_path, f"{label}/c{number}.png", plane)
    assert proposal_for(tmp_path).settings.images.channels == [0, 1, 2]


def test_channels_in_two_spellings_are_refused(tmp_path: Path) -> None:
    for number, channel in product(range(8), ("DAPI", "FITC")):
        save(tmp_path, f"c{number}_{channel if number < 5 else channel.lower()}.tif")
    with pytest.raises(ManifestError, match=r"DAPI, FITC, dapi, fitc"):
        proposal_for(tmp_path)


def test_channels_that_many_samples_lack_are_refused(tmp_path: Path) -> None:
    for number, wave in product(range(12), (1, 2)):
        if wave == 1 or number % 3:
            save(tmp_path, f"exp_s{number}_w{wave}.tif")
    with pytest.raises(ManifestError, match=r"channels \(w1, w2\)"):
        proposal_for(tmp_path)


def test_cell_lines_with_numbers_are_no_channels(tmp_path: Path) -> None:
    for label, number in product(("C2C12", "C3H10"), range(6)):
        save(tmp_path, f"{label}_{number}.png")
    assert set(proposal_for(tmp_path).manifest.table["label"]) == {"C2C12", "C3H10"}


def test_other_tables_of_the_same_wells_are_refused(tmp_path: Path) -> None:
    for turn, plate in enumerate(("P1", "P2")):
        for well, site in product(WELLS, (1, 2)):
            save(tmp_path, f"{plate}/{well}_{site}.tif")
        rows = [(well, CLASSES[(place + turn) % 2]) for place, well in enumerate(WELLS)]
        write_csv(tmp_path / plate / "platemap.csv", "well,treatment", rows)
    with pytest.raises(ManifestError, match=r"P1/platemap.csv.*P2/platemap.csv.*column"):
        proposal_for(tmp_path)


def test_table_of_wells_is_joined_to_a_table_of_files(tmp_path: Path) -> None:
    rows = []
    for well, site in product(WELLS, (1, 2)):
        names = [f"{well}f{site}-ch{channel}.tiff" for channel in (1, 2)]
        for name in names:
            save(tmp_path, f"Images/{name}")
        rows.append((*names, "/raw/", "/raw/", "BR1", well, site))
    header = (
        "FileName_OrigDNA,FileName_OrigER,PathName_OrigDNA,PathName_OrigER,Metadata_Plate,Metadata_Well,Metadata_Site"
    )
    write_csv(tmp_path / "load_data.csv", header, rows)
    write_csv(tmp_path / "map.csv", "well_position,gene", [(well, CLASSES[n % 2]) for n, well in enumerate(WELLS)])
    found = proposal_for(tmp_path)
    assert set(found.manifest.table["label"]) == set(CLASSES)
    assert "map.csv, by well_position" in said(found)


def test_rows_and_columns_of_a_table_are_wells(tmp_path: Path) -> None:
    rows = []
    for row, column, site in product((2, 3), (3, 4), (1, 2)):
        save(tmp_path, f"r{row:02d}c{column:02d}f{site:02d}p01-ch1sk1fk1fl1.tiff")
        rows.append((row, column, site, CLASSES[site % 2]))
    write_csv(tmp_path / "labels.csv", "Row,Column,Field,class", rows)
    found = proposal_for(tmp_path)
    assert found.manifest.table["label"].value_counts().to_dict() == {"HeLa": 4, "A549": 4}


def test_images_drawn_with_a_colour_map_are_told(tmp_path: Path) -> None:
    colours = np.column_stack([np.arange(256), np.arange(256) // 2, 255 - np.arange(256)]).astype(np.uint8)
    rng = np.random.default_rng(0)
    for label, number in product(CLASSES, range(4)):
        save(tmp_path, f"{label}/c{number}.png", colours[rng.integers(0, 256, (40, 40))])
    assert "8 of 8 images that were read have no more colours than a colour map" in said(proposal_for(tmp_path))


def test_wells_of_1536_well_plates_are_wells(tmp_path: Path) -> None:
    wells = [f"{row}{column:02d}" for row, column in product(("C", "Q", "Z", "AA", "AF"), (1, 25, 48))]
    for well, site in product(wells, (1, 2)):
        save(tmp_path, f"P1_{well}_s{site}.tif")
    write_csv(tmp_path / "plate.csv", "well,line", [(well, CLASSES[n % 2]) for n, well in enumerate(wells)])
    found = proposal_for(tmp_path)
    assert found.manifest.table["label"].value_counts().to_dict() == {"HeLa": 16, "A549": 14}
    assert found.settings.labels.group == "well"


@pytest.mark.parametrize("values", [("AB1", "AB2"), ("AA1", "AZ1"), ("T1", "T30"), ("A49", "AA1")])
def test_other_codes_are_no_wells(values: Sequence[str]) -> None:
    assert not are_wells(values)


def test_experiments_are_matched_with_their_folders(tmp_path: Path) -> None:
    rows = []
    for place, (run, plate, well) in enumerate(product(("HEPG2-01", "HUVEC-02"), (1, 2), WELLS)):
        save(tmp_path, f"images/{run}/Plate{plate}/{well}_s1.png")
        rows.append((f"{run}_{plate}_{well}", run, plate, well, 1, CLASSES[place // 8]))
    write_csv(tmp_path / "metadata.csv", "well_id,experiment,plate,well,site,treatment", rows)
    table = proposal_for(tmp_path).manifest.table
    assert table.loc[table["sample_id"].str.startswith("HUVEC"), "label"].unique().tolist() == ["A549"]


def test_tiles_keep_their_slide(tmp_path: Path) -> None:
    for (label, slide), x, y in product(
        (("ill", "S1"), ("ill", "S2"), ("well", "S3"), ("well", "S4")), range(3), range(2)
    ):
        save(tmp_path, f"{label}/{slide}_{x * 256}_{y * 256}.png", pixels(12, 12, 3))
    assert proposal_for(tmp_path).manifest.table["group"].nunique() == 4


def test_of_tables_of_parts_the_training_part_is_taken(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path, f"images/im{number}.png")
    for place, part in enumerate(("train", "val", "test")):
        rows = [(f"im{number}.png", CLASSES[number % 2]) for number in range(4 * place, 4 * place + 4)]
        write_csv(tmp_path / f"{part}.csv", "image,label", rows)
    found = proposal_for(tmp_path)
    assert found.settings.labels.file == tmp_path / "train.csv"
    assert "labels.split" in config_text(found)


def test_table_under_a_title_is_used(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"im{number}.png")
    book = openpyxl.Workbook()
    for row in (["Experiment of May"], ["image", "label"], *([f"im{number}", "x"] for number in range(4))):
        book.active.append(row)
    book.save(tmp_path / "labels.xlsx")
    found = proposal_for(tmp_path)
    assert found.settings.labels.file == tmp_path / "labels.xlsx"
    assert "row 1 (Experiment of May)" in said(found)


def test_table_of_a_single_column_is_named(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"im{number}.png")
    write_csv(tmp_path / "labels.csv", "image", [(f"im{number}",) for number in range(4)])
    assert "labels.csv: is not used: a single column" in said(proposal_for(tmp_path))


def test_table_that_is_drawn_like_a_plate_is_named(tmp_path: Path) -> None:
    for well, site in product(WELLS, (1, 2)):
        save(tmp_path, f"{well}_{site}.tif")
    write_csv(tmp_path / "map.csv", ",1,2", [("A", "x", "y"), ("B", "x", "y")])
    assert "drawn like a plate" in said(proposal_for(tmp_path))


def test_archives_are_named(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(ManifestError, match=r"images\.zip; unpack"):
        survey_folder(tmp_path)
    with pytest.raises(MissingFileError, match="unpack"):
        survey_folder(tmp_path / "images.zip")


@pytest.mark.parametrize(
    ("name", "role"), [("Image_Metadata_Well_DAPI", "well"), ("Metadata_Plate_Actin", "plate"), ("well_type", None)]
)
def test_role_of_a_column_for_each_channel(name: str, role: str | None) -> None:
    assert role_of_word(name) == role


def write_fields(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """Fields of four wells with the centres of their cells."""
    centres = {}
    for well in WELLS:
        image, _, centres[well] = draw_field(4)
        save(folder, f"fields/{well}.tif", image)
    return centres


def test_table_of_fields_with_one_file_each(tmp_path: Path) -> None:
    centres = write_fields(tmp_path)
    listed = [(number, f"{well}.tif", "/raw", well) for number, well in enumerate(centres, start=1)]
    write_csv(tmp_path / "Image.csv", "ImageNumber,FileName_DNA,PathName_DNA,Metadata_Well", listed)
    for objects in ("Cells", "Nuclei"):
        rows = [(n, i, x, y) for n, places in enumerate(centres.values(), 1) for i, (x, y) in enumerate(places, 1)]
        write_csv(tmp_path / f"{objects}.csv", "ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y", rows)
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 16
    assert found.settings.images.channels == [0]
    assert found.settings.labels.file == tmp_path / "Nuclei.csv"
    (positions,) = (choice for choice in found.guesses if choice.key == "labels.file")
    assert "Cells.csv" in positions.reason


@pytest.mark.parametrize("columns", ["row,col", "bbox-0,bbox-1", "xmin,ymin"])
def test_rows_of_cells_without_positions_are_explained(tmp_path: Path, columns: str) -> None:
    rows = [
        (f"{well}.tif", *place, CLASSES[place in places[:2]])
        for well, places in write_fields(tmp_path).items()
        for place in places
    ]
    write_csv(tmp_path / "cells.csv", f"file,{columns},label", rows)
    with pytest.raises(ManifestError, match=r"images\.layout=fields.*images\.fields\.x"):
        proposal_for(tmp_path)


def test_reason_why_no_cells_are_cut_out_is_told_with_the_error(tmp_path: Path) -> None:
    rows = [(f"{well}.tif", x, y) for well, places in write_fields(tmp_path).items() for x, y in places]
    write_csv(tmp_path / "Results.csv", "Label,X,Y", rows)
    with pytest.raises(ManifestError, match="no column says which field a cell is of"):
        proposal_for(tmp_path)
