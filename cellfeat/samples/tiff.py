"""Decode TIFF files, OME-TIFF and ImageJ's among them."""

import logging
import struct
from contextlib import suppress
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.decoded_image import CODEC_FAULTS, Image, check_size, check_type, truncated, without_alpha
from cellfeat.samples.jpeg import jpeg_frame, strict_jpeg
from cellfeat.samples.stated_bits import bits_of_display_range, bits_of_highest_value

# TIFF's numbers for compression by JPEG: the usual one, and an older one of scanners.
_JPEG_COMPRESSIONS = (7, 33007)

# tifffile raises whatever its parsing of a damaged file runs into.
_TIFF_FAULTS = (
    *CODEC_FAULTS, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, TypeError,
    struct.error,
)  # fmt: skip

# Its log lines about damaged files would reach the terminal beside our own message, without the file's name.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def decode_tiff(content: bytes, max_pixels: int) -> Image:
    """Decode the bytes of a TIFF file.

    Parameters
    ----------
    content
        All bytes of the file.
    max_pixels
        The most pixels that the image may have, channels counted.

    Raises
    ------
    ImageError
        As `cellfeat.samples.decoding.decode_image`.
    """
    try:
        # Through memory, so that an OME-TIFF cannot make tifffile open other files.
        with tifffile.TiffFile(BytesIO(content)) as file:
            _check_pages(content, file.tiff)
            series = _only_series(file)
            check_size(series.shape, max_pixels)
            check_type(series.dtype)
            _check_tiff_is_whole(series, content, max_pixels)
            page = series.keyframe
            _check_photometric(page)
            planes = _planes_of_axes(series.asarray(), series.axes)
            if page.extrasamples and "S" in series.axes:
                planes = without_alpha(planes)
            ome = _ome_root(file)
            return Image(planes, "tiff", _tiff_bits(file, planes, ome), _ome_channel_names(ome))
    except ImageError:
        raise
    except _TIFF_FAULTS as error:
        raise ImageError(truncated("TIFF", str(error))) from None


def _tiff_bits(file: tifffile.TiffFile, planes: np.ndarray, ome: ElementTree.Element | None) -> int:
    """Bits of a value: BitsPerSample, or fewer where OME's, ImageJ's or TIFF's notes say so, as of a 12-bit camera."""
    page = file.series[0].keyframe
    stated: int | tuple[int, ...] = page.bitspersample
    bits = int(max(stated)) if isinstance(stated, tuple) else int(stated)
    if planes.dtype.kind not in "ui":
        return bits
    bits = min(bits, _ome_bits(ome) or bits)
    bits = bits_of_highest_value(planes, bits, _highest_stated(page))
    notes = file.imagej_metadata or {}
    return bits_of_display_range(planes, bits, notes.get("Ranges") or (notes.get("min", 0), notes.get("max", 0)))


def _ome_bits(root: ElementTree.Element | None) -> int | None:
    pixels = None if root is None else root.find(".//{*}Pixels")
    significant = "" if pixels is None else pixels.get("SignificantBits", "")
    return int(significant) if significant.isdecimal() and significant.isascii() else None


def _highest_stated(page: tifffile.TiffPage) -> float:
    """The tag MaxSampleValue, of one number or one for each sample; 0 where it is missing or something else."""
    tag = page.tags.get("MaxSampleValue")
    values = np.ravel(0 if tag is None else tag.value)
    return float(values.max()) if values.dtype.kind in "ui" and values.size else 0.0


def _only_series(file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    if len(file.series) != 1:
        shapes = ", ".join(f"{series.axes} {series.shape}" for series in file.series)
        raise ImageError(f"holds {len(file.series)} images ({shapes}); expected one: save that one alone")
    return file.series[0]


def _check_pages(content: bytes, kind: tifffile.TiffFormat) -> None:
    """Follow the pages to their end: tifffile skips lost ones, and never leaves a circle."""
    seen: set[int] = set()
    # Where the header keeps the offset of the first page: after 4 bytes in a TIFF, after 8 in a BigTIFF.
    link = 4 if kind.offsetsize == 4 else 8
    while offset := _unpacked(kind.offsetformat, content, link):
        if offset in seen:
            raise ImageError(truncated("TIFF", "its pages lead in a circle"))
        seen.add(offset)
        n_tags = _unpacked(kind.tagnoformat, content, offset)
        link = offset + kind.tagnosize + n_tags * kind.tagsize


def _unpacked(number: str, content: bytes, position: int) -> int:
    try:
        return int(struct.unpack_from(number, content, position)[0])
    except struct.error:
        raise ImageError(truncated("TIFF", "later pages are missing")) from None


def _check_tiff_is_whole(series: tifffile.TiffPageSeries, content: bytes, max_pixels: int) -> None:
    """Refuse files whose gaps tifffile would fill with zeros or grey."""
    pages = [page for page in series.pages if page is not None]
    if series.is_multifile or len(pages) < len(series.pages):
        raise ImageError("is one part of an image in several files; save all channels in one file, or one in each")
    for page in pages:
        ends = [offset + size for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not all(page.databytecounts) or max(ends, default=len(content) + 1) > len(content):
            raise ImageError(truncated("TIFF", "pixel data are missing"))
        if series.keyframe.compression in _JPEG_COMPRESSIONS:
            for start, end in zip(page.dataoffsets, ends, strict=True):
                _check_tiff_jpeg(content[start:end], series.keyframe.jpegtables, max_pixels)


def _check_tiff_jpeg(stream: bytes, tables: bytes | None, max_pixels: int) -> None:
    """Refuse a strip or tile that is a damaged JPEG; tables that all of them share may be stored apart, in `tables`."""
    frame = jpeg_frame(stream)
    check_size((frame.components, frame.height, frame.width), max_pixels)
    if frame.bits == 8:
        # The smallest picture that libjpeg makes: it reads all data for it, and we use none of its pixels.
        # Without the end marker of the tables and the start marker of the stream, the two are one JPEG.
        whole = tables[:-2] + stream[2:] if tables else stream
        strict_jpeg(whole, "GRAY", min_height=1, min_width=1, min_factor=8)


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
