"""Size and resolution of an image file, without decoding its pixels."""

import re
import struct
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import simplejpeg
import tifffile

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.decoded_image import CODEC_FAULTS

_FAULTS = (*CODEC_FAULTS, ArithmeticError, AttributeError, LookupError, OSError, TypeError, struct.error)
_UNITS = {"": 1.0, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
# Resolutions of 72 or 96 dots an inch are defaults of programs, not of microscopes.
_LARGEST_MICROMETRES = 50.0


class Header(NamedTuple):
    """What the header of an image file says.

    Attributes
    ----------
    height, width
        Size in pixels.
    pixel_size
        Micrometres per pixel; None where the file does not state it.
    """

    height: int
    width: int
    pixel_size: float | None = None


def read_header(path: Path) -> Header:
    """Read the size and the pixel size of a PNG, JPEG or TIFF file.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ImageError
        If it is none of these, or damaged.
    """
    try:
        with path.open("rb") as file:
            start = file.read(32)
        if start.startswith(b"\x89PNG"):
            width, height = struct.unpack(">II", start[16:24])
            return Header(height, width)
        if start.startswith(b"\xff\xd8\xff"):
            height, width, *_ = simplejpeg.decode_jpeg_header(path.read_bytes())
            return Header(int(height), int(width))
        return _of_tiff(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: the file does not exist") from None
    except _FAULTS as error:
        raise ImageError(f"{path}: its size cannot be read: {error}") from None


def _of_tiff(path: Path) -> Header:
    with tifffile.TiffFile(path, _multifile=False) as file:
        page = file.pages.first
        return Header(int(page.imagelength), int(page.imagewidth), _pixel_size(file))


def _pixel_size(file: tifffile.TiffFile) -> float | None:
    """Micrometres per pixel: of OME's metadata, ImageJ's, or the resolution in centimetres."""
    if file.ome_metadata:
        return _of_ome(file.ome_metadata)
    tag = file.pages.first.tags.get("XResolution")
    if tag is None or not tag.value or not tag.value[0]:
        return None
    per_unit = tag.value[0] / tag.value[1] if isinstance(tag.value, tuple) else float(tag.value)
    unit = (file.imagej_metadata or {}).get("unit", "")
    if unit:
        # ImageJ writes the micro sign as an escape.
        factor = _UNITS.get(re.sub(r"\\u00b5|\\u03bc", "µ", str(unit)).lower())
    else:
        resolution_unit = file.pages.first.tags.get("ResolutionUnit")
        factor = {3: 1e4, 2: 25_400.0}.get(int(resolution_unit.value)) if resolution_unit else None
    size = factor / per_unit if factor and per_unit else None
    return size if size and size <= _LARGEST_MICROMETRES else None


def _of_ome(metadata: str) -> float | None:
    try:
        pixels = ElementTree.fromstring(metadata).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    if pixels is None or not pixels.get("PhysicalSizeX"):
        return None
    factor = _UNITS.get(pixels.get("PhysicalSizeXUnit", "µm").lower())
    size = float(pixels.get("PhysicalSizeX", "0"))
    return size * factor if factor and size > 0 else None
