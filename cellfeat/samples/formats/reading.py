"""Read an image file, whatever its format."""

import stat
from pathlib import Path

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.formats.h5sc_names import cell_of
from cellfeat.samples.formats.microscopes.formats import stack_format
from cellfeat.samples.formats.microscopes.stack_file import read_stack_file
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice, check_flat

LARGEST_PIXEL = 8
"""Bytes of a pixel of the widest type that is read."""
LARGEST_HEADER = 2**26
"""Bytes that a file may hold beside its pixels: previews, metadata, thumbnails."""
_KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


def decode_file(path: Path, max_pixels: int, choice: PlaneChoice = NO_CHOICE) -> Image:
    """Read an image file. Messages name no file: `cellfeat.samples.reading.images` does.

    Parameters
    ----------
    path
        The file; a folder of OME-Zarr; or the address of a cell in a file of scPortrait.
    max_pixels
        The most pixels that the image may have, channels counted.
    choice
        Which plane of a stack is read.

    Raises
    ------
    OSError
        If the file cannot be read.
    ImageError
        As `cellfeat.samples.formats.decoding.decode_image`; also if a library that reads the format is missing.
    """
    cell = cell_of(path)
    if cell is not None:
        # Imported here: most reading processes do without HDF5, and start faster.
        from cellfeat.samples.formats.h5sc import read_cell

        check_flat(choice)
        return read_cell(*cell, max_pixels)
    kind = stack_format(path)
    if kind is not None:
        return read_stack_file(kind, path, max_pixels, choice)
    _check_file(path, max_pixels)
    return decode_image(path.read_bytes(), max_pixels, choice)


def _check_file(path: Path, max_pixels: int) -> None:
    """Refuse what reading would never finish: pipes and devices, and files far larger than their pixels can be."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(f"is a {_KINDS.get(stat.S_IFMT(found.st_mode), 'device')}; expected a file: move it elsewhere")
    if found.st_size > LARGEST_HEADER + LARGEST_PIXEL * max_pixels:
        raise ImageError(
            f"has {found.st_size} bytes, more than images.max_pixels = {max_pixels} can need: raise it if this is meant"
        )
