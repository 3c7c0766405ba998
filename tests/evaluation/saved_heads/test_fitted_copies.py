import dataclasses

import numpy as np
import pytest

from cellfeat.errors import BundleError, FingerprintError
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.fitted_copies import near_copies_of_fitted
from tests.feature_fixtures import SMALL, part


@pytest.fixture
def pictured(make_clusters, with_pictures, tmp_path):
    """Features of 60 samples with pictures; sample 50 overlaps with sample 4, and sample 51 with sample 40."""
    fields = np.kron(np.random.default_rng(0).integers(0, 200, (60, 24, 24)), np.ones((4, 4))).astype(np.uint8)
    pixels = fields[:, :64, :64].copy()
    pixels[50], pixels[51] = fields[4, 10:74, 20:84], fields[40, 10:74, 20:84]
    return with_pictures(make_clusters(n=60), pixels, tmp_path)


@pytest.mark.slow
def test_near_copies_of_training_samples_are_found(pictured, tmp_path):
    bundle, _ = fit(part(pictured, slice(40)), "logreg", design=SMALL)
    options = {"fitted_images": tmp_path, "images": tmp_path}
    found = near_copies_of_fitted(bundle, pictured, part(pictured, slice(40, None)), **options)
    assert np.flatnonzero(found).tolist() == [10], "sample 51 overlaps with a sample that is no training sample"
    with pytest.raises(FingerprintError, match=r"test\.h5.* 20 of the 40 training samples"):
        near_copies_of_fitted(bundle, part(pictured, slice(20)), pictured, **options)
    with pytest.raises(FingerprintError, match=r"test\.h5.*recipe"):
        near_copies_of_fitted(bundle, pictured, dataclasses.replace(pictured, fingerprint="sha256:other"), **options)
    with pytest.raises(BundleError, match=r"'logreg'.*training samples"):
        near_copies_of_fitted(dataclasses.replace(bundle, training_digests=None), pictured, pictured, **options)
