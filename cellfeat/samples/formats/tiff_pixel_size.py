"""Width of a pixel in the specimen, as OME's, ImageJ's or TIFF's own notes state it."""

from contextlib import suppress
from xml.etree import ElementTree

import tifffile

from cellfeat.samples.formats.pixel_size import square_size, unit_in_micrometres

_LARGEST_BY_TAGS = 20.0
"""Micrometres. Resolution tags that say more are those of a printer or a screen, such as 300 or 72 dots an inch."""
_TAG_UNITS: dict[int, float] = {tifffile.RESUNIT.CENTIMETER: 1e4, tifffile.RESUNIT.INCH: 25400.0}


def tiff_pixel_size(file: tifffile.TiffFile, page: tifffile.TiffPage, ome: ElementTree.Element | None) -> float | None:
    """Give the width of a pixel in micrometres; None where the file does not state it, or pixels are not square.

    Parameters
    ----------
    file, page
        The open file, and the first page of its image.
    ome
        The element ``Pixels`` of the OME metadata; None where there is none.
    """
    if ome is not None:
        return square_size(_ome_size(ome, "X"), _ome_size(ome, "Y"))
    width, height = (_size_by_tag(page, name) for name in ("XResolution", "YResolution"))
    if file.is_imagej:
        unit = unit_in_micrometres((file.imagej_metadata or {}).get("unit"))
        return None if unit is None or width is None else square_size(width * unit, height and height * unit)
    unit = _TAG_UNITS.get(int(page.resolutionunit or 0))
    size = None if unit is None or width is None else square_size(width * unit, height and height * unit)
    return size if size is not None and size < _LARGEST_BY_TAGS else None


def _ome_size(ome: ElementTree.Element, axis: str) -> float | None:
    unit = unit_in_micrometres(ome.get(f"PhysicalSize{axis}Unit", "µm"))
    try:
        return None if unit is None else float(ome.get(f"PhysicalSize{axis}", "")) * unit
    except ValueError:
        return None


def _size_by_tag(page: tifffile.TiffPage, name: str) -> float | None:
    """Units of a pixel, out of pixels of a unit; None where the tag is missing or is no fraction."""
    tag = page.tags.get(name)
    value = None if tag is None else tag.value
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, int) for part in value)):
        return None
    count, units = value
    return units / count if count > 0 and units > 0 else None


def ome_pixels(file: tifffile.TiffFile, number: int) -> ElementTree.Element | None:
    """Give the element of the OME metadata that describes an image; None where there is none.

    Parameters
    ----------
    file
        The open file.
    number
        The number of the image in the file.
    """
    if not file.ome_metadata:
        return None
    with suppress(ElementTree.ParseError):
        described = ElementTree.fromstring(file.ome_metadata).findall(".//{*}Pixels")
        return described[min(number, len(described) - 1)] if described else None
    return None
