"""Decode JPEG files, and the JPEG streams within TIFF files."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import simplejpeg

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import CODEC_FAULTS, Image, check_size, planes_of_interleaved, truncated
from cellfeat.samples.formats.orientation import AS_STORED, exif_orientation

# Markers of frame headers. C4 (Huffman tables), C8 (reserved) and CC (arithmetic coding) in this range are not.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APP1 = 0xE1


def decode_jpeg(content: bytes, max_pixels: int) -> Image:
    """Decode the bytes of a JPEG file.

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
    frame = jpeg_frame(content)
    check_size((frame.components, frame.height, frame.width), max_pixels)
    if frame.components not in (1, 3):
        raise ImageError(
            f"a JPEG of {frame.components} components (CMYK?); expected grey or RGB: save it as TIFF or PNG"
        )
    if frame.bits != 8:
        raise ImageError(f"a JPEG of {frame.bits} bits per pixel; expected 8: save it as TIFF or PNG")
    pixels = strict_jpeg(content, "GRAY" if frame.components == 1 else "RGB")
    return Image(planes_of_interleaved(pixels), "jpeg", frame.bits, orientation=_orientation(content))


def strict_jpeg(content: bytes, colours: str, **options: Any) -> np.ndarray:
    """Decode a JPEG; warnings of libjpeg, such as grey in place of lost data, are errors here.

    Parameters
    ----------
    content
        All bytes of the JPEG.
    colours
        ``"GRAY"`` or ``"RGB"``.
    **options
        Passed on to the decoder.

    Returns
    -------
    ndarray of shape (H, W, S)
    """
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, colours, **options)
    except CODEC_FAULTS as error:
        raise ImageError(_why_no_jpeg(content, str(error))) from None
    return pixels


def _why_no_jpeg(content: bytes, reason: str) -> str:
    """Tell damage from subsampling that the strict decoder does not support: its message may be the same."""
    with suppress(RuntimeError):
        if "subsampling" in reason and imagecodecs.jpeg8_decode(content).size:
            return "a JPEG whose colours are sampled in an unusual way; save it as TIFF or PNG"
    return truncated("JPEG", reason)


class Frame(NamedTuple):
    """The frame header of a JPEG."""

    bits: int
    height: int
    width: int
    components: int


def jpeg_frame(content: bytes) -> Frame:
    """Read the frame header of a JPEG, without decoding it."""
    for marker, start, _ in _segments(content):
        if marker in _FRAME_MARKERS:
            return Frame(*struct.unpack(">BHHB", content[start : start + 6]))
    raise ImageError(truncated("JPEG", "no frame header"))


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker of each segment, and where its content begins and ends."""
    position = 2
    while position + 10 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:
            # Such a byte only fills up.
            position += 1
            continue
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4])
        yield marker, position + 4, end
        position = end


def _orientation(content: bytes) -> int:
    """How the picture is to be turned, as the first segment of Exif states it."""
    for marker, start, end in _segments(content):
        if marker == _APP1 and content.startswith(b"Exif", start):
            return exif_orientation(content[start:end])
        if marker in _FRAME_MARKERS:
            break
    return AS_STORED
