"""The bytes of a PNG, JPEG or TIFF become pixels as they were stored, or an error; nothing is guessed or repaired.

What a file is, its first bytes say, not its name. Messages here name no file: `cellfeat.samples.images` does.
"""

import logging
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from xml.etree import ElementTree

import imagecodecs
import numpy as np
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
_JPEG_CONTINUATION = b"".join(bytes(range(0xEE - n, 0x11, -3)) + bytes((0xFF, 0xD0 + n)) for n in range(8))
"""Coded data of no meaning: a picture that changes when it goes on with these had lacked its own."""
_PNG_HEADER_BYTES = 33
_PNG_PALETTE = 3
_JPEG_END = b"\xff\xd9"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

# What damaged files make the libraries raise: imagecodecs RuntimeErrors, tifffile whatever its parsing trips over.
_CODEC_FAULTS = (RuntimeError, ValueError)
_TIFF_FAULTS = (
    *_CODEC_FAULTS, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, TypeError,
    struct.error,
)  # fmt: skip


# What they log of a damaged file would reach the terminal beside our own message, without the file's name.
for _library in ("imagecodecs", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Image:
    """A decoded file.

    Attributes
    ----------
    pixels
        ``(C, H, W)``, of the file's own type.
    channel_names
        The channels' names where the file gives them (OME-TIFF), else empty.
    """

    pixels: np.ndarray
    channel_names: tuple[str, ...] = ()


def decode_image(content: bytes, max_pixels: int) -> Image:
    """Decode the bytes of a PNG, JPEG or TIFF file.

    Raises
    ------
    ImageError
        If they are none of these, damaged, larger than `max_pixels` (looked up in the header, before decoding), or
        hold pixels whose meaning is not plain: masks, complex numbers, NaN, transparency, time or depth.
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
    return Image(_planes_of_interleaved(pixels))


def _png_data_start(content: bytes) -> int:
    return max(content.find(b"IDAT"), 0)


def _decode_jpeg(content: bytes, max_pixels: int) -> Image:
    height, width, components = _jpeg_frame(content)
    _check_size((components, height, width), max_pixels)
    if components not in (1, 3):
        raise ImageError(f"a JPEG of {components} components (CMYK?); expected grey or RGB: save it as TIFF or PNG")
    # libjpeg fills what is missing at the end with grey and only warns.
    end = content.rfind(_JPEG_END)
    if end < content.rfind(b"\xff\xda"):
        raise ImageError(_truncated("JPEG", "its end marker is missing"))
    try:
        pixels = imagecodecs.jpeg_decode(content)
        # Behind whole data libjpeg reads nothing, whatever stands there.
        continued = imagecodecs.jpeg_decode(content[:end] + _JPEG_CONTINUATION + _JPEG_END)
    except _CODEC_FAULTS as error:
        raise ImageError(_truncated("JPEG", str(error))) from None
    if not np.array_equal(pixels, continued):
        raise ImageError(_truncated("JPEG", "its data end before the picture does"))
    return Image(_planes_of_interleaved(pixels))


def _jpeg_frame(content: bytes) -> tuple[int, int, int]:
    """Height, width and number of components, from the frame header."""
    position = 2
    while position + 10 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker in _JPEG_FRAMES:
            height, width, components = struct.unpack(">HHB", content[position + 5 : position + 10])
            return height, width, components
        is_fill = marker == 0xFF
        position += 1 if is_fill else 2 + int.from_bytes(content[position + 2 : position + 4])
    raise ImageError(_truncated("JPEG", "no frame header"))


def _planes_of_interleaved(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` or ``(H, W, S)`` as ``(C, H, W)``, less an opaque alpha."""
    if pixels.ndim == 2:
        return pixels[np.newaxis]
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    has_alpha = len(planes) in (2, 4)
    return _without_alpha(planes) if has_alpha else planes


def _without_alpha(planes: np.ndarray) -> np.ndarray:
    opaque = np.iinfo(planes.dtype).max if planes.dtype.kind in "ui" else 1
    if (planes[-1] != opaque).any():
        raise ImageError("has transparent pixels, whose value is not plain; save it without an alpha channel")
    return planes[:-1]


def _decode_tiff(content: bytes, max_pixels: int) -> Image:
    try:
        # Through memory, so that an OME-TIFF cannot make tifffile open other files.
        with tifffile.TiffFile(BytesIO(content)) as file:
            series = _only_series(file)
            _check_size(series.shape, max_pixels)
            _check_type(series.dtype)
            _check_tiff_is_whole(file, series, content)
            page = series.keyframe
            _check_photometric(page)
            planes = _planes_of_axes(series.asarray(), series.axes)
            has_alpha = bool(page.extrasamples) and "S" in series.axes
            return Image(_without_alpha(planes) if has_alpha else planes, _ome_channel_names(file))
    except ImageError:
        raise
    except _TIFF_FAULTS as error:
        raise ImageError(_truncated("TIFF", str(error))) from None


def _only_series(file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    if len(file.series) != 1:
        shapes = ", ".join(f"{series.axes} {series.shape}" for series in file.series)
        raise ImageError(f"holds {len(file.series)} images ({shapes}); expected one: save the one that is meant alone")
    return file.series[0]


def _check_tiff_is_whole(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, content: bytes) -> None:
    """Refuse what tifffile would read with zeros in the gaps, or with fewer pages than were written."""
    pages = [page for page in series.pages if page is not None]
    if series.is_multifile or len(pages) < len(series.pages):
        raise ImageError("is one part of an image in several files; save all channels in one file, or one in each")
    link, size = file.pages.next_page_offset or 0, file.tiff.offsetsize
    if content[link : link + size] != bytes(size):  # the last page links to none
        raise ImageError(_truncated("TIFF", "later pages are missing"))
    for page in pages:
        ends = [offset + size for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not all(page.databytecounts) or max(ends, default=len(content) + 1) > len(content):
            raise ImageError(_truncated("TIFF", "pixel data are missing"))


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


def _ome_channel_names(file: tifffile.TiffFile) -> tuple[str, ...]:
    if not file.ome_metadata:
        return ()
    try:
        root = ElementTree.fromstring(file.ome_metadata)
    except ElementTree.ParseError:
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
