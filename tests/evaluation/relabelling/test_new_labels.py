import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.errors import ManifestError
from cellfeat.evaluation.relabelling.new_labels import matched_labels
from cellfeat.extraction.store import Features


def test_new_labels_of_several_ids_that_mean_one_sample_are_refused(make_clusters):
    features = make_clusters()
    one = str(features.samples.ids[0])
    with pytest.raises(ManifestError, match=rf"{one} \(2 rows\)"):
        matched_labels({f"a/{one}": "HeLa", f"b/{one}": "RT4"}, features, Settings())


def test_new_labels_whose_ids_are_counted_from_elsewhere_are_refused():
    features = Features.from_arrays(np.ones((5, 2)), ids=[f"c{number}" for number in range(1, 6)])
    labels = {f"c{number}": "HeLa" for number in range(5)}
    settings = load_settings(overrides={"labels.unmatched": "ignore"})
    with pytest.raises(ManifestError, match="the ids count from 0"):
        matched_labels(labels, features, settings)
