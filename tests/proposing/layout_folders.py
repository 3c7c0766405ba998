"""Small folders of images as laboratories keep them, and what a reading of them should find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

CLASSES = ("HeLa", "A549")


@dataclass(frozen=True)
class Expected:
    """What there is: number of samples, labels, groups (None: any), channels."""

    n_samples: int
    labels: tuple[str, ...] = CLASSES
    n_groups: int | None = None
    channels: tuple[str | int, ...] = ()


Layout = Callable[[Path], Expected]
_counter = np.random.default_rng(0)


def pixels(*shape: int, dtype: str = "uint8", top: int | None = None) -> np.ndarray:
    """Noise that uses the range of its type, or values up to `top`."""
    highest = np.iinfo(dtype).max if top is None else top
    return _counter.integers(0, highest, shape, dtype, endpoint=True)


def save(folder: Path, name: str, image: np.ndarray | None = None, **options: object) -> None:
    """Write one image by the ending of its name; grey noise by default."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels(12, 12) if image is None else image
    if path.suffix.lower() == ".png":
        path.write_bytes(imagecodecs.png_encode(image))
    elif path.suffix.lower() in (".jpg", ".jpeg"):
        path.write_bytes(imagecodecs.jpeg_encode(image, level=95))
    else:
        tifffile.imwrite(path, image, **options)


def write_csv(file: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    """Write a table."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")


def plate_well_field(folder: Path) -> Expected:
    """Names with plate, well and field, MetaXpress's channels, and a table by id."""
    rows = []
    for plate, well, site in product(("P1", "P2", "P3", "P4", "P5", "P6"), ("B03", "C04"), (1, 2)):
        for wave in (1, 2, 3):
            save(folder, f"images/{plate}_{well}_s{site}_w{wave}.tif", pixels(12, 12, dtype="uint16"))
        rows.append((f"{plate}_{well}_s{site}", CLASSES[well == "C04"], plate))
    write_csv(folder / "labels.csv", "image,cell_line,plate", rows)
    return Expected(24, n_groups=6, channels=("w1", "w2", "w3"))


def channel_after(folder: Path) -> Expected:
    """Channels as words after the id, and a table with other forms of the ids."""
    for i, channel in product(range(1, 13), ("DAPI", "GFP", "Actin")):
        save(folder, f"cell_{i:04d}_{channel}.png")
    write_csv(folder / "annotations.csv", "id,phenotype", [(i, CLASSES[i % 2]) for i in range(1, 13)])
    return Expected(12, channels=("Actin", "DAPI", "GFP"))


def channel_before(folder: Path) -> Expected:
    """Channels before the id, in upper case, no padding."""
    for i, channel in product(range(1, 13), ("DAPI", "TRITC")):
        save(folder, f"{channel}-img{i}.tif", pixels(12, 12, dtype="uint16"))
    write_csv(folder / "labels.csv", "file,class", [(f"img{i}", CLASSES[i % 2]) for i in range(1, 13)])
    return Expected(12, channels=("DAPI", "TRITC"))


def classes_in_plates(folder: Path) -> Expected:
    """Class folders within folders of plates; files are numbered from 1 in each."""
    for plate, name, i in product(range(1, 7), CLASSES, range(1, 4)):
        save(folder, f"Plate{plate}/{name}/{i}.png", pixels(12, 12, 3))
    return Expected(36, n_groups=6, channels=(0, 1, 2))


def train_val_test(folder: Path) -> Expected:
    """Folders train, val and test with class folders inside."""
    for part, name, i in product(("train", "val", "test"), CLASSES, range(1, 4)):
        save(folder, f"{part}/{name}/{part}_{i}.jpg", pixels(12, 12, 3))
    return Expected(18, channels=(0, 1, 2))


def ome_tiffs(folder: Path) -> Expected:
    """One OME-TIFF of four named channels a cell, and a table with donors."""
    rows = []
    for i in range(12):
        metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "ER", "RNA", "Mito"]}}
        save(folder, f"cells/c{i:03d}.ome.tif", pixels(4, 12, 12, dtype="uint16"), ome=True, metadata=metadata)
        rows.append((f"c{i:03d}.ome.tif", f"donor{i // 2}", ("control", "treated")[i % 2]))
    write_csv(folder / "metadata.csv", "filename,Donor,Treatment", rows)
    return Expected(12, ("control", "treated"), n_groups=6, channels=("DNA", "ER", "RNA", "Mito"))


def csv_of_paths(folder: Path) -> Expected:
    """A table that names a file for each channel, below several folders."""
    rows = []
    for i in range(12):
        names = [f"raw/day{i % 3}/{channel}/x{i * 7919 % 1000}.png" for channel in ("nuclei", "actin")]
        for name in names:
            save(folder, name)
        rows.append((i, *names, CLASSES[i % 2], f"plate{i // 2}"))
    write_csv(folder / "samples.csv", "sample,nuclei_path,actin_path,cell_line,Plate", rows)
    return Expected(12, n_groups=6, channels=("nuclei", "actin"))


