"""Properties of a sample's files that its pixels alone do not show, such as their format.

Where the classes of a data set differ in them (one class saved as JPEG, or with another microscope's 12 bits), a head
can learn the class from them: the audit compares them with the labels.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from cellfeat.samples.formats.decoded_image import Image


class FileProperties(NamedTuple):
    """What the files of one sample are.

    Where the files of the channels differ, ``bits_stated`` and ``file_format`` give each value once, in the order of
    the channels and joined by ``+``, for example ``png+tiff``. Size and type are equal in all files of a sample.

    Attributes
    ----------
    dtype
        Type of the pixels in the files, for example ``uint16``.
    bits_stated
        Bits of a value as the files state them: bit depth of a PNG or BitsPerSample of a TIFF; fewer where
        SignificantBits of an OME-TIFF, MaxSampleValue of a TIFF, the display range of an ImageJ file or sBIT of a PNG
        say so.
    bits_used
        Bits that the sample's largest value needs, in any channel; 0 for floats.
    height, width
        Size in pixels.
    file_format
        ``png``, ``jpeg``, ``tiff`` or ``bmp``, or the short name of another format.
    """

    dtype: str
    bits_stated: str
    bits_used: int
    height: int
    width: int
    file_format: str


def file_properties(pixels: np.ndarray, images: Sequence[Image]) -> FileProperties:
    """Collect the properties of a sample's files.

    Parameters
    ----------
    pixels
        The sample's pixels, shape ``(C, H, W)``.
    images
        The decoded files that the pixels come from.
    """
    return FileProperties(
        dtype=pixels.dtype.name,
        bits_stated=_joined(str(image.bits_stated) for image in images),
        bits_used=bits_used(pixels),
        height=pixels.shape[1],
        width=pixels.shape[2],
        file_format=_joined(image.file_format for image in images),
    )


def bits_used(pixels: np.ndarray) -> int:
    """Count the bits that the largest value of an array of any shape needs; 0 for floats.

    Examples
    --------
    >>> bits_used(np.array([0, 4095], np.uint16))
    12
    """
    if pixels.dtype.kind not in "ui":
        return 0
    # The smallest value, too: a negative one may need more bits than the largest.
    return max(int(pixels.max()).bit_length(), int(pixels.min()).bit_length())


def _joined(values: Iterable[str]) -> str:
    return "+".join(dict.fromkeys(values))
