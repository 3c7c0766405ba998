"""What `init` says where masks, positions or labels of whole fields cannot be used, and what it makes of stacks."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cellfeat.errors import ManifestError
from cellfeat.proposing.proposal import Answers, Proposal
from cellfeat.proposing.propose import FilesTarget, propose
from cellfeat.proposing.survey import survey_folder
from tests.proposing.layout_folders import LAYOUTS, draw_field, save, write_csv

WELLS = tuple(product(("P1", "P2"), ("A01", "B02")))


def proposal_for(folder: Path) -> Proposal:
    return propose(survey_folder(folder), None, Answers({}), FilesTarget(folder / "cellfeat_files.csv"))


def write_masks(folder: Path, change: str) -> None:
    """Fields with label images that are changed, or with pickles in their place."""
    for number, (plate, well) in enumerate(WELLS):
        image, labels, _ = draw_field(6)
        save(folder, f"images/{plate}_{well}_s1_DAPI.tif", image)
        save(folder, f"images/{plate}_{well}_s1_GFP.tif", image)
        if change == "pickles":
            (folder / f"images/{plate}_{well}_s1_DAPI_seg.npy").write_bytes(b"")
            continue
        if change == "binary":
            labels = np.where(labels > 0, 255, 0).astype(np.uint8)
        if change == "background":
            labels = labels + 1
        if change == "size" and number == 2:
            labels = labels[:40, :40]
        save(folder, f"masks/{plate}_{well}_s1_cp_masks.tif", labels)
    write_csv(folder / "wells.csv", "plate,well,treatment", [(*well, well[1]) for well in WELLS])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("binary", "number the cells"),
        ("background", "surrounds the others"),
        ("size", "P2_A01_s1_cp_masks.tif"),
        ("pickles", "--save_tif"),
    ],
)
def test_masks_that_cannot_be_used_are_named(tmp_path: Path, change: str, told: str) -> None:
    write_masks(tmp_path, change)
    found = proposal_for(tmp_path)
    assert len(found.manifest) == len(WELLS)
    assert "no cells are cut out" in found.remarks[0]
    assert told in found.remarks[0]


def test_table_that_fits_no_field_is_named(tmp_path: Path) -> None:
    LAYOUTS["fields_with_masks"](tmp_path)
    table = tmp_path / "platemap.csv"
    table.write_text(table.read_text().replace("A01", "Z01").replace("B02", "Z02"))
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 60
    assert any("platemap.csv" in line and "z1" in line for line in found.remarks)


def test_tables_of_positions_are_found_where_images_say_s1(tmp_path: Path) -> None:
    for plate, well in WELLS:
        for site in (1, 2):
            image, _, centres = draw_field(4)
            for channel in ("DNA", "ER"):
                save(tmp_path, f"images/{plate}_{well}_s{site}_{channel}.tif", image)
            table = tmp_path / f"locations/{plate}/{well}-{site}-Nuclei.csv"
            write_csv(table, "Location_Center_X,Location_Center_Y", centres)
    write_csv(tmp_path / "wells.csv", "plate,well,treatment", [(*well, well[1]) for well in WELLS])
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 32
    assert str(found.settings.images.fields.positions).endswith("locations/{plate}/{well}-{site}-Nuclei.csv")


def test_depths_are_projected_where_none_was_chosen(tmp_path: Path) -> None:
    for plate, well in WELLS:
        image, labels, _ = draw_field(4)
        stack = np.stack([[image, image]] * 3)
        axes = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
        save(tmp_path, f"images/{plate}_{well}_s1.ome.tif", stack, metadata=axes)
        save(tmp_path, f"masks/{plate}_{well}_s1.tif", labels)
    found = proposal_for(tmp_path)
    assert found.settings.images.plane.z == "max"
    assert "images.plane.z" in {choice.key for choice in found.guesses}
    assert tuple(found.settings.images.channels) == ("DAPI", "GFP")
    assert found.settings.extraction.on_error == "stop"


def test_label_in_the_pattern_is_the_reason_of_no_column(tmp_path: Path) -> None:
    for label, number in product(("drug", "DMSO"), range(3)):
        image, labels, _ = draw_field(4)
        save(tmp_path, f"{label}/P1_A0{number + 1}_s1.tif", image)
        save(tmp_path, f"{label}/P1_A0{number + 1}_s1_masks.tif", labels)
    found = proposal_for(tmp_path)
    reasons = {choice.key: choice.reason for choice in found.choices}
    assert "{label}" in reasons["labels.label"]


def test_refused_table_of_cells_is_the_first_reason(tmp_path: Path) -> None:
    rows = []
    for place, well in enumerate(("A01", "A02", "B01", "B02")):
        save(tmp_path, f"{well}_s1.tif", draw_field(4)[0])
        rows += [(f"{well}_s1", -5000 - place, 10 * cell, place % 2) for cell in range(4)]
    write_csv(tmp_path / "cells.csv", "field,x,y,treatment", rows)
    with pytest.raises(ManifestError) as error:
        propose(survey_folder(tmp_path), tmp_path / "cells.csv", Answers({}), FilesTarget(tmp_path / "files.csv"))
    assert str(error.value).startswith("no cells are cut out of the images: ")
    assert "-5000" in str(error.value).splitlines()[0]


def test_tables_that_are_unused_for_one_reason_are_told_in_one_line(tmp_path: Path) -> None:
    for well in ("A01", "A02", "B01", "B02"):
        save(tmp_path, f"{well}_s1.tif")
        write_csv(tmp_path / f"{well}_s1_table.csv", "object_id,size,probability", [(1, 50, 0.5)])
    told = [line for line in proposal_for(tmp_path).remarks if "is not used" in line]
    assert len(told) == 1
    assert "3 other tables" in told[0]


def test_tables_of_files_that_were_written_for_other_images_are_passed_over(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"mine/img_{number}.tif")
    write_csv(tmp_path / "other_files.csv", "sample_id,well,w1_file,w2_file", [("A1", "A1", "a_w1.tif", "a_w2.tif")])
    write_csv(tmp_path / "labels.csv", "cell,class", [("unknown_1", "a")])
    told = [line for line in proposal_for(tmp_path / "mine").remarks if "is not used" in line]
    assert len(told) == 1
    assert "labels.csv is not used" in told[0]
