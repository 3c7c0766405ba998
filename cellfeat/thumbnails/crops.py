"""The image of a sample in full."""

from numpy.typing import NDArray

from cellfeat.extraction.sample_images import SampleImages, opened_images
from cellfeat.extraction.store import Features
from cellfeat.storage.url import Location, as_location


def crop(features: Features, row: int, *, images: SampleImages | Location | str | None = None) -> NDArray:
    """Read the image of a sample as the network received it before any scaling.

    Parameters
    ----------
    features
        The features, extracted from images.
    row
        Row of the sample.
    images
        The opened images, which is fast where many samples are read: see
        `cellfeat.extraction.sample_images.opened_images`. Otherwise the folder of the images, or its address; None: the
        one that the features were extracted from.

    Returns
    -------
    ndarray of shape (C, H, W)
        Of the files' own type. Of a sample on a field, its crop.

    Raises
    ------
    FingerprintError
        If the image is missing, or has changed since it was embedded.
    MissingFileError, ManifestError, ImageError
        If the images cannot be found, or this one cannot be read.
    """
    if isinstance(images, SampleImages):
        return images.read(row)
    with opened_images(features, None if images is None else as_location(images)) as found:
        return found.read(row)
