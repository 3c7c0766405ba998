"""Near copies of the samples that a saved head was fitted on, among other samples."""

from pathlib import Path

import numpy as np

from cellfeat.errors import BundleError, FingerprintError
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.saved_heads.predict import check_recipe
from cellfeat.extraction.store import Features, as_features
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import as_bundle
from cellfeat.near_copies.pictures import read_pictures
from cellfeat.near_copies.search import near_copies_between
from cellfeat.storage.url import Location, as_location
from cellfeat.types import Bools


def near_copies_of_fitted(
    bundle: Bundle | Path | str,
    fitted: Features | Path | str,
    features: Features | Path | str,
    *,
    fitted_images: Location | str,
    images: Location | str,
    say: Say = ignore_line,
) -> Bools:
    """Find samples that overlap with a training sample of a saved head, or are one of them turned or mirrored.

    Exact duplicates are included.

    Parameters
    ----------
    bundle
        The saved head, or its folder.
    fitted
        The features that it was fitted on, or the path of their file; samples that it was not fitted on are ignored.
    features
        The samples in question, or the path of their feature file.
    fitted_images, images
        Folders of the images that the two were extracted from.
    say
        Receives what is being done.

    Returns
    -------
    ndarray of shape (n_samples,)
        Whether each sample of `features` is a near copy.

    Raises
    ------
    FingerprintError
        If either of the features were extracted with another recipe than those the head was fitted on, some of these
        are not among `fitted`, or the images have changed.
    BundleError
        If the saved head does not know its training samples.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    bundle, fitted, features = as_bundle(bundle), as_features(fitted), as_features(features)
    for either in (fitted, features):
        check_recipe(bundle, either)
    _check_holds_training_samples(bundle, fitted)
    is_fitted = bundle.has_seen(fitted.samples.digests)
    say(f"reading the images in {fitted_images} and {images}")
    known = read_pictures(fitted, as_location(fitted_images))
    asked = read_pictures(features, as_location(images), scale=known.scale)
    say("comparing the pictures pixel by pixel")
    found = near_copies_between(known, asked).found
    is_near_copy = np.zeros(len(features), dtype=bool)
    is_near_copy[[row for fitted_row, row in found if is_fitted[fitted_row]]] = True
    return is_near_copy


def _check_holds_training_samples(bundle: Bundle, fitted: Features) -> None:
    if bundle.training_digests is None:
        raise BundleError(
            f"the saved head {bundle.head_name!r} does not know its training samples, so near copies of them cannot be "
            "searched for: fit it again"
        )
    n_training = len(bundle.training_digests)
    n_missing = np.count_nonzero(~np.isin(bundle.training_digests.hex(), fitted.samples.digests))
    if n_missing:
        raise FingerprintError(
            f"{fitted.path}: lacks {n_missing} of the {n_training} training samples of the head; name the feature file "
            "that it was fitted on"
        )
