"""Decode BMP files of Windows: grey, palettes and colours without compression.

Decoded here with numpy: the codec of imagecodecs ends the process where a damaged header states the lowest height, and
gives three equal planes for greys that are not the numbers of their palette, black and white among them.
"""

import struct
from typing import NamedTuple

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import Image, check_size, planes_of_interleaved, truncated
from cellfeat.samples.formats.tiff_streams import check_raw
from cellfeat.types import Bytes

_FILE_HEADER = 14
_SMALLEST_HEADER = 40
_MASKS_START = _FILE_HEADER + _SMALLEST_HEADER
_RGB, _BITFIELDS = 0, 3
_COMPRESSIONS = {1: "RLE8", 2: "RLE4", 4: "JPEG", 5: "PNG"}
_PALETTE_BITS = (1, 4, 8)
_BYTE_OF_MASK = {0xFF << 8 * number: number for number in range(4)}


class BmpHeader(NamedTuple):
    """What the header of a BMP says.

    Attributes
    ----------
    pixels_start
        Where the rows begin in the file.
    header_size
        Bytes of the header behind that of the file.
    width, height
        Size in pixels; a negative height means that the first row comes first in the file.
    bits
        Bits of a pixel.
    compression
        Its number.
    n_colours
        Colours of the palette; 0 means all that the bits can number.
    """

    pixels_start: int
    header_size: int
    width: int
    height: int
    bits: int
    compression: int
    n_colours: int


def bmp_header(content: bytes) -> BmpHeader:
    """Read the header of a BMP, from its first 54 bytes.

    Raises
    ------
    ImageError
        If it is cut off, of another kind, or states a size that no image has.
    """
    if len(content) < _MASKS_START:
        raise ImageError(truncated("BMP", "its header is missing"))
    start, size, width, height, _, bits, compression, _, _, _, n_colours = struct.unpack_from(
        "<IIiiHHIIiiI", content, 10
    )
    if size < _SMALLEST_HEADER:
        raise ImageError(f"a BMP with a header of {size} bytes; expected 40 or more: save it as TIFF or PNG")
    if width < 0:
        raise ImageError(truncated("BMP", f"its width is {width}"))
    return BmpHeader(start, size, width, height, bits, compression, n_colours)


def decode_bmp(content: bytes, max_pixels: int) -> Image:
    """Decode the bytes of a BMP file.

    Grey is what has a palette of greys alone. Other palettes are read as the colours that they name.

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
    header = bmp_header(content)
    has_palette = header.bits in _PALETTE_BITS and header.compression == _RGB
    is_coloured = (header.bits, header.compression) in ((24, _RGB), (32, _RGB), (32, _BITFIELDS))
    if not (has_palette or is_coloured):
        raise ImageError(_why_not_read(header))
    palette = _palette(content, header) if has_palette else np.empty((0, 3), np.uint8)
    order = () if has_palette else _byte_order(content, header)
    check_size((palette.shape[1] if has_palette else len(order), abs(header.height), header.width), max_pixels)
    rows = _rows(content, header)
    if has_palette:
        return Image(planes_of_interleaved(_looked_up(rows, header, palette)), "bmp", 8)
    pixels = rows.reshape(len(rows), header.width, -1)
    return Image(planes_of_interleaved(pixels[:, :, list(order)]), "bmp", 8, alpha=(3,) if len(order) == 4 else ())


def _why_not_read(header: BmpHeader) -> str:
    named = _COMPRESSIONS.get(header.compression)
    kind = f"compressed as {named}" if named else f"of {header.bits} bits per pixel (compression {header.compression})"
    return f"a BMP {kind}; expected 1, 4, 8, 24 or 32 bits without compression: save it as TIFF or PNG"


def _palette(content: bytes, header: BmpHeader) -> Bytes:
    """The colours, ``(n, 3)``; ``(n, 1)`` where all of them are grey."""
    n_colours = min(header.n_colours or 2**header.bits, 2**header.bits)
    start = _FILE_HEADER + header.header_size
    stored = content[start : start + 4 * n_colours]
    if len(stored) < 4 * n_colours or start + len(stored) > header.pixels_start:
        raise ImageError(truncated("BMP", "its palette is missing"))
    colours = np.frombuffer(stored, np.uint8).reshape(-1, 4)[:, 2::-1]
    is_grey = (colours == colours[:, :1]).all()
    return colours[:, :1] if is_grey else colours


def _looked_up(rows: Bytes, header: BmpHeader, palette: Bytes) -> Bytes:
    per_byte = 8 // header.bits
    shifts = np.arange(8 - header.bits, -1, -header.bits, dtype=np.uint8)
    numbers = (rows[:, :, np.newaxis] >> shifts) & np.uint8(2**header.bits - 1) if per_byte > 1 else rows
    numbers = numbers.reshape(len(rows), -1)[:, : header.width]
    if numbers.max() >= len(palette):
        raise ImageError(truncated("BMP", f"a pixel is of colour {numbers.max()} of a palette of {len(palette)}"))
    return palette[numbers]


def _byte_order(content: bytes, header: BmpHeader) -> tuple[int, ...]:
    """Which bytes of a pixel are red, green and blue, and alpha where the file states one."""
    if header.compression == _RGB:
        return (2, 1, 0)
    # Only headers of 56 bytes or more have a mask for alpha. After a shorter header come the palette or the pixels.
    n_masks = 4 if header.header_size >= 56 else 3
    stored = content[_MASKS_START : _MASKS_START + 4 * n_masks]
    if len(stored) < 4 * n_masks:
        raise ImageError(truncated("BMP", "its header is missing"))
    masks = [mask for mask in struct.unpack(f"<{n_masks}I", stored) if mask]
    order = tuple(_BYTE_OF_MASK.get(mask, -1) for mask in masks)
    if len(masks) < 3 or -1 in order or len(set(order)) < len(order):
        raise ImageError("a BMP whose colours take other bits than a byte each; save it as TIFF or PNG")
    return order


def _rows(content: bytes, header: BmpHeader) -> Bytes:
    """The rows, the upper first, without the bytes that fill them up to a multiple of 4."""
    n_rows, used = abs(header.height), (header.width * header.bits + 7) // 8
    stride = (used + 3) // 4 * 4
    # Some programs leave out what fills the last row.
    stored = content[header.pixels_start : header.pixels_start + stride * n_rows]
    is_whole = header.pixels_start >= _MASKS_START and len(stored) >= stride * (n_rows - 1) + used
    if not is_whole:
        raise ImageError(truncated("BMP", "pixel data are missing"))
    rows = np.frombuffer(stored.ljust(stride * n_rows, b"\0"), np.uint8).reshape(n_rows, stride)[:, :used]
    check_raw(rows, used, "BMP")
    return rows if header.height < 0 else rows[::-1]