def mixed_bits(folder: Path) -> Expected:
    """Some images of 8 bits, and some of a 12-bit camera saved in 16."""
    for i, name in product(range(6), CLASSES):
        camera = pixels(12, 12, dtype="uint16", top=4095)
        save(folder, f"{name}/{i:02d}.tif", camera if i % 2 else pixels(12, 12))
    return Expected(12, channels=(0,))


def opera_phenix(folder: Path) -> Expected:
    """Names of Opera Phenix: rows, columns, fields and channels without separators; a folder Images."""
    for row, column, site, channel in product((2, 3, 4), (3, 4, 5, 6), (1, 2), (1, 2)):
        name = f"r{row:02d}c{column:02d}f{site:02d}p01-ch{channel}sk1fk1fl1.tiff"
        save(folder, f"Images/{name}", pixels(12, 12, dtype="uint16"))
    return Expected(24, (), n_groups=12, channels=("ch1", "ch2"))


def yokogawa(folder: Path) -> Expected:
    """Names of Yokogawa: wells, fields and channels."""
    for well, site, channel in product(("A01", "A02", "B01"), (1, 2), (1, 2, 3)):
        save(folder, f"AssayPlate_X_{well}_T0001F{site:03d}L01A01Z01C{channel:02d}.tif", pixels(12, 12, dtype="uint16"))
    return Expected(6, (), n_groups=3, channels=("C01", "C02", "C03"))


def draw_field(n_cells: int, size: int = 96) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """A field with bright discs on a grid: pixels, label image, and centres as (x, y)."""
    image, labels = pixels(size, size, dtype="uint16", top=800), np.zeros((size, size), np.uint16)
    rows, columns = np.mgrid[:size, :size]
    centres = []
    for cell in range(n_cells):
        x, y = (
            14 + 24 * (cell % 3) + int(_counter.integers(-3, 4)),
            14 + 24 * (cell // 3) + int(_counter.integers(-3, 4)),
        )
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= 64
        labels[inside] = cell + 1
        image[inside] += 30_000
        centres.append((x, y))
    return image, labels, centres


def fields_with_masks(folder: Path) -> Expected:
    """Fields of wells on plates, a file for each channel, masks of Cellpose in a folder, labels by well."""
    rows = []
    for plate, well in product(("P1", "P2", "P3", "P4", "P5"), ("A01", "B02")):
        image, labels, _ = draw_field(6)
        for channel in ("DAPI", "GFP"):
            save(folder, f"images/{plate}_{well}_s1_{channel}.tif", image)
        save(folder, f"masks/{plate}_{well}_s1_cp_masks.tif", labels)
    rows = [
        (plate, well, CLASSES[well == "B02"]) for plate, well in product(("P1", "P2", "P3", "P4", "P5"), ("A01", "B02"))
    ]
    write_csv(folder / "platemap.csv", "plate,well,cell_line", rows)
    return Expected(60, n_groups=5, channels=("DAPI", "GFP"))


def fields_with_centres(folder: Path) -> Expected:
    """Fields of two channels in one file, and a table of centres with file names and labels."""
    rows = []
    for number in range(1, 11):
        image, _, centres = draw_field(5)
        save(folder, f"fields/field_{number:02d}.tif", np.stack([image, image]), metadata={"axes": "CYX"})
        label = CLASSES[number % 2]
        rows += [(f"field_{number:02d}.tif", i, x, y, label) for i, (x, y) in enumerate(centres, start=1)]
    write_csv(folder / "cells.csv", "FileName,ObjectNumber,Location_Center_X,Location_Center_Y,Phenotype", rows)
    return Expected(50, n_groups=10, channels=(0, 1))


def load_data(folder: Path) -> Expected:
    """CellProfiler: load_data.csv with labels, and Nuclei.csv with the centres, by ImageNumber."""
    listed, cells = [], []
    fields = product(("PlateA", "PlateB", "PlateC", "PlateD", "PlateE"), ("A01", "B02"), (1, 2))
    for number, (plate, well, site) in enumerate(fields, start=1):
        image, _, centres = draw_field(4)
        names = [f"{plate}_{well}_{site}_{channel}.tif" for channel in ("dna", "er")]
        for name in names:
            save(folder, f"raw/{name}", image)
        path = "C:\\data\\raw"
        listed.append((number, names[0], path, names[1], path, plate, well, site, CLASSES[well == "B02"]))
        cells += [(number, i, x, y) for i, (x, y) in enumerate(centres, start=1)]
    header = "ImageNumber,FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER,"
    write_csv(
        folder / "load_data.csv", header + "Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Cell_Line", listed
    )
    write_csv(folder / "Nuclei.csv", "ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y", cells)
    return Expected(80, n_groups=5, channels=("DNA", "ER"))


LAYOUTS: dict[str, Layout] = {
    made.__name__: made
    for made in (
        plate_well_field, channel_after, channel_before, classes_in_plates, train_val_test, ome_tiffs, csv_of_paths,
        mixed_bits, opera_phenix, yokogawa, fields_with_masks, fields_with_centres, load_data,
    )
}  # fmt: skip
