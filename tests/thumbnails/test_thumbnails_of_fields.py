"""Thumbnails and crops of cells that are cut out of whole fields."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat.extraction.store import Features
from cellfeat.samples.sheets.shards import sheets_in
from cellfeat.thumbnails import crop, make_thumbnails
from tests.field_images import write_fields
from tests.thumbnails.image_folders import features_of_images


@pytest.fixture
def features(tmp_path: Path) -> Features:
    """Six cells on two fields, at the positions that the labels table holds."""
    return features_of_images(tmp_path / "cells.h5", write_fields(tmp_path, (20, 60, 100), (20, 22, 70)))


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
