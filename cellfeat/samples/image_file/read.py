"""Read one image file, and name it in every error."""

from pathlib import Path

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice
from cellfeat.samples.formats.reading import decode_file
from cellfeat.storage.url import Location


def read_image(path: Path, max_pixels: int, plane: PlaneChoice = NO_CHOICE) -> Image:
    """Read one image file.

    Parameters
    ----------
    path
        The file.
    max_pixels
        The most pixels that it may hold, channels counted.
    plane
        Which plane of a stack is read.

    Raises
    ------
    MissingFileError
        If it does not exist.
    ImageError
        If it cannot be read.
    """
    try:
        return decode_file(path, max_pixels, plane)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: the file does not exist") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def read_content(content: bytes, where: Location, max_pixels: int, plane: PlaneChoice = NO_CHOICE) -> Image:
    """Read an image file whose bytes are in memory.

    Parameters
    ----------
    content
        All bytes of the file.
    where
        Where it comes from, for messages.
    max_pixels, plane
        As for `read_image`.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    try:
        return decode_image(content, max_pixels, plane)
    except ImageError as error:
        raise ImageError(f"{where}: {error}") from None
