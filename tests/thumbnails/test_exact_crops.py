"""The image of a sample in full."""

import numpy as np
import pytest
import tifffile

from cellfeat.errors import FingerprintError, ImageError, MissingFileError
from cellfeat.extraction.sample_images import opened_images
from cellfeat.extraction.store import Features
from cellfeat.samples.reading.images import pixel_digest
from cellfeat.thumbnails import crop
from tests.thumbnails.image_folders import Make, write_images


@pytest.mark.slow
def test_crop_is_exact(make: Make) -> None:
    features = make(3)
    pixels = crop(features, 1)
    assert (pixels.shape, pixels.dtype) == ((2, 32, 32), np.uint16)
    np.testing.assert_array_equal(pixels, tifffile.imread(features.recorded_settings.images.root / "cell_001.tif"))
    assert pixel_digest(pixels) == features.samples.digests[1]


def test_opened_images_serve_many_crops(make: Make) -> None:
    features = make(3)
    with opened_images(features) as images:
        assert [crop(features, row, images=images).max() for row in range(3)] == [
            crop(features, row).max() for row in range(3)
        ]


def test_changed_image_is_named(make: Make) -> None:
    features = make(3)
    path = features.recorded_settings.images.root / "cell_001.tif"
    tifffile.imwrite(path, np.zeros((2, 32, 32), np.uint16), photometric="minisblack")
    with pytest.raises(FingerprintError, match=r"'1'.*changed"):
        crop(features, 1)
    assert crop(features, 0).any()


def test_sample_that_failed_has_no_image(make: Make, tmp_path) -> None:
    write_images(tmp_path / "images", 3)
    (tmp_path / "images" / "cell_001.tif").write_bytes(b"II*\0 and no more")
    with pytest.raises(ImageError, match=r"'1'.*no embedding"):
        crop(make(), 1)


def test_imported_features_have_no_crops() -> None:
    with pytest.raises(MissingFileError, match="no images"):
        crop(Features.from_arrays([[1.0], [2.0]]), 0)
