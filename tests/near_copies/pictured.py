"""Pictures of samples whose pixels are at hand."""

from collections.abc import Sequence

import numpy as np

from cellfeat.near_copies.patches import keep_one_in, patches
from cellfeat.near_copies.pictures import PictureScale, SamplePictures
from cellfeat.near_copies.shrink import grey_picture, shrink_factor
from cellfeat.statistics.picture_summary import summarise


def pictured(pixels: Sequence[np.ndarray], like: SamplePictures | None = None) -> SamplePictures:
    """Make the pictures of samples of shape (C, H, W) as an audit does."""
    shapes = [one.shape[1:] for one in pixels]
    scale = PictureScale(
        np.mean([one.std(axis=(1, 2)) for one in pixels], axis=0).astype(np.float32),
        shrink_factor(int(np.median([max(shape) for shape in shapes]))),
        keep_one_in(int(np.median([height * width for height, width in shapes]))),
    )
    scale = like.scale if like else scale
    return SamplePictures(
        np.arange(len(pixels)),
        [grey_picture(one, scale.channels, scale.factor) for one in pixels],
        [],
        scale,
        [patches(one, scale.one_in) for one in pixels],
        shapes,
        [summarise(one) for one in pixels],
        tuple(range(len(pixels[0]))),
    )
