"""Decode the bytes of a PNG, JPEG or TIFF into pixels as they were stored, or raise; nothing is guessed or repaired.

The first bytes of a file, not its name, decide what it is. Messages here name no file: `cellfeat.samples.images` does.
"""

import logging
import math
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import simplejpeg
import tifffile

from cellfeat.errors import ImageError

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NOT_READ = {
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"RIFF": "WebP or another RIFF file",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\x89HDF": "HDF5",
    b"ZISRAW": "CZI",
    b"%PDF": "PDF",
}
_PNG_HEADER_BYTES = 33
_PNG_PALETTE = 3
_TIFF_OF_JPEGS = (7, 33007)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

# What the libraries raise on damaged files: imagecodecs RuntimeErrors, tifffile whatever its parsing runs into.
_CODEC_FAULTS = (RuntimeError, ValueError)
_TIFF_FAULTS = (
    *_CODEC_FAULTS, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, TypeError,
    struct.error,
)  # fmt: skip


# Their log lines about damaged files would reach the terminal beside our own message, without the file's name.
for _library in ("imagecodecs", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Image:
    """A decoded file.

    Attributes
    ----------
    pixels
        ``(C, H, W)``, of the file's own type.
    file_format
        ``png``, ``jpeg`` or ``tiff``.
    bits_stated
        Bits of a value as the file's header states them, for example 12 in a TIFF whose values take 16 in memory.
    channel_names
        The channels' names where the file gives them (OME-TIFF), else empty.
    """

    pixels: np.ndarray
    file_format: str
    bits_stated: int
    channel_names: tuple[str, ...] = ()


def decode_image(content: bytes, max_pixels: int) -> Image:
    """Decode the bytes of a PNG, JPEG or TIFF file.

    Parameters
    ----------
    content
        All bytes of the file.
    max_pixels
        The most pixels that the image may have, channels counted.

    Raises
    ------
    ImageError
        If the bytes are none of these, damaged, larger than `max_pixels` (looked up in the header, before decoding), or
        hold pixels whose meaning is unclear: masks, complex numbers, NaN, transparency, time or depth.
    """
    image = _decoder(content)(content, max_pixels)
    _check_finite(image.pixels)
    return image


def _decoder(content: bytes) -> Callable[[bytes, int], Image]:
    if content.startswith(_PNG):
        return _decode_png
    if content.startswith(_JPEG):
        return _decode_jpeg
    if content.startswith(_TIFF):
        return _decode_tiff
    raise ImageError(_why_not_read(content))


def _why_not_read(content: bytes) -> str:
    if not content:
        return "the file is empty (0 bytes); copy it again"
    for magic, kind in _NOT_READ.items():
        if content.startswith(magic):
            return f"a {kind} file; expected PNG, JPEG or TIFF: save it as TIFF or PNG"
    return f"not an image: expected PNG, JPEG or TIFF, got a file that starts with {content[:8]!r}"


def _decode_png(content: bytes, max_pixels: int) -> Image:
    if len(content) < _PNG_HEADER_BYTES or b"IEND" not in content:
        raise ImageError(_truncated("PNG", "its end marker is missing"))
    width, height, bits, colour = struct.unpack(">IIBB", content[16:26])
    _check_size((height, width), max_pixels)
    if bits < 8 and colour != _PNG_PALETTE:
        raise ImageError(f"a PNG of {bits} bits per pixel; expected 8 or 16: save it as 8-bit grey")
    if b"acTL" in content[: _png_data_start(content)]:
        raise ImageError("an animated PNG; expected one image: save the frame that is meant as PNG or TIFF")
    try:
        pixels = imagecodecs.png_decode(content)
    except _CODEC_FAULTS as error:
        raise ImageError(_truncated("PNG", str(error))) from None
    # The colours of a palette have 8 bits, whatever its indices have.
    return Image(_planes_of_interleaved(pixels), "png", 8 if colour == _PNG_PALETTE else bits)


def _png_data_start(content: bytes) -> int:
    return max(content.find(b"IDAT"), 0)


def _decode_jpeg(content: bytes, max_pixels: int) -> Image:
    frame = _jpeg_frame(content)
    _check_size((frame.components, frame.height, frame.width), max_pixels)
    if frame.components not in (1, 3):
        raise ImageError(
            f"a JPEG of {frame.components} components (CMYK?); expected grey or RGB: save it as TIFF or PNG"
        )
    if frame.bits != 8:
        raise ImageError(f"a JPEG of {frame.bits} bits per pixel; expected 8: save it as TIFF or PNG")
    pixels = _strict_jpeg(content, "GRAY" if frame.components == 1 else "RGB")
    return Image(_planes_of_interleaved(pixels), "jpeg", frame.bits)


def _strict_jpeg(content: bytes, colours: str, **options: Any) -> np.ndarray:
    """Decode to ``(H, W, S)``; libjpeg's warnings, such as grey in place of lost data, are errors here."""
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, colours, **options)
    except _CODEC_FAULTS as error:
        raise ImageError(_why_no_jpeg(content, str(error))) from None
    return pixels


