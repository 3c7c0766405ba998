"""Fields and cells that one side counts from 0 and the other from 1 are refused; numbers that are absent are not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tifffile

from cellfeat.errors import ManifestError
from tests.samples.fields.field_files import CENTRES, Fields, manifest, write_csv, write_field

NAMES = "{plate}/{well}_s{site}_{channel}.png"
LOCATION = "Location_Center_X,Location_Center_Y"


def fields_numbered(folder: Path, sites: Sequence[int]) -> Fields:
    folder.mkdir()
    fields = Fields(folder)
    for well in ("A01", "B02"):
        for site in sites:
            write_field(fields, "P1", well, site)
    return fields


def read(fields: Fields, **settings: Any) -> int:
    """The number of samples that are found where rows without cells and cells without rows are left out."""
    return len(manifest(fields.root, images__pattern=NAMES, labels__unmatched="ignore", **settings))


def positions(fields: Fields, sites: Sequence[int]) -> dict[str, Any]:
    rows = [f"P1,{well},{site},{x},{y}" for well in ("A01", "B02") for site in sites for x, y in CENTRES]
    table = write_csv(fields.root / "positions.csv", f"plate,well,site,{LOCATION}", rows)
    return {"images__fields__positions": str(table)}


def positions_of_each_field(fields: Fields, sites: Sequence[int]) -> dict[str, Any]:
    for well in ("A01", "B02"):
        for site in sites:
            write_csv(fields.root / f"{well}-{site}.csv", LOCATION, [f"{x},{y}" for x, y in CENTRES])
    return {"images__fields__positions": f"{fields.root}/{{well}}-{{site}}.csv"}


def label_images(fields: Fields, sites: Sequence[int]) -> dict[str, Any]:
    (fields.root / "objects").mkdir()
    labels = next(iter(fields.labels.values()))
    for well in ("A01", "B02"):
        for site in sites:
            tifffile.imwrite(fields.root / "objects" / f"{well}_{site}.tif", labels)
    return {"images__fields__masks_root": fields.root / "objects", "images__fields__masks": "{well}_{site}.tif"}


SOURCES = [positions, positions_of_each_field, label_images]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("of_images", "of_source"), [((1, 2, 3), (0, 1, 2)), ((0, 1, 2), (1, 2, 3))])
def test_fields_that_are_counted_from_elsewhere_are_refused(tmp_path, source, of_images, of_source):
    fields = fields_numbered(tmp_path / "set", of_images)
    with pytest.raises(ManifestError, match="be taken for its neighbour"):
        read(fields, **source(fields, of_source))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("of_images", "of_source", "n_shared"),
    [((1, 2, 3), (1, 2), 2), ((1, 2), (1, 2, 3), 2), ((2, 3), (1, 2), 1), ((0, 1, 2), (0, 2), 2), ((0, 1), (0, 5), 1)],
)
def test_fields_of_which_some_are_absent_are_taken(tmp_path, source, of_images, of_source, n_shared):
    fields = fields_numbered(tmp_path / "set", of_images)
    assert read(fields, **source(fields, of_source)) == 2 * n_shared * len(CENTRES)


@pytest.mark.parametrize("first", [0, 1])
def test_labels_of_cells_that_are_counted_from_0_are_refused(tmp_path, first):
    fields = fields_numbered(tmp_path / "set", [1])
    rows = [f"P1,{well},1,{first + n},{'AB'[n % 2]}" for well in ("A01", "B02") for n in range(len(CENTRES))]
    labels = write_csv(fields.root / "labels.csv", "plate,well,site,cell,treatment", rows)
    settings = {"images__fields__masks_root": fields.root / "masks", "labels__file": labels}
    if first == 1:
        assert read(fields, **settings) == 2 * len(CENTRES)
        return
    with pytest.raises(ManifestError, match=r"labels.csv: the numbers of column .* count from 0"):
        read(fields, **settings)


def test_numbers_of_cells_beside_label_images_that_are_counted_from_0_are_refused(tmp_path):
    fields = fields_numbered(tmp_path / "set", [1])
    rows = [f"P1,{well},1,{n},{x},{y}" for well in ("A01", "B02") for n, (x, y) in enumerate(CENTRES)]
    table = write_csv(fields.root / "cells.csv", f"plate,well,site,ObjectNumber,{LOCATION}", rows)
    settings = {"images__fields__masks_root": fields.root / "masks", "images__fields__positions": str(table)}
    with pytest.raises(ManifestError, match="the numbers of cells beside positions count from 0"):
        read(fields, **settings)
