"""Whole fields of view with bad masks, positions or tables: one message that says where, and exit code 1."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellfeat.extraction.store import load_features
from tests.bad_inputs.conftest import Cli

SIDE = 40
CENTRES = ((8, 9), (30, 10), (12, 31), (31, 31))


def label_image() -> np.ndarray:
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for value, (x, y) in enumerate(CENTRES, start=1):
        labels[y - 3 : y + 4, x - 3 : x + 4] = value
    return labels


def positions(*, x: str = "x", y: str = "y", file: str = "file") -> list[str]:
    rows = [f"f{i}.tif,{n},{cx},{cy},{'ab'[i % 2]}" for i in range(4) for n, (cx, cy) in enumerate(CENTRES, start=1)]
    return [f"{file},object,{x},{y},kind", *rows]


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def fields(inside: Path) -> Path:
    """Four fields of four cells, with label images and a table of positions, and the working directory above them."""
    (inside / "images").mkdir()
    (inside / "masks").mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 60_000, (SIDE, SIDE), np.uint16)
        tifffile.imwrite(inside / "images" / f"f{i}.tif", pixels)
        tifffile.imwrite(inside / "masks" / f"f{i}_masks.tif", label_image())
    write(inside / "cells.csv", positions())
    return inside


EXTRACT = (
    "extract", "--images", "images", "--output", "features.h5", "--set", "images.layout=fields",
    "--set", "images.channels=[0]", "--set", "preprocessing.channels_as=separate", "--set", "images.fields.crop_size=9",
)  # fmt: skip
BY_MASKS = (*EXTRACT, "--labels", "none", "--set", "images.fields.masks_root=masks")
BY_TABLE = (*EXTRACT, "--labels", "cells.csv", "--set", "labels.label=kind")


class Refused(NamedTuple):
    message: str
    arguments: tuple[str, ...]
    spoil: Callable[[Path], object] = lambda _folder: None


def mask(pixels: np.ndarray) -> Callable[[Path], object]:
    return lambda folder: tifffile.imwrite(folder / "masks" / "f2_masks.tif", pixels)


def line(number: int, text: str) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        lines = positions()
        lines[number - 1] = text
        write(folder / "cells.csv", lines)

    return spoil


def only_pickles(folder: Path) -> None:
    for path in (folder / "masks").iterdir():
        path.rename(path.with_name(path.name.replace("_masks.tif", "_seg.npy")))


def with_ids(folder: Path) -> None:
    header, *rows = positions()
    write(folder / "cells.csv", [f"id,{header}", *(f"{i},{row}" for i, row in enumerate(rows))])


def no_cells(folder: Path) -> None:
    for i in range(4):
        tifffile.imwrite(folder / "masks" / f"f{i}_masks.tif", label_image() * 0)


WHOLE = (
    *EXTRACT, "--labels", "cells.csv", "--set", "images.layout=table", "--set", "labels.files=file",
    "--set", "labels.id=id", "--set", "labels.label=kind", "--set", "images.fields.crop_size=null",
)  # fmt: skip
COLOURS = np.random.default_rng(0).integers(0, 9, (SIDE, SIDE, 3), np.uint8)

REFUSED = {
    "no crop size": Refused(
        r"crop_size is not set.*crop_size=16", (*BY_MASKS, "--set", "images.fields.crop_size=null")
    ),
    "no crop size for centres": Refused(r"crop_size is not set", (*BY_TABLE, "--set", "images.fields.crop_size=null")),
    "a crop of nothing": Refused(r"crop_size", (*BY_MASKS, "--set", "images.fields.crop_size=0")),
    "dilate without a mask": Refused(r"mask: zero_outside", (*BY_MASKS, "--set", "images.fields.dilate=3")),
    "an unknown border rule": Refused(r"images.fields.border", (*BY_MASKS, "--set", "images.fields.border=wrap")),
    "a misspelt key": Refused(r"did you mean 'images.fields.masks'", (*BY_MASKS, "--set", "images.fields.mask_s=a")),
    "no folder of masks": Refused(r"label images nowhere", (*BY_MASKS, "--set", "images.fields.masks_root=nowhere")),
    "masks of other names": Refused(
        r"no field has a label image.*images.fields.masks", (*BY_MASKS, "--set", "images.fields.masks={field}_lab.tif")
    ),
    "pickles of Cellpose": Refused(r"f0_seg.npy.*pickle.*TIFF", BY_MASKS, only_pickles),
    "a binary mask": Refused(
        r"f2_masks.tif: holds only 0 and 255, in 4 .*number", BY_MASKS, mask((label_image() > 0).astype(np.uint8) * 255)
    ),
    "a mask of decimals": Refused(
        r"f2_masks.tif: holds numbers with decimals", BY_MASKS, mask(label_image().astype(np.float32) / 2)
    ),
    "a mask of colours": Refused(r"f2_masks.tif: holds 3 planes", BY_MASKS, mask(COLOURS)),
    "a negative mask": Refused(
        r"f2_masks.tif: holds negative values", BY_MASKS, mask(label_image().astype(np.int16) - 1)
    ),
    "a damaged mask": Refused(
        r"1 of 4 label images.*f2_masks.tif",
        BY_MASKS,
        lambda folder: (folder / "masks" / "f2_masks.tif").write_bytes(b"II*\0ab"),
    ),
    "a mask of another size": Refused(
        r"f2_masks.tif is 20 x 20, and f2 is 40 x 40", BY_MASKS, mask(label_image()[::2, ::2])
    ),
    "masks without a cell": Refused(r"no cell", BY_MASKS, no_cells),
    "a position of words": Refused(
        r"cells.csv: line 3: x: expected a number.*'left'", BY_TABLE, line(3, "f0.tif,2,left,10,a")
    ),
    "an infinite position": Refused(r"cells.csv: line 3: y: .*'inf'", BY_TABLE, line(3, "f0.tif,2,30,inf,a")),
    "numbers twice": Refused(r"number of another cell.*f0:1 .*line 2.*line 3", BY_TABLE, line(3, "f0.tif,1,30,10,a")),
    "no number": Refused(r"line 3: no object", BY_TABLE, line(3, "f0.tif,,30,10,a")),
    "a field without images": Refused(r"no such files.*f9.tif \(line 3", BY_TABLE, line(3, "f9.tif,2,30,10,a")),
    "an empty table": Refused(
        r"cells.csv: has a header but no samples", BY_TABLE, lambda folder: write(folder / "cells.csv", positions()[:1])
    ),
    "no positions": Refused(
        r"positions.csv: has no columns of positions.*images.fields.x",
        (*BY_TABLE, "--set", "images.fields.positions=positions.csv"),
        lambda folder: write(folder / "positions.csv", ["file,area", "f0.tif,3"]),
    ),
    "a missing table": Refused(
        r"positions.csv \(images.fields.positions\) does not exist",
        (*BY_TABLE, "--set", "images.fields.positions=positions.csv"),
    ),
    "a column that is not there": Refused(
        r"no column 'X' \(images.fields.x\)", (*BY_TABLE, "--set", "images.fields.x=X", "--set", "images.fields.y=y")
    ),
    "a pattern without a field": Refused(r"expected \{field\}", (*BY_MASKS, "--set", "images.pattern={channel}.tif")),
    "a pattern of samples": Refused(r"write \{field\}", (*BY_MASKS, "--set", "images.pattern={sample_id}.tif")),
    "a pattern that fits nothing": Refused(
        r"no file in images fits.*f0.tif", (*BY_MASKS, "--set", "images.pattern=well_{field}.tif")
    ),
    "resolution without pixel size": Refused(
        r"do not state how large a pixel", (*BY_MASKS, "--set", "images.fields.resolution=0.5")
    ),
    "an unknown label column": Refused(r"no column 'class' .labels.label.", (*BY_TABLE, "--set", "labels.label=class")),
    "whole fields in a table": Refused(
        r"16 of 16 rows name files of other rows.*columns x and y.*images.layout=fields", WHOLE, with_ids
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, fields: Path, cli: Cli) -> None:
    case = REFUSED[name]
    case.spoil(fields)
    cli(*case.arguments).is_refusal(case.message)
    assert not (fields / "features.h5").exists()


def test_settings_of_fields_without_the_layout_are_refused(fields: Path, cli: Cli) -> None:
    arguments = [one for one in BY_MASKS if one not in ("images.layout=fields",)]
    place = arguments.index("--set")
    del arguments[place]
    cli(*arguments).is_refusal(r"images.fields.*images.layout=fields")


def test_bad_field_is_quarantined_with_its_cells_only(fields: Path, cli: Cli, network: tuple[str, ...]) -> None:
    (fields / "images" / "f1.tif").write_bytes(b"nothing")
    ending = cli(*BY_TABLE, *network, "--on-error", "quarantine")
    assert ending.code == 0, ending.err
    features = load_features(fields / "features.h5")
    assert features.samples.ids[~features.samples.is_ok].tolist() == [f"f1:{n}" for n in range(1, 5)]


def test_cells_that_are_left_out_are_counted(fields: Path, cli: Cli, network: tuple[str, ...]) -> None:
    lines = positions()
    lines[2], lines[3] = "f0.tif,2,300,10,a", "f0.tif,3,NaN,31,a"
    write(fields / "cells.csv", lines)
    ending = cli(*BY_TABLE, *network)
    assert ending.code == 0, ending.err
    assert "1 cells whose centre lies outside of their field: f0:2 (cells.csv line 3)" in ending.err
    assert "1 cells without a position: f0:3 (cells.csv line 4)" in ending.err


@pytest.mark.slow
def test_grey_masks_of_palettes_and_png_are_read(fields: Path, cli: Cli, network: tuple[str, ...]) -> None:
    for i in range(4):
        (fields / "masks" / f"f{i}_masks.tif").unlink()
        (fields / "masks" / f"f{i}_cp_masks.png").write_bytes(imagecodecs.png_encode(label_image().astype(np.uint8)))
    ending = cli(*BY_MASKS, *network, "--set", "images.fields.mask=zero_outside")
    assert ending.code == 0, ending.err
    assert len(load_features(fields / "features.h5").samples.ids) == 16
