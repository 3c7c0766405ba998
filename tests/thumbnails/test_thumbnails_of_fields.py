"""Thumbnails and crops of cells that are cut out of whole fields."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellfeat.config_sources import load_settings
from cellfeat.extraction.store import Features
from cellfeat.near_copies.pictures import read_folder_pictures
from cellfeat.samples.sheets.shards import sheets_in
from cellfeat.thumbnails import crop, make_thumbnails

SIDE = 32


@pytest.fixture
def features(tmp_path: Path) -> Features:
    """Six cells on two fields, at the positions that the labels table holds."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for field in ("f1", "f2"):
        tifffile.imwrite(tmp_path / "images" / f"{field}.tif", rng.integers(0, 4000, (96, 128), dtype=np.uint16))
    cells = {
        "field": ["f1"] * 3 + ["f2"] * 3,
        "ObjectNumber": ["1", "2", "3"] * 2,
        "Nuclei_Location_Center_X": ["20", "60", "100"] * 2,
        "Nuclei_Location_Center_Y": ["20", "22", "70"] * 2,
        "cell_type": ["a", "b"] * 3,
    }
    pd.DataFrame(cells).to_csv(tmp_path / "cells.csv", index=False)
    settings = load_settings(
        overrides={
            "images.root": str(tmp_path / "images"),
            "images.layout": "fields",
            "images.pattern": "{field}.tif",
            "images.channels": [0],
            "images.fields.crop_size": SIDE,
            "labels.file": str(tmp_path / "cells.csv"),
            "labels.id": "ObjectNumber",
            "labels.label": "cell_type",
            "extraction.workers": 0,
        }
    )
    samples, _ = read_folder_pictures(settings, lambda _line: None)
    return Features(
        path=tmp_path / "cells.h5",
        samples=samples,
        embeddings=np.zeros((len(samples), 1, 2), np.float32),
        fingerprint="sha256:test",
        recipe={"passes": ["planes"]},
        provenance={"settings": settings.record()},
    )


def test_crop_is_cut_out_of_its_field(features: Features) -> None:
    pixels = crop(features, 4)
    top, left, height, width = features.samples.regions.box[4].tolist()
    field = tifffile.imread(features.recorded_settings.images.root / "f2.tif")
    np.testing.assert_array_equal(pixels, field[np.newaxis, top : top + height, left : left + width])


def test_thumbnails_show_the_crops(features: Features) -> None:
    made = make_thumbnails(features)
    (sheet,) = sheets_in(made.block(0))
    ((start, end),) = made.record.windows
    for row in range(6):
        expected = 255 * (crop(features, row).mean() - start) / (end - start)
        assert sheet[:64, row * 64 : row * 64 + 64].mean() == pytest.approx(expected, abs=3)
