"""More folders of images, as other people keep them: none of them was at hand when the reading of names was written."""

import uuid
from itertools import product
from pathlib import Path

import numpy as np

from tests.proposing.layout_folders import CLASSES, Expected, Layout, draw_field, pixels, save, write_csv


def donor_folders(folder: Path) -> Expected:
    """Folders of donors, with folders of conditions inside."""
    for donor, name, i in product(
        ("donor_01", "donor_02", "donor_07", "donor_10", "donor_11"), ("ctrl", "IFN"), (1, 2)
    ):
        save(folder, f"{donor}/{name}/cell_{i:04d}.tif", pixels(12, 12, dtype="uint16"))
    return Expected(20, ("IFN", "ctrl"), n_groups=5, channels=(0,))


def days_and_names(folder: Path) -> Expected:
    """Folders of days, and names of cell line, replicate and number."""
    for day, name, rep, i in product(("2023-05-01", "2023-05-08"), CLASSES, (1, 2, 3), (1, 2)):
        save(folder, f"{day}/{name}_rep{rep}_{i:03d}.png", pixels(12, 12, 3))
    return Expected(24, n_groups=None, channels=(0, 1, 2))


def folder_a_cell(folder: Path) -> Expected:
    """A folder for each cell, with a file for each channel, and a table by folder."""
    for i, channel in product(range(1, 13), ("bf", "dapi", "gfp", "cy5")):
        save(folder, f"crops/cell_{i:04d}/{channel}.tif", pixels(12, 12, dtype="uint16"))
    write_csv(folder / "crops.tsv", "cell\tcelltype", [(f"cell_{i:04d}\t{CLASSES[i % 2]}",) for i in range(1, 13)])
    return Expected(12, channels=("bf", "cy5", "dapi", "gfp"))


def channel_folders(folder: Path) -> Expected:
    """A folder for each channel, with equal names inside, and a semicolon table."""
    for i, channel in product(range(1, 13), ("DAPI", "GFP", "mCherry")):
        save(folder, f"{channel}/img_{i:03d}.png")
    rows = [(f"img_{i:03d}.png;{CLASSES[i % 2]};{i % 6}",) for i in range(1, 13)]
    write_csv(folder / "Labels.CSV", "Image;Class;Slide", rows)
    return Expected(12, n_groups=6, channels=("DAPI", "GFP", "mCherry"))


def windows_copies(folder: Path) -> Expected:
    """Class in the names, numbers in brackets."""
    for name, i in product(CLASSES, range(1, 7)):
        save(folder, f"{name} ({i}).jpg", pixels(12, 12, 3))
    return Expected(12, channels=(0, 1, 2))


def incucyte(folder: Path) -> Expected:
    """Names with experiment, well, field and time."""
    for well, site, hour in product(("A1", "A2", "B11"), (1, 2), (0, 6)):
        save(folder, f"Exp7_{well}_{site}_00d{hour:02d}h00m.tif")
    return Expected(12, (), n_groups=3, channels=(0,))


def jump_plates(folder: Path) -> Expected:
    """Plates of Cell Painting with a folder Images in each, names of Opera Phenix."""
    for plate, row, column, channel in product(("BR00117035", "BR00117036"), (1, 2), (1, 2, 12), range(1, 6)):
        name = f"r{row:02d}c{column:02d}f01p01-ch{channel}sk1fk1fl1.tiff"
        save(folder, f"{plate}__2021-03-05/Images/{name}", pixels(12, 12, dtype="uint16"))
    return Expected(12, (), channels=tuple(f"ch{i}" for i in range(1, 6)))


def irregular_names(folder: Path) -> Expected:
    """Class folders with separators in their names, and files called in any way."""
    names = ("a.png", "IMG 0001.png", "snap-2023-04-05.png", "x_y_z.png", "2.png", "Untitled (3).png")
    for name, file in product(("U-2 OS", "HEK 293", "CACO-2"), names):
        save(folder, f"{name}/{file}", pixels(12, 12, 3))
    return Expected(18, ("CACO-2", "HEK 293", "U-2 OS"), channels=(0, 1, 2))


