"""Find pixel data in a TIFF that are torn: cut off, and filled up with zeros to their old length.

An interrupted copy or a full disk leaves such files. Deflate, PNG, LERC, LZMA and JPEG XL refuse them. The codecs here
decode them without a word, to pixels that are wrong from the tear on.
"""

import struct
from collections.abc import Callable
from contextlib import suppress

import imagecodecs
import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import CODEC_FAULTS, check_size, truncated
from cellfeat.samples.formats.jpeg import jpeg_frame, strict_jpeg
from cellfeat.samples.formats.lzw import names_lost_string

# TIFF's numbers for compression by JPEG: an old one, the usual one, that of scanners, and that of lossy DNG.
_JPEG = (6, 7, 33007, 34892)
_LZW = 5
# A smaller image may well have few rows that are not black.
_FEWEST_ROWS = 4
# Fewer zeros at the end of a stream mean nothing.
_FEWEST_ZEROS = 16
_START_OF_SCAN = b"\xff\xda"
_END_OF_JPEG = b"\xff\xd9"
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_START_OF_TILE_PART = 0xFF90
_RIFF_HEADER = 12
_RIFF_CHUNK_HEADER = 8


def check_stream(compression: int, stream: bytes, tables: bytes | None, max_pixels: int) -> None:
    """Refuse a strip or tile that is torn, or that its decoder would read beyond.

    Parameters
    ----------
    compression
        TIFF's number of its compression.
    stream
        Its bytes.
    tables
        For JPEG, the tables that all strips share, if they are stored apart.
    max_pixels
        The most pixels that the image may have, channels counted.

    Raises
    ------
    ImageError
        If it is torn, or damaged in another way that the decoder of JPEG or LZW would not report.
    """
    if compression in _JPEG:
        _check_jpeg(stream, tables, max_pixels)
    elif compression == _LZW and names_lost_string(stream):
        raise ImageError(truncated("TIFF", "its compressed data name a string that they have not defined"))
    elif compression in _IS_TORN and _IS_TORN[compression](stream):
        raise ImageError(truncated("TIFF", "the end of its compressed data is missing"))


def check_raw(pixels: np.ndarray, row: int, kind: str = "TIFF") -> None:
    """Refuse uncompressed pixels that are torn: from the middle of a row on, all of them are zero.

    Zeros may be pixels, so only a plain case is refused: hardly any zeros before, the row above full to its end, and
    two rows or more that are lost as a whole. A black border begins with a row, and that of a turned image is slanted.

    Parameters
    ----------
    pixels
        The values in the order of the file, of any shape.
    row
        Values in a row.
    kind
        Format of the file, for messages.

    Raises
    ------
    ImageError
        If they are torn.
    """
    flat = pixels.reshape(-1)
    if flat[-2 * row :].any():
        return
    n_kept = len(flat) - int(np.argmax(flat[::-1] != 0))
    n_within_row = n_kept % row
    start = n_kept - n_within_row
    ends_within_row = 0 < n_within_row <= row - _FEWEST_ZEROS and flat[start - _FEWEST_ZEROS : start].any()
    if ends_within_row and start >= _FEWEST_ROWS * row and np.count_nonzero(flat[:n_kept]) >= 0.98 * n_kept:
        raise ImageError(truncated(kind, "its pixels end within a row; all that follow are zero"))


def _check_jpeg(stream: bytes, tables: bytes | None, max_pixels: int) -> None:
    frame = jpeg_frame(stream)
    check_size((frame.components, frame.height, frame.width), max_pixels)
    if frame.bits == 8:
        # The smallest picture that libjpeg makes: it reads all data for it, and we use none of its pixels.
        # Without the end marker of the tables and the start marker of the stream, the two are one JPEG.
        whole = tables[:-2] + stream[2:] if tables else stream
        strict_jpeg(whole, "GRAY", min_height=1, min_width=1, min_factor=8)
    elif stream.rfind(_END_OF_JPEG) < stream.rfind(_START_OF_SCAN):
        # These two bytes cannot occur in a scan itself.
        raise ImageError(truncated("JPEG", "its end marker is missing"))


