"""Decode PNG files."""

import struct

import imagecodecs
import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import CODEC_FAULTS, Image, check_size, planes_of_interleaved, truncated
from cellfeat.samples.formats.stated_bits import bits_of_scaled_values

_HEADER_BYTES = 33
_PALETTE = 3
_GREY = 0
_BITS = (1, 2, 4, 8, 16)
_SCALE = {2: 255 // 3, 4: 255 // 15}
"""By the bits of a grey file: what the decoder multiplies its values by, which may be numbers of cells."""


def decode_png(content: bytes, max_pixels: int) -> Image:
    """Decode the bytes of a PNG file.

    Parameters
    ----------
    content
        All bytes of the file.
    max_pixels
        The most pixels that the image may have, channels counted.

    Raises
    ------
    ImageError
        As `cellfeat.samples.formats.decoding.decode_image`.
    """
    if len(content) < _HEADER_BYTES or b"IEND" not in content:
        raise ImageError(truncated("PNG", "its end marker is missing"))
    # The first chunk of a PNG is always its header, IHDR.
    width, height, bits, colour = struct.unpack(">IIBB", content[16:26])
    check_size((height, width), max_pixels)
    if bits not in _BITS and colour != _PALETTE:
        raise ImageError(f"a PNG of {bits} bits per pixel; expected 1, 2, 4, 8 or 16: save it as 8-bit grey")
    # The chunk of an animation, acTL, stands before the data; the same bytes within the data mean nothing.
    if b"acTL" in content[: _data_start(content)]:
        raise ImageError("an animated PNG; expected one image: save the frame that is meant as PNG or TIFF")
    try:
        pixels = imagecodecs.png_decode(content)
    except CODEC_FAULTS as error:
        raise ImageError(truncated("PNG", str(error))) from None
    planes = planes_of_interleaved(pixels)
    # Grey with alpha has 2 planes, and RGB with alpha 4.
    alpha = (len(planes) - 1,) if len(planes) in (2, 4) else ()
    # The colours of a palette have 8 bits, whatever its indices have, and single bits are decoded to 0 and 255.
    colours = planes[: len(planes) - len(alpha)]
    if colour == _PALETTE or bits == 1:
        return Image(planes, "png", 8, alpha=alpha)
    if colour == _GREY and bits in _SCALE:
        colours //= np.uint8(_SCALE[bits])
        return Image(planes, "png", bits, alpha=alpha)
    stated = bits_of_scaled_values(colours, bits, _significant_bits(content, bits))
    return Image(planes, "png", stated, alpha=alpha)


def _significant_bits(content: bytes, bits: int) -> int:
    """The chunk sBIT, of a byte for each sample of a pixel: the most of them, or `bits` where it is missing."""
    start = content.find(b"sBIT", 0, _data_start(content))
    if start < 4:
        return bits
    length = int.from_bytes(content[start - 4 : start])
    return max(content[start + 4 : start + 4 + min(length, 4)], default=bits)


def _data_start(content: bytes) -> int:
    return max(content.find(b"IDAT"), 0)
