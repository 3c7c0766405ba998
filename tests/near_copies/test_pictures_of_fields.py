"""Pictures of samples that are cut out of fields, read again for an audit."""

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.extraction.store import Features
from cellfeat.near_copies.pictures import read_folder_pictures, read_pictures
from tests.feature_fixtures import build_features
from tests.field_images import write_fields

N_CELLS = 6


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Two fields; the labels table holds the positions of their cells."""
    return write_fields(tmp_path, (20, 30, 100), (20, 22, 80))


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