def imagej_splits(folder: Path) -> Expected:
    """Channels split by ImageJ, in folders of classes."""
    for name, i, channel in product(("WT", "KO"), range(1, 7), ("C1", "C2", "C3")):
        save(folder, f"{name}/{channel}-MAX_image_{i:02d}.tif", pixels(12, 12, dtype="uint16"))
    return Expected(12, ("KO", "WT"), channels=("C1", "C2", "C3"))


def leica_export(folder: Path) -> Expected:
    """Exports of Leica with series and channels, in folders of classes."""
    for name, i, channel in product(("treated", "untreated"), range(1, 7), ("ch00", "ch01")):
        save(folder, f"{name}/Project_Series{i:03d}_{channel}.tif")
    return Expected(12, ("treated", "untreated"), channels=("ch00", "ch01"))


def hpa(folder: Path) -> Expected:
    """Names of the Human Protein Atlas, and a table without endings."""
    rows = []
    for i in range(12):
        one = uuid.UUID(int=i * 7919 + 2**100)
        for channel in ("red", "green", "blue", "yellow"):
            save(folder, f"train/{one}_{channel}.png")
        rows.append((one, CLASSES[i % 2]))
    write_csv(folder / "train.csv", "Id,Target", rows)
    return Expected(12, channels=("blue", "green", "red", "yellow"))


def kaggle_halves(folder: Path) -> Expected:
    """Labels of some images; the others have none."""
    for i in range(12):
        save(folder, f"all/{i + 1}.png", pixels(12, 12, 3))
    write_csv(folder / "train_labels.csv", "image_id,label", [(i + 1, CLASSES[i % 2]) for i in range(8)])
    return Expected(8, channels=(0, 1, 2))


def upper_case(folder: Path) -> Expected:
    """Endings in upper case, ids without zeros, other words for columns, missing labels."""
    for i in range(1, 13):
        save(folder, f"DATA/Zelle_{i:03d}.TIF", pixels(12, 12, dtype="uint16"))
    rows = [(f"Zelle_{i:03d}", ("HeLa", "A549", "NA")[i % 3], f"pat{i % 6}") for i in range(1, 13)]
    write_csv(folder / "DATA" / "liste.csv", "Name,Linie,Patient", rows)
    return Expected(12, n_groups=6, channels=(0,))


def grey_as_rgb(folder: Path) -> Expected:
    """Grey images saved as RGB, in class folders with replicates in the names."""
    for name, plate, i in product(CLASSES, ("p1", "p2", "p3", "p4", "p5"), (1, 2)):
        save(folder, f"{name}/{plate}_{i}.png", np.repeat(pixels(12, 12, 1), 3, axis=2))
    return Expected(20, n_groups=5, channels=(0,))


def metaxpress_guids(folder: Path) -> Expected:
    """Names of MetaXpress as it exports them: a random id behind the channel, and thumbnails."""
    for well, site, wave in product(("B03", "C04", "D11"), (1, 2), (1, 2)):
        one = str(uuid.UUID(int=int(_random.integers(2**60)) + 2**100)).upper()
        save(folder, f"Week1_22123/Week1_150607_{well}_s{site}_w{wave}{one}.tif", pixels(12, 12, dtype="uint16"))
        save(folder, f"Week1_22123/Week1_150607_{well}_s{site}_thumb_w{wave}{one}.tif", pixels(4, 4, dtype="uint16"))
    return Expected(6, (), n_groups=3, channels=("w1", "w2"))


def well_table(folder: Path) -> Expected:
    """A table with a row for each well, and several images of a well."""
    for well, site, channel in product(("A01", "A02", "B01", "B02"), (1, 2, 3), ("DAPI", "GFP")):
        save(folder, f"{well}_f{site}_{channel}.tif")
    write_csv(
        folder / "platemap.csv",
        "Well,Treatment",
        [("A01", "DMSO"), ("A02", "Taxol"), ("B01", "DMSO"), ("B02", "Taxol")],
    )
    return Expected(12, ("DMSO", "Taxol"), n_groups=4, channels=("DAPI", "GFP"))


def wells_with_treatment(folder: Path) -> Expected:
    """Folders of a well and its treatment."""
    for well, treatment, i in product(("A01", "A02", "A03", "A04", "A05"), ("DMSO", "Taxol"), (1, 2)):
        save(folder, f"{well}_{treatment}/crop_{i}.png", pixels(12, 12, 3))
    return Expected(20, ("DMSO", "Taxol"), n_groups=5, channels=(0, 1, 2))


