"""Decode the bytes of a PNG, JPEG, TIFF or BMP into pixels as stored, or raise; nothing is guessed or repaired.

The first bytes of a file, not its name, decide what it is. Messages here name no file:
`cellfeat.samples.reading.images` does.
"""

import logging
from collections.abc import Callable

from cellfeat.errors import ImageError
from cellfeat.samples.formats.bmp import decode_bmp
from cellfeat.samples.formats.decoded_image import Image, check_finite
from cellfeat.samples.formats.jpeg import decode_jpeg
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice, check_flat
from cellfeat.samples.formats.png import decode_png
from cellfeat.samples.formats.tiff import decode_tiff

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BMP = b"BM"
SIGNATURES = (PNG, JPEG, *TIFF)
"""The first bytes of the files that are known by them. The two of a BMP begin too many others: its ending counts."""
_NOT_READ = {
    b"GIF8": "GIF",
    b"RIFF": "WebP (or another RIFF)",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\0\0\0\x0cJXL": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\x89HDF": "HDF5",
    b"%PDF": "PDF",
}

# Its log lines about damaged files would reach the terminal beside our own message, without the file's name.
logging.getLogger("imagecodecs").addHandler(logging.NullHandler())


def decode_image(content: bytes, max_pixels: int, choice: PlaneChoice = NO_CHOICE) -> Image:
    """Decode the bytes of a PNG, JPEG, TIFF or BMP file.

    Parameters
    ----------
    content
        All bytes of the file.
    max_pixels
        The most pixels that the image may have, channels counted.
    choice
        Which plane of a stack is read.

    Raises
    ------
    ImageError
        If the bytes are none of these, damaged, larger than `max_pixels` (looked up in the header, before decoding), or
        hold pixels whose meaning is unclear: masks, complex numbers, NaN, or times or depths of which none is chosen.
    """
    image = _decoder(content)(content, max_pixels, choice)
    check_finite(image.pixels)
    return image


_Decoder = Callable[[bytes, int, PlaneChoice], Image]


def _decoder(content: bytes) -> _Decoder:
    if content.startswith(PNG):
        return _flat(decode_png)
    if content.startswith(JPEG):
        return _flat(decode_jpeg)
    if content.startswith(TIFF):
        return decode_tiff
    if content.startswith(BMP):
        return _flat(decode_bmp)
    raise ImageError(_why_not_read(content))


def _flat(decode: Callable[[bytes, int], Image]) -> _Decoder:
    """Make a decoder of a format that holds one plane of each channel."""

    def decode_flat(content: bytes, max_pixels: int, choice: PlaneChoice) -> Image:
        check_flat(choice)
        return decode(content, max_pixels)

    return decode_flat


def _why_not_read(content: bytes) -> str:
    if not content:
        return "the file is empty (0 bytes); copy it again"
    for magic, kind in _NOT_READ.items():
        if content.startswith(magic):
            return f"a {kind} file; expected PNG, JPEG, TIFF or BMP: save it as TIFF or PNG"
    return f"not an image: expected PNG, JPEG, TIFF or BMP, got a file that starts with {content[:8]!r}"
