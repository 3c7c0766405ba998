import pytest

from cellfeat.config import Settings
from cellfeat.errors import ManifestError
from cellfeat.evaluation.relabelling.new_labels import matched_labels


def test_new_labels_of_several_ids_that_mean_one_sample_are_refused(make_clusters):
    features = make_clusters()
    one = str(features.samples.ids[0])
    with pytest.raises(ManifestError, match=rf"{one} \(2 rows\)"):
        matched_labels({f"a/{one}": "HeLa", f"b/{one}": "RT4"}, features, Settings())