def mice(folder: Path) -> Expected:
    """Mouse, genotype, slice and stain in the names."""
    for mouse, genotype, place, stain in product((1, 2, 5, 7, 9, 11), ("WT", "KO"), (1, 2), ("DAPI", "NeuN")):
        save(folder, f"mouse{mouse}_{genotype}_slice{place}_{stain}.tif")
    return Expected(24, ("KO", "WT"), n_groups=6, channels=("DAPI", "NeuN"))


def masks_beside_crops(folder: Path) -> Expected:
    """A mask of each cell beside it, in folders of classes."""
    for name, i in product(CLASSES, range(6)):
        save(folder, f"{name}/cell{i}.tif", pixels(12, 12, dtype="uint16"))
        mask = np.zeros((12, 12), np.uint8)
        mask[3:9, 3:9] = 255
        save(folder, f"{name}/cell{i}_mask.tif", mask)
    return Expected(12, channels=(0,))


def two_tables(folder: Path) -> Expected:
    """Folders and tables of training and test, the test without true labels."""
    for i in range(14):
        save(folder, f"{'train' if i < 10 else 'test'}_images/{i}.png", pixels(12, 12, 3))
    write_csv(folder / "train.csv", "id,label", [(i, CLASSES[i % 2]) for i in range(10)])
    write_csv(folder / "sample_submission.csv", "id,label", [(i, CLASSES[0]) for i in range(10, 14)])
    return Expected(10, channels=(0, 1, 2))


def cellpose_beside(folder: Path) -> Expected:
    """Fields with the masks of Cellpose beside them, the condition in the names."""
    for name, i in product(("condA", "condB"), range(3)):
        image, labels, _ = draw_field(5)
        save(folder, f"{name}_{i}.tif", image)
        save(folder, f"{name}_{i}_cp_masks.png", labels)
    return Expected(30, ("condA", "condB"), n_groups=6, channels=(0,))


def deep_profiler(folder: Path) -> Expected:
    """DeepProfiler: a table of centres for each field, and labels by well."""
    wells = list(product(("SQ01", "SQ02"), ("a01", "b02")))
    for (plate, well), site in product(wells, (1, 2)):
        image, _, centres = draw_field(4)
        for channel in ("DNA", "ER"):
            save(folder, f"images/{plate}/{well}_{site}_{channel}.tif", image)
        header = "Nuclei_Location_Center_X,Nuclei_Location_Center_Y"
        write_csv(folder / f"locations/{plate}/{well}-{site}-Nuclei.csv", header, centres)
    rows = [(plate, well, "DMSO" if well == "a01" else "drug") for plate, well in wells]
    write_csv(folder / "metadata.csv", "Metadata_Plate,Metadata_Well,Treatment", rows)
    return Expected(32, ("DMSO", "drug"), channels=("DNA", "ER"))


def tiles_of_slides(folder: Path) -> Expected:
    """A table of tiles with slides and positions."""
    rows = []
    for slide, i in product(range(1, 7), range(1, 5)):
        name = f"tiles/S{slide:02d}_x{i * 100}_y{i * 37}.png"
        save(folder, name, pixels(12, 12, 3))
        rows.append((name, f"S{slide:02d}", ("tumor", "normal")[i % 2], i * 100, i * 37))
    write_csv(folder / "tiles.csv", "path,slide_id,tissue,x,y", rows)
    return Expected(24, ("normal", "tumor"), n_groups=6, channels=(0, 1, 2))


def separators_in_classes(folder: Path) -> Expected:
    """Class names with separators at the beginning of the file names."""
    for name, i, channel in product(("A549", "U-2 OS"), range(1, 5), ("blue", "green")):
        save(folder, f"{name}_{i}_{channel}.png")
    return Expected(8, ("A549", "U-2 OS"), channels=("blue", "green"))


