"""Pictures of samples that are cut out of fields, read again for an audit."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.extraction.store import Features
from cellfeat.near_copies.pictures import read_folder_pictures, read_pictures
from tests.feature_fixtures import build_features

N_CELLS = 6


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Two fields; the labels table holds the positions of their cells."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for field in ("f1", "f2"):
        tifffile.imwrite(tmp_path / "images" / f"{field}.tif", rng.integers(0, 4000, (96, 128), dtype=np.uint16))
    cells = {
        "field": ["f1"] * 3 + ["f2"] * 3,
        "ObjectNumber": ["1", "2", "3"] * 2,
        "Nuclei_Location_Center_X": ["20", "30", "100"] * 2,
        "Nuclei_Location_Center_Y": ["20", "22", "80"] * 2,
        "cell_type": ["a", "b"] * 3,
    }
    pd.DataFrame(cells).to_csv(tmp_path / "cells.csv", index=False)
    return load_settings(
        overrides={
            "images.root": str(tmp_path / "images"),
            "images.layout": "fields",
            "images.pattern": "{field}.tif",
            "images.channels": [0],
            "images.fields.crop_size": 32,
            "labels.file": str(tmp_path / "cells.csv"),
            "labels.id": "ObjectNumber",
            "labels.label": "cell_type",
            "extraction.workers": 0,
        }
    )


def features_of(settings: Settings) -> Features:
    """The samples as a feature file of these settings would hold them."""
    samples, _ = read_folder_pictures(settings, lambda _line: None)
    features = build_features(samples.labels, np.zeros((N_CELLS, 1, 1)))
    return Features(
        **{**vars(features), "samples": samples, "provenance": {"settings": settings.record()}},
    )


def test_boxes_are_known_without_extraction(settings):
    regions = features_of(settings).samples.regions
    assert regions.field.tolist() == ["f1"] * 3 + ["f2"] * 3
    assert regions.box[0].tolist()[2:] == [32, 32]
    assert regions.field_size.tolist() == [[96, 128]] * N_CELLS


def test_positions_in_the_labels_table_are_read_again(settings):
    features = features_of(settings)
    pictures = read_pictures(features, settings.images.root)
    assert pictures.rows.tolist() == list(range(N_CELLS))
    assert pictures.shapes == [(32, 32)] * N_CELLS
