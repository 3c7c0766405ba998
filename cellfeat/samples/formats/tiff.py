"""Decode TIFF files, OME-TIFF and ImageJ's among them."""

import logging
from io import BytesIO
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import PARSER_FAULTS, Image, check_size, check_type, truncated
from cellfeat.samples.formats.orientation import known_orientation
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice, indices, named_axes, pick_series, read_plane
from cellfeat.samples.formats.stated_bits import bits_of_display_range, bits_of_highest_value
from cellfeat.samples.formats.tiff_axes import (
    alpha_planes,
    channel_axis,
    check_shape,
    names_axis,
    plane_names,
    planes_of,
)
from cellfeat.samples.formats.tiff_pages import check_links, whole_pages
from cellfeat.samples.formats.tiff_pixel_size import ome_pixels, tiff_pixel_size
from cellfeat.samples.formats.tiff_stacks import has_depths_or_times, tiff_stack
from cellfeat.samples.formats.tiff_streams import check_raw, check_stream
from cellfeat.text import first_ten

# Its log lines about damaged files would reach the terminal beside our own message, without the file's name.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_COMPRESSIONS_OF_BITS = frozenset(
    {
        tifffile.COMPRESSION.NONE,
        tifffile.COMPRESSION.PACKBITS,
        tifffile.COMPRESSION.LZW,
        tifffile.COMPRESSION.DEFLATE,
        tifffile.COMPRESSION.ADOBE_DEFLATE,
    }
)
# The standard shows 0 as white. ImageJ writes the values that it measures and shows inverted, and tifffile writes truth
# values so, of which true is meant to be white.
_WHITE_IS_ZERO = (
    "programs differ in whether its values are brightness or its inverse, so save it with white as the highest value "
    "(ImageJ: Image > Lookup Tables > Grays, and Edit > Invert where objects are dark then; tifffile: "
    "photometric='minisblack')"
)


def decode_tiff(content: bytes, max_pixels: int, choice: PlaneChoice = NO_CHOICE) -> Image:
    """Decode the bytes of a TIFF file.

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
        As `cellfeat.samples.formats.decoding.decode_image`.
    """
    try:
        # Through memory, so that an OME-TIFF cannot make tifffile open other files.
        with tifffile.TiffFile(BytesIO(content)) as file:
            check_links(content, file.tiff)
            number = pick_series(len(file.series), choice, _described(file))
            _check_type(file.series[number].keyframe)
            _check_photometric(file.series[number].keyframe)
            return _image(file, number, _Reading(content, max_pixels, choice))
    except ImageError:
        raise
    except PARSER_FAULTS as error:
        raise ImageError(truncated("TIFF", str(error))) from None


class _Reading(NamedTuple):
    """The bytes of a file, and what may be read of them."""

    content: bytes
    max_pixels: int
    choice: PlaneChoice


def _image(file: tifffile.TiffFile, number: int, reading: _Reading) -> Image:
    series = file.series[number]
    page, ome = series.keyframe, ome_pixels(file, number)
    pixels, axes = _pixels(file, series, reading)
    axis = channel_axis(pixels.shape, axes)
    planes = planes_of(pixels, axes, axis)
    if planes.dtype == bool:
        planes = planes * np.uint8(255)
    names = plane_names(ome, page.samplesperpixel)
    check_shape(planes, axis, has_names=any(names))
    alpha = alpha_planes(page, axis)
    # An opaque alpha has the highest value of the type, whatever the bits of the colours.
    bits = _stated_bits(page, np.delete(planes, alpha, axis=0), ome, file.imagej_metadata or {})
    return Image(
        planes,
        "tiff",
        bits,
        names,
        alpha=alpha,
        names_axes=names_axis(axis),
        pixel_size=tiff_pixel_size(file, page, ome),
        orientation=known_orientation(page.tags.valueof("Orientation", 1)),
    )


def _pixels(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, reading: _Reading) -> tuple[np.ndarray, str]:
    """Read all pixels of an image, or the plane of a stack, and name their axes."""
    content, max_pixels, choice = reading
    axes = named_axes(series.axes, series.shape, choice)
    page = series.keyframe
    samples = page.samplesperpixel if page.planarconfig == tifffile.PLANARCONFIG.CONTIG else 1
    is_raw = page.compression == tifffile.COMPRESSION.NONE and not page.is_tiled
    if has_depths_or_times(axes, series.shape):
        stack = tiff_stack(series, axes, content, check=lambda: _check_streams(file, series, content, max_pixels))
        pixels, axes = read_plane(stack, choice, max_pixels)
    else:
        indices(axes, series.shape, choice)
        check_size(series.shape, max_pixels)
        channel_axis(series.shape, axes)
        _check_streams(file, series, content, max_pixels)
        pixels = series.asarray()
    if is_raw:
        check_raw(pixels, page.imagewidth * samples)
    return pixels, axes


def _described(file: tifffile.TiffFile) -> str:
    return first_ten(f"{series.axes} {series.shape}" for series in file.series)


def _stated_bits(
    page: tifffile.TiffPage, planes: np.ndarray, ome: ElementTree.Element | None, notes: dict[str, Any]
) -> int:
    """Bits of a value: BitsPerSample, or fewer where OME's, ImageJ's or TIFF's notes say so, as of a 12-bit camera."""
    stated: int | tuple[int, ...] = page.bitspersample
    bits = int(max(stated)) if isinstance(stated, tuple) else int(stated)
    if bits == 1:
        return 8
    if planes.dtype.kind not in "ui" or not planes.size:
        return bits
    significant = "" if ome is None else ome.get("SignificantBits", "")
    bits = min(bits, int(significant) or bits) if significant.isdecimal() and significant.isascii() else bits
    bits = bits_of_highest_value(planes, bits, _highest_stated(page))
    return bits_of_display_range(planes, bits, notes.get("Ranges") or (notes.get("min", 0), notes.get("max", 0)))


def _highest_stated(page: tifffile.TiffPage) -> float:
    """The tag MaxSampleValue, of one number or one for each sample; 0 where it is missing or something else."""
    tag = page.tags.get("MaxSampleValue")
    values = np.ravel(0 if tag is None else tag.value)
    return float(values.max()) if values.dtype.kind in "ui" and values.size else 0.0


def _check_streams(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, content: bytes, max_pixels: int) -> None:
    """Refuse missing data, and compressed data that tifffile would decode to grey or to other pixels."""
    page = series.keyframe
    for part in whole_pages(file, series, len(content)):
        for start, count in zip(part.dataoffsets, part.databytecounts, strict=False):
            check_stream(page.compression, content[start : start + count], page.jpegtables, max_pixels)


def _check_type(page: tifffile.TiffPage) -> None:
    """Refuse what is no number; single bits are read where damage of their data is found."""
    if page.dtype != bool or page.compression not in _COMPRESSIONS_OF_BITS:
        check_type(np.dtype(page.dtype))


def _check_photometric(page: tifffile.TiffPage) -> None:
    """Refuse pixels that are not brightness: inverted, indices into a palette, or in another colour space."""
    kinds = tifffile.PHOTOMETRIC
    is_decoded_to_rgb = page.photometric == kinds.YCBCR and page.compression == tifffile.COMPRESSION.JPEG
    if page.photometric not in (kinds.MINISBLACK, kinds.RGB) and not is_decoded_to_rgb:
        way_out = _WHITE_IS_ZERO if page.photometric == kinds.MINISWHITE else "convert it"
        raise ImageError(
            f"a TIFF of photometric interpretation {kinds(page.photometric).name}; expected grey (MINISBLACK) or RGB: "
            f"{way_out}"
        )