def tables_of_bbbc(folder: Path) -> Expected:
    """An image table with file names and folders for each channel, as BBBC021 has it; plates are folders."""
    rows = []
    for plate, well, site in product(("22123", "22141"), ("B02", "C03", "D04"), (1, 2)):
        names = [f"Week1_150607_{well}_s{site}_w{wave}_{plate}.tif" for wave in (1, 2)]
        for name in names:
            save(folder, f"Week1_{plate}/{name}", pixels(12, 12, dtype="uint16"))
        below = f"Week1/Week1_{plate}"
        treatment = {"B02": "taxol", "C03": "DMSO", "D04": "emetine"}[well]
        rows.append((names[0], below, names[1], below, well, treatment))
    names = "Image_FileName_DAPI,Image_PathName_DAPI,Image_FileName_Actin,Image_PathName_Actin"
    write_csv(folder / "image.csv", f"{names},Image_Metadata_Well,Image_Metadata_Compound", rows)
    return Expected(12, ("DMSO", "emetine", "taxol"), channels=("DAPI", "Actin"))


def numbered_channels(folder: Path) -> Expected:
    """Channels by a number alone: only the ids of the table tell them from fields."""
    for i, channel in product(range(1, 9), (0, 1, 2)):
        save(folder, f"cell{i:03d}_{channel}.png")
    write_csv(folder / "labels.csv", "cell,label", [(f"cell{i:03d}", CLASSES[i % 2]) for i in range(1, 9)])
    return Expected(8, channels=("0", "1", "2"))


def a_missing_channel(folder: Path) -> Expected:
    """One sample lacks the file of a channel."""
    for i, channel in product(range(1, 41), ("DAPI", "GFP")):
        if (i, channel) != (7, "GFP"):
            save(folder, f"{i:03d}_{channel}.png")
    write_csv(folder / "labels.csv", "id,label", [(i, CLASSES[i % 2]) for i in range(1, 41)])
    return Expected(39, channels=("DAPI", "GFP"))


def cell_cycle(folder: Path) -> Expected:
    """Class folders that read like wells."""
    for name, i in product(("G1", "G2"), range(6)):
        save(folder, f"{name}/{i}.tif", pixels(12, 12, dtype="uint16"))
    return Expected(12, ("G1", "G2"), channels=(0,))


def in_cell(folder: Path) -> Expected:
    """Names of IN Cell: wells with spaces, fields and filters in brackets."""
    for well, site, channel in product(("A - 01", "A - 02", "B - 11"), (1, 2), ("UV - DAPI", "Blue - FITC")):
        save(folder, f"{well}(fld {site} wv {channel}).tif", pixels(12, 12, dtype="uint16"))
    return Expected(6, (), n_groups=3, channels=("DAPI", "FITC"))


def masks_in_plates(folder: Path) -> Expected:
    """Folders of images and of masks in the folder of each plate."""
    for plate, i in product(("plate1", "plate2"), range(3)):
        image, labels, _ = draw_field(6)
        save(folder, f"{plate}/images/f{i}.tif", image)
        save(folder, f"{plate}/masks/f{i}.tif", labels)
    return Expected(36, (), channels=(0,))


def centroids(folder: Path) -> Expected:
    """A table of scikit-image, rows before columns, with labels of the fields."""
    rows = []
    for i in range(6):
        image, _, centres = draw_field(5)
        save(folder, f"f{i}.png", (image // 256).astype(np.uint8))
        rows += [(f"f{i}.png", number, y, x, CLASSES[i % 2]) for number, (x, y) in enumerate(centres)]
    write_csv(folder / "regionprops.csv", "filename,label_id,centroid-0,centroid-1,cell_line", rows)
    return Expected(30, n_groups=6, channels=(0,))


_random = np.random.default_rng(1)
LAYOUTS: dict[str, Layout] = {
    made.__name__: made
    for made in (
        donor_folders, days_and_names, folder_a_cell, channel_folders, windows_copies, incucyte, jump_plates,
        irregular_names, imagej_splits, leica_export, hpa, kaggle_halves, upper_case, grey_as_rgb, metaxpress_guids,
        well_table, wells_with_treatment, mice, masks_beside_crops, two_tables, cellpose_beside, deep_profiler,
        tiles_of_slides, separators_in_classes, tables_of_bbbc, numbered_channels, a_missing_channel, cell_cycle,
        in_cell, masks_in_plates, centroids,
    )
}  # fmt: skip