def _why_no_jpeg(content: bytes, reason: str) -> str:
    """Tell damage from subsampling that the strict decoder does not support: its message may be the same."""
    with suppress(RuntimeError):
        if "subsampling" in reason and imagecodecs.jpeg8_decode(content).size:
            return "a JPEG whose colours are sampled in an unusual way; save it as TIFF or PNG"
    return _truncated("JPEG", reason)


class _Frame(NamedTuple):
    """The frame header of a JPEG."""

    bits: int
    height: int
    width: int
    components: int


def _jpeg_frame(content: bytes) -> _Frame:
    position = 2
    while position + 10 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker in _JPEG_FRAMES:
            return _Frame(*struct.unpack(">BHHB", content[position + 4 : position + 10]))
        is_fill = marker == 0xFF
        position += 1 if is_fill else 2 + int.from_bytes(content[position + 2 : position + 4])
    raise ImageError(_truncated("JPEG", "no frame header"))


def _planes_of_interleaved(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` or ``(H, W, S)`` as ``(C, H, W)``, without an opaque alpha channel."""
    if pixels.ndim == 2:
        return pixels[np.newaxis]
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    has_alpha = len(planes) in (2, 4)
    return _without_alpha(planes) if has_alpha else planes


def _without_alpha(planes: np.ndarray) -> np.ndarray:
    opaque = np.iinfo(planes.dtype).max if planes.dtype.kind in "ui" else 1
    if (planes[-1] != opaque).any():
        raise ImageError("has transparent pixels, whose value is unclear; save it without an alpha channel")
    return planes[:-1]


def _decode_tiff(content: bytes, max_pixels: int) -> Image:
    try:
        # Through memory, so that an OME-TIFF cannot make tifffile open other files.
        with tifffile.TiffFile(BytesIO(content)) as file:
            _check_pages(content, file.tiff)
            series = _only_series(file)
            _check_size(series.shape, max_pixels)
            _check_type(series.dtype)
            _check_tiff_is_whole(series, content, max_pixels)
            page = series.keyframe
            _check_photometric(page)
            planes = _planes_of_axes(series.asarray(), series.axes)
            if page.extrasamples and "S" in series.axes:
                planes = _without_alpha(planes)
            ome = _ome_root(file)
            return Image(planes, "tiff", _tiff_bits(page, ome), _ome_channel_names(ome))
    except ImageError:
        raise
    except _TIFF_FAULTS as error:
        raise ImageError(_truncated("TIFF", str(error))) from None


def _tiff_bits(page: tifffile.TiffPage, ome: ElementTree.Element | None) -> int:
    """Bits of a value: BitsPerSample, or OME's SignificantBits where those are fewer, as of a camera of 12 bits."""
    stated: int | tuple[int, ...] = page.bitspersample
    bits = int(max(stated)) if isinstance(stated, tuple) else int(stated)
    pixels = None if ome is None else ome.find(".//{*}Pixels")
    significant = "" if pixels is None else pixels.get("SignificantBits", "")
    return min(bits, int(significant)) if significant.isdecimal() and significant.isascii() else bits


def _only_series(file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    if len(file.series) != 1:
        shapes = ", ".join(f"{series.axes} {series.shape}" for series in file.series)
        raise ImageError(f"holds {len(file.series)} images ({shapes}); expected one: save that one alone")
    return file.series[0]


def _check_pages(content: bytes, kind: tifffile.TiffFormat) -> None:
    """Follow the pages to their end: tifffile skips lost ones, and never leaves a circle."""
    seen: set[int] = set()
    link = 4 if kind.offsetsize == 4 else 8
    while offset := _unpacked(kind.offsetformat, content, link):
        if offset in seen:
            raise ImageError(_truncated("TIFF", "its pages lead in a circle"))
        seen.add(offset)
        n_tags = _unpacked(kind.tagnoformat, content, offset)
        link = offset + kind.tagnosize + n_tags * kind.tagsize


def _unpacked(number: str, content: bytes, position: int) -> int:
    try:
        return int(struct.unpack_from(number, content, position)[0])
    except struct.error:
        raise ImageError(_truncated("TIFF", "later pages are missing")) from None


def _check_tiff_is_whole(series: tifffile.TiffPageSeries, content: bytes, max_pixels: int) -> None:
    """Refuse files whose gaps tifffile would fill with zeros or grey."""
    pages = [page for page in series.pages if page is not None]
    if series.is_multifile or len(pages) < len(series.pages):
        raise ImageError("is one part of an image in several files; save all channels in one file, or one in each")
    for page in pages:
        ends = [offset + size for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not all(page.databytecounts) or max(ends, default=len(content) + 1) > len(content):
            raise ImageError(_truncated("TIFF", "pixel data are missing"))
        if series.keyframe.compression in _TIFF_OF_JPEGS:
            for start, end in zip(page.dataoffsets, ends, strict=True):
                _check_tiff_jpeg(content[start:end], series.keyframe.jpegtables, max_pixels)


def _check_tiff_jpeg(stream: bytes, tables: bytes | None, max_pixels: int) -> None:
    """Refuse a strip or tile that is a damaged JPEG; tables that all of them share may be stored apart, in `tables`."""
    frame = _jpeg_frame(stream)
    _check_size((frame.components, frame.height, frame.width), max_pixels)
    if frame.bits == 8:
        # The smallest picture that libjpeg makes: it reads all data for it, and we use none of its pixels.
        whole = tables[:-2] + stream[2:] if tables else stream
        _strict_jpeg(whole, "GRAY", min_height=1, min_width=1, min_factor=8)


def _check_photometric(page: tifffile.TiffPage) -> None:
    """Refuse pixels that are not brightness: inverted, indices into a palette, or in another colour space."""
    kinds = tifffile.PHOTOMETRIC
    is_decoded_to_rgb = page.photometric == kinds.YCBCR and page.compression == tifffile.COMPRESSION.JPEG
    if page.photometric not in (kinds.MINISBLACK, kinds.RGB) and not is_decoded_to_rgb:
        name = kinds(page.photometric).name
        raise ImageError(f"a TIFF of photometric interpretation {name}; expected grey (MINISBLACK) or RGB: convert it")


def _planes_of_axes(pixels: np.ndarray, axes: str) -> np.ndarray:
    """Pixels with tifffile's axes, such as ``TZCYX`` or ``YXS``, as ``(C, H, W)``."""
    singletons = tuple(i for i, (axis, size) in enumerate(zip(axes, pixels.shape, strict=True)) if _is_idle(axis, size))
    left = "".join(axis for i, axis in enumerate(axes) if i not in singletons)
    planes = pixels.squeeze(singletons)
    if left == "YX":
        return planes[np.newaxis]
    # Pages without further notes are I or Q; samples of a pixel are S.
    if sorted(left.translate(str.maketrans("SIQ", "CCC"))) != ["C", "X", "Y"] or "YX" not in left:
        raise ImageError(
            f"has axes {left} {planes.shape}; expected channels, height and width (CYX or YXC): "
            "pick one time and depth, or project, and save that"
        )
    channel_axis = left.index(left.replace("YX", ""))
    return np.ascontiguousarray(np.moveaxis(planes, channel_axis, 0))


def _is_idle(axis: str, size: int) -> bool:
    return size == 1 and axis not in "YX"


def _ome_root(file: tifffile.TiffFile) -> ElementTree.Element | None:
    with suppress(ElementTree.ParseError):
        return ElementTree.fromstring(file.ome_metadata) if file.ome_metadata else None
    return None


def _ome_channel_names(root: ElementTree.Element | None) -> tuple[str, ...]:
    if root is None:
        return ()
    return tuple(channel.get("Name", "") for channel in root.iterfind(".//{*}Pixels/{*}Channel"))


def _check_size(shape: tuple[int, ...], max_pixels: int) -> None:
    size = math.prod(shape)
    if size == 0:
        raise ImageError(f"has {' x '.join(map(str, shape))} pixels, so none at all; copy it again")
    if size > max_pixels:
        written = " x ".join(map(str, shape))
        raise ImageError(
            f"has {written} = {size} pixels; images.max_pixels allows {max_pixels}: raise it if this is meant"
        )


def _check_type(dtype: np.dtype) -> None:
    if dtype.kind not in "uif":
        raise ImageError(f"has pixels of type {dtype}; expected integers or floats: save it as 8- or 16-bit grey")


def _check_finite(pixels: np.ndarray) -> None:
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = np.count_nonzero(~np.isfinite(pixels))
        raise ImageError(
            f"has {count} pixels that are NaN or infinite; expected finite ones: mend or leave out the image"
        )


def _truncated(kind: str, why: str) -> str:
    return f"a truncated or damaged {kind} ({why}); copy it again"
