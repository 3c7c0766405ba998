"""Grey JPEG files, for thumbnails: written, and read back."""

import numpy as np
import simplejpeg

from cellfeat.errors import ImageError
from cellfeat.samples.formats.jpeg import strict_jpeg
from cellfeat.types import Bytes


def encode_grey_jpeg(plane: Bytes, quality: int) -> bytes:
    """Encode a grey picture.

    Parameters
    ----------
    plane
        Shape ``(H, W)``, uint8.
    quality
        From 1 to 100.
    """
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(plane[..., np.newaxis]), quality=quality, colorspace="GRAY", colorsubsampling="Gray"
    )
    return encoded


def decode_grey_jpeg(content: bytes) -> Bytes:
    """Decode what `encode_grey_jpeg` gave: shape ``(H, W)``, uint8.

    Raises
    ------
    ImageError
        If it is damaged.
    """
    plane = strict_jpeg(content, "GRAY")
    if plane.ndim != 3 or plane.shape[2] != 1:
        raise ImageError(f"a JPEG of shape {plane.shape}; expected a grey one")
    return plane[..., 0]