def _n_zeros(stream: bytes) -> int:
    """Count the zero bytes at the end."""
    return len(stream) - len(stream.rstrip(b"\0"))


def _is_torn_lzw(stream: bytes) -> bool:
    """Whether the zeros at the end are decoded: zero is the code of a single black byte, and no end mark."""
    if _n_zeros(stream) < _FEWEST_ZEROS // 2:
        return False
    with suppress(*CODEC_FAULTS):
        return len(imagecodecs.lzw_decode(stream.rstrip(b"\0"))) < len(imagecodecs.lzw_decode(stream))
    return False


def _is_torn_zstd(stream: bytes) -> bool:
    """Whether zeros stand for data: Zstandard stores data as they are only where it cannot shorten them by a 64th."""
    if _n_zeros(stream) < _FEWEST_ZEROS + len(stream) / 32:
        return False
    with suppress(*CODEC_FAULTS):
        # Complete without them: they only fill the strip up.
        imagecodecs.zstd_decode(stream.rstrip(b"\0"))
        return False
    return True


def _is_torn_jpeg2000(stream: bytes) -> bool:
    """Whether the end marker is not where the lengths of the tile-parts lead to."""
    position = stream.find(_START_OF_CODESTREAM) + 2
    while position + 12 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, position)
        if marker == _START_OF_TILE_PART:
            (part,) = struct.unpack_from(">I", stream, position + 6)
            if part == 0:
                # The last tile-part may reach to the end, without saying how long it is.
                return not stream.rstrip(b"\0").endswith(_END_OF_JPEG)
            position += part
        elif marker >> 8 != 0xFF or length < 2:
            break
        else:
            position += 2 + length
    return stream[position : position + 2] != _END_OF_JPEG


def _is_torn_webp(stream: bytes) -> bool:
    """Whether its zeros at the end are more than its image can take.

    WebP writes no byte that its decoder does not need, so a stream that decodes with fewer zeros is torn. In an image
    as rough as noise zeros need as many bits as the lost data did. But a good stream has a long row of zeros only where
    one colour is frequent, and then a pixel of it takes at most a bit for each of red, green, blue and alpha.
    """
    zeros = _n_zeros(stream)
    if zeros < _FEWEST_ZEROS:
        return False
    with suppress(*CODEC_FAULTS):
        imagecodecs.webp_decode(_shortened_webp(stream, _FEWEST_ZEROS // 2))
        return True
    with suppress(*CODEC_FAULTS):
        height, width = imagecodecs.webp_decode(stream).shape[:2]
        return 8 * zeros > 4.5 * height * width
    return False


def _shortened_webp(stream: bytes, n_bytes: int) -> bytes:
    """A WebP of one image without its last `n_bytes`, an even number, with its lengths corrected."""
    content = bytearray(stream[:-n_bytes])
    struct.pack_into("<I", content, 4, len(content) - _RIFF_CHUNK_HEADER)
    start = _RIFF_HEADER
    while start + _RIFF_CHUNK_HEADER <= len(content):
        (length,) = struct.unpack_from("<I", content, start + 4)
        end = start + _RIFF_CHUNK_HEADER + length + length % 2
        if end >= len(content):
            struct.pack_into("<I", content, start + 4, len(content) - start - _RIFF_CHUNK_HEADER)
        start = end
    return bytes(content)


def _is_torn_jpegxr(stream: bytes) -> bool:
    """Whether more zeros stand at the end than the last block of a good file has: JPEG XR has no end marker.

    In 13,000 encoded images of all kinds they were up to a tenth of the stream, and up to 1,300 bytes.
    """
    zeros = _n_zeros(stream)
    return zeros >= 8192 or (zeros >= 3 * _FEWEST_ZEROS and zeros > len(stream) / 6)


_IS_TORN: dict[int, Callable[[bytes], bool]] = {
    _LZW: _is_torn_lzw,
    **dict.fromkeys((33003, 33004, 33005, 34712), _is_torn_jpeg2000),
    **dict.fromkeys((22610, 34934), _is_torn_jpegxr),
    **dict.fromkeys((34926, 50000), _is_torn_zstd),
    **dict.fromkeys((34927, 50001), _is_torn_webp),
}
