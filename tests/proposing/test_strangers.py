"""What `init` says of folders in which a guess would be wrong, or was."""

import json
import unicodedata
from pathlib import Path

import pytest
import tifffile

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ManifestError
from cellfeat.proposing.config_text import config_text
from cellfeat.proposing.proposal import Answers, Proposal
from cellfeat.proposing.propose import FilesTarget, propose
from cellfeat.proposing.survey import survey_folder
from cellfeat.samples.manifest.build import build_manifest
from tests.proposing.layout_folders import pixels, save


def proposal_for(folder: Path) -> Proposal:
    return propose(survey_folder(folder), None, Answers({}), FilesTarget(folder / "cellfeat_files.csv"))


def write_table(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def said(found: Proposal) -> str:
    return "\n".join(found.remarks)


def settings_of(found: Proposal) -> tuple[ImagesSettings, LabelsSettings]:
    return found.settings.images, found.settings.labels


def test_steps_of_depth_are_no_plates(tmp_path: Path) -> None:
    for well, depth, site in ((w, z, s) for w in ("A01", "A02", "B01", "B02") for z in (1, 2) for s in range(3)):
        save(tmp_path, f"TimePoint_1/ZStep_{depth}/exp_{well}_s{site}_w1.tif")
    write_table(tmp_path / "wells.csv", "well,compound\nA01,DMSO\nA02,DMSO\nB01,taxol\nB02,taxol\n")
    table = proposal_for(tmp_path).manifest.table
    assert len(table) == 24
    # Both depths of a place are in one group.
    places = table["sample_id"].str.replace(r"ZStep_\d/", "", regex=True)
    assert (table["group"].groupby(places.to_numpy()).nunique() == 1).all()


def test_frames_of_a_movie_are_one_group(tmp_path: Path) -> None:
    for label in ("wt", "ko"):
        for movie in range(6):
            for time in range(3):
                save(tmp_path, f"{label}/movie{movie}_t{time:03d}.tif")
    table = proposal_for(tmp_path).manifest.table
    assert set(table["label"]) == {"wt", "ko"}
    assert table["group"].nunique() == 6
    assert (table.groupby(["label", "cell"])["group"].nunique() == 1).all()


def test_folders_of_one_letter_are_classes(tmp_path: Path) -> None:
    for name in ("A/00.tif", "A/01.tif", "A/02.tif", "B/00.tif", "B/01.tif", "B/02.tif"):
        save(tmp_path, name)
    assert set(proposal_for(tmp_path).manifest.table["label"]) == {"A", "B"}


def test_folders_of_stains_stay_channels(tmp_path: Path) -> None:
    for name in ("DAPI/00.tif", "DAPI/01.tif", "DAPI/02.tif", "GFP/00.tif", "GFP/01.tif", "GFP/02.tif"):
        save(tmp_path, name)
    assert proposal_for(tmp_path).settings.images.channels == ["DAPI", "GFP"]


@pytest.mark.parametrize("others", [("RFP", "DAPI", "GFP"), ("RFP", "DAPI", "Cy5")])
def test_names_of_channels_in_another_order(tmp_path: Path, others: tuple[str, ...]) -> None:
    for number in range(8):
        names = ("DAPI", "GFP", "RFP") if number % 2 else others
        path = tmp_path / "wt" / f"{number}.ome.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, pixels(3, 12, 12), ome=True, metadata={"axes": "CYX", "Channel": {"Name": list(names)}})
    found = proposal_for(tmp_path)
    if set(others) == {"DAPI", "GFP", "RFP"}:
        assert sorted(map(str, found.settings.images.channels)) == ["DAPI", "GFP", "RFP"]
    else:
        assert found.settings.images.channels == [0, 1, 2]
        assert "images.channels" in {choice.key for choice in found.guesses}
        assert "name their channels in 2 ways" in said(found)


def test_files_that_hold_labels_and_are_not_read_are_named(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"images/im{number}.png")
    (tmp_path / "labels.json").write_text(json.dumps({f"im{number}.png": "live" for number in range(4)}))
    (tmp_path / "about.json").write_text("{}")
    told = said(proposal_for(tmp_path))
    assert "labels.json may hold the labels" in told
    assert "about.json" not in told


def test_texts_named_like_images_are_named(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"images/im{number}.png")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"im{number}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert "labels/im0.txt" in said(proposal_for(tmp_path))


def test_table_without_a_header_is_named(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path, f"images/im{number}.png")
    write_table(tmp_path / "labels.csv", "".join(f"im{number}.png,{'ab'[number % 2]}\n" for number in range(6)))
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 6
    assert "labels.csv: has no header" in said(found)


def test_columns_of_one_class_each_are_named(tmp_path: Path) -> None:
    for number in range(9):
        save(tmp_path, f"images/im{number}.png")
    rows = "".join(f"im{number},{','.join(str(int(number % 3 == one)) for one in range(3))}\n" for number in range(9))
    write_table(tmp_path / "labels.csv", f"id,early,middle,late\n{rows}")
    label = next(choice for choice in proposal_for(tmp_path).guesses if choice.key == "labels.label")
    assert "early, middle, late hold a single 1 in each row" in label.reason


def test_names_in_another_normal_form_are_matched(tmp_path: Path) -> None:
    names = [f"Zelle_ä{number}.png" for number in range(6)]
    for name in names:
        save(tmp_path, f"images/{unicodedata.normalize('NFD', name)}")
    rows = "".join(f"{unicodedata.normalize('NFC', name)},{'ab'[place % 2]}\n" for place, name in enumerate(names))
    write_table(tmp_path / "labels.csv", f"id,class\n{rows}")
    assert set(proposal_for(tmp_path).manifest.table["label"]) == {"a", "b"}


def test_table_whose_class_has_an_unusual_name_asks_for_the_column(tmp_path: Path) -> None:
    for well in ("A1", "A2", "B1", "B2"):
        for site in range(2):
            save(tmp_path, f"plate_{well}_s{site}.tif")
    write_table(tmp_path / "map.csv", "Well,Cells\nA1,HeLa\nA2,HeLa\nB1,A549\nB2,A549\n")
    found = proposal_for(tmp_path)
    assert found.settings.labels.label == "Cells" or "--label COLUMN (Cells)" in said(found)


def test_wells_of_a_table_without_plates_are_told(tmp_path: Path) -> None:
    for plate in ("BR117", "BR118"):
        for well in ("A01", "A02", "B01", "B02"):
            for site in (1, 2):
                save(tmp_path, f"{plate}/{well}_s{site}.tif")
    write_table(tmp_path / "layout.csv", "Well,Compound\nA01,DMSO\nA02,DMSO\nB01,taxol\nB02,taxol\n")
    assert "layout.csv names no plate" in said(proposal_for(tmp_path))


@pytest.mark.parametrize("ending", ["tif", "ome.tif"])
def test_positions_in_micrometres_are_the_reason(tmp_path: Path, ending: str) -> None:
    for number in range(3):
        save(tmp_path, f"f{number}.{ending}", pixels(40, 40))
    rows = "".join(f"f{n}.{ending},{'ab'[k % 2]},{k * 3}.5,{k * 2}.5\n" for n in range(3) for k in range(4))
    write_table(tmp_path / "cells.csv", f"Image,Class,Centroid X µm,Centroid Y µm\n{rows}")
    with pytest.raises(ManifestError, match="'Centroid X µm' is in micrometres"):
        proposal_for(tmp_path)


def test_results_of_ilastik_are_named(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path, f"f{number}.tif", pixels(40, 40))
        (tmp_path / f"f{number}_Object Identities.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert "f0_Object Identities.h5" in said(proposal_for(tmp_path))


def test_picture_of_init_is_no_sample(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path, f"{number}.png")
    found = proposal_for(tmp_path)
    (tmp_path / "cellfeat.yaml").write_text(config_text(found), encoding="utf-8")
    save(tmp_path, "cellfeat.png", pixels(30, 50))
    manifest = build_manifest(*settings_of(found))
    assert manifest.table["sample_id"].tolist() == [str(number) for number in range(6)]
    assert not manifest.remarks


@pytest.mark.parametrize(("n_rows", "layout"), [(1, "table"), (3, "fields")])
def test_several_rows_of_a_field_are_cells_and_one_is_the_place_of_an_image(
    tmp_path: Path, n_rows: int, layout: str
) -> None:
    lines = ["well,site,x,y,treatment"]
    for number, well in enumerate(("A1", "A2", "B1", "B2", "C1", "C2")):
        for site in (1, 2):
            save(tmp_path / "images", f"{well}_s{site}.png")
            lines += [f"{well},{site},{8 + n},{9 + site},{'ab'[number % 2]}" for n in range(n_rows)]
    write_table(tmp_path / "table.csv", "\n".join(lines))
    found = proposal_for(tmp_path)
    assert {one.key: one.value for one in found.choices}.get("images.layout") == layout
    assert set(found.manifest.table["label"]) == {"a", "b"}


@pytest.mark.parametrize("columns", ["well", "well,site"])
def test_fields_of_a_well_are_samples_and_no_channels(tmp_path: Path, columns: str) -> None:
    lines = [f"{columns},treatment"]
    for number, well in enumerate(("A1", "A2", "B1", "B2", "C1", "C2")):
        for site in (1, 2):
            save(tmp_path / "images", f"{well}_s{site}.png")
            if "site" in columns or site == 1:
                lines.append(",".join([well, *([str(site)] if "site" in columns else []), "ab"[number % 2]]))
    write_table(tmp_path / "table.csv", "\n".join(lines))
    found = proposal_for(tmp_path)
    assert len(found.manifest) == 12
    assert found.manifest.channels == (0,)
    assert found.manifest.table["label"].value_counts().to_dict() == {"a": 6, "b": 6}


def test_fields_that_a_table_counts_from_0_are_refused(tmp_path: Path) -> None:
    for well in ("A1", "A2"):
        for site in (1, 2, 3):
            save(tmp_path / "images", f"{well}_s{site}.png")
    rows = "\n".join(f"{well},{site},{'ab'[site % 2]}" for well in ("A1", "A2") for site in (0, 1, 2))
    write_table(tmp_path / "table.csv", f"well,site,phase\n{rows}\n")
    with pytest.raises(ManifestError, match="numbers of column site count from 0"):
        proposal_for(tmp_path)


def test_names_that_may_be_channels_are_ids_where_a_table_lists_them(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path, f"c{number:02d}.png")
    with pytest.raises(ManifestError, match="give no sample an id of its own"):
        proposal_for(tmp_path)
    write_table(tmp_path / "labels.csv", "id,label\n" + "".join(f"c{n:02d},{'AB'[n % 2]}\n" for n in range(6)))
    table = proposal_for(tmp_path).manifest.table
    assert sorted(table["label"]) == ["A"] * 3 + ["B"] * 3


def test_a_table_of_channels_makes_no_samples_of_them(tmp_path: Path) -> None:
    for channel in ("DAPI", "GFP"):
        save(tmp_path, f"{channel}.png")
    write_table(tmp_path / "channels.csv", "channel,exposure\nDAPI,100\nGFP,200\n")
    with pytest.raises(ManifestError, match=r"id of its own.*\n.*channels\.csv is not used: none of its columns"):
        proposal_for(tmp_path)


def test_tables_that_cannot_be_read_are_told_where_no_layout_fits(tmp_path: Path) -> None:
    for channel in ("DAPI", "GFP"):
        save(tmp_path, f"{channel}.png")
    write_table(tmp_path / "labels.csv", "id,label\na,A\nb\n")
    with pytest.raises(ManifestError, match=r"id of its own.*\n.*labels\.csv: line 3: expected 2 cells"):
        proposal_for(tmp_path)


@pytest.mark.parametrize("label", ["A", ""])
def test_a_column_called_label_is_the_label_with_one_class_or_none(tmp_path: Path, label: str) -> None:
    for number in range(6):
        save(tmp_path, f"im{number}.png")
    write_table(tmp_path / "new.csv", "id,label\n" + "".join(f"im{number},{label}\n" for number in range(6)))
    found = proposal_for(tmp_path)
    assert found.settings.labels.label == "label"
    assert set(found.manifest.table["label"]) == {label}
