"""Read one image file, and name it in every error."""

import stat
from pathlib import Path

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.decoding import decode_image

LARGEST_PIXEL = 8
"""Bytes of a pixel of the widest type that is read."""
LARGEST_HEADER = 2**26
"""Bytes that a file may hold beside its pixels: previews, metadata, thumbnails."""
_KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


def read_image(path: Path, max_pixels: int) -> Image:
    """Read one image file.

    Parameters
    ----------
    path
        The file.
    max_pixels
        The most pixels that it may hold, channels counted.

    Raises
    ------
    MissingFileError
        If it does not exist.
    ImageError
        If it cannot be read.
    """
    try:
        _check_file(path, max_pixels)
        return decode_image(path.read_bytes(), max_pixels)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: the file does not exist") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def _check_file(path: Path, max_pixels: int) -> None:
    """Refuse what reading would never finish: pipes and devices, and files far larger than their pixels can be."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(f"is a {_KINDS.get(stat.S_IFMT(found.st_mode), 'device')}; expected a file: move it elsewhere")
    if found.st_size > LARGEST_HEADER + LARGEST_PIXEL * max_pixels:
        raise ImageError(
            f"has {found.st_size} bytes, more than images.max_pixels = {max_pixels} can need: raise it if this is meant"
        )
