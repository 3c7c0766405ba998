"""Size and resolution of an image file, without decoding its pixels."""

import struct
from pathlib import Path
from typing import NamedTuple

import simplejpeg

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.bmp import bmp_header
from cellfeat.samples.formats.decoded_image import PARSER_FAULTS
from cellfeat.samples.formats.decoding import BMP, JPEG, PNG
from cellfeat.samples.formats.microscopes.formats import stack_format
from cellfeat.samples.formats.microscopes.stack_file import read_stack_header
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice
from cellfeat.samples.formats.tiff_pages import open_tiff
from cellfeat.samples.formats.tiff_pixel_size import ome_pixels, tiff_pixel_size


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


def read_header(path: Path, choice: PlaneChoice = NO_CHOICE) -> Header:
    """Read the size and the pixel size of an image file.

    Parameters
    ----------
    path
        The file, or a folder of OME-Zarr.
    choice
        Which image of a file that holds several.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ImageError
        If it is of none of the formats that are read, or damaged.
    """
    try:
        kind = stack_format(path)
        if kind is not None:
            return Header(*read_stack_header(kind, path, choice))
        with path.open("rb") as file:
            start = file.read(64)
        if start.startswith(PNG):
            width, height = struct.unpack(">II", start[16:24])
            return Header(height, width)
        if start.startswith(JPEG):
            height, width, *_ = simplejpeg.decode_jpeg_header(path.read_bytes())
            return Header(int(height), int(width))
        if start.startswith(BMP):
            header = bmp_header(start)
            return Header(abs(header.height), header.width)
        return _of_tiff(path, choice)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: the file does not exist") from None
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except PARSER_FAULTS as error:
        raise ImageError(f"{path}: its size cannot be read: {error}") from None


def _of_tiff(path: Path, choice: PlaneChoice) -> Header:
    with open_tiff(path) as file:
        number = choice.series or 0
        page = file.series[number].keyframe if number < len(file.series) else file.pages.first
        size = tiff_pixel_size(file, page, ome_pixels(file, number))
        return Header(int(page.imagelength), int(page.imagewidth), size)
