"""A decoded image, and the checks that every format shares."""

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.orientation import AS_STORED

# imagecodecs and simplejpeg raise these on damaged files.
CODEC_FAULTS = (RuntimeError, ValueError)
# The libraries that parse microscope formats raise whatever their parsing of a damaged file runs into.
PARSER_FAULTS = (
    *CODEC_FAULTS, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    SyntaxError, TypeError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Image:
    """A decoded file.

    Attributes
    ----------
    pixels
        ``(C, H, W)``, of the file's own type, with every plane that the file holds.
    file_format
        ``png``, ``jpeg``, ``tiff``, ``bmp``, or the short name of another format, such as ``nd2``.
    bits_stated
        Bits of a value as the file states them, for example 12 in a TIFF whose values take 16 in memory: white is
        2 to their power, less 1.
    channel_names
        The name of each plane where the file gives them (OME-TIFF), else empty. Planes of one channel share its name.
    alpha
        The planes that hold transparency, by number.
    names_axes
        Whether the file says that its planes are channels. The pages of a TIFF without such a note may also be depths
        or times.
    pixel_size
        Width of a pixel in the specimen, in micrometres, where the file states it and pixels are square; else None.
    orientation
        How the picture is to be turned for the eye, as Exif and TIFF number it, which is not done; 1: as it is stored.
    """

    pixels: np.ndarray
    file_format: str
    bits_stated: int
    channel_names: tuple[str, ...] = ()
    alpha: tuple[int, ...] = ()
    names_axes: bool = True
    pixel_size: float | None = None
    orientation: int = AS_STORED


def planes_of_interleaved(pixels: np.ndarray) -> np.ndarray:
    """Turn pixels of shape ``(H, W)`` or ``(H, W, S)`` into shape ``(C, H, W)``."""
    if pixels.ndim == 2:
        return pixels[np.newaxis]
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def check_size(shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse an empty or a too large image.

    Parameters
    ----------
    shape
        Shape of its pixels.
    max_pixels
        The most pixels that it may have, channels counted.
    """
    size = math.prod(shape)
    if size == 0:
        raise ImageError(f"has {' x '.join(map(str, shape))} pixels, so none at all; copy it again")
    if size > max_pixels:
        written = " x ".join(map(str, shape))
        raise ImageError(
            f"has {written} = {size} pixels; images.max_pixels allows {max_pixels}: raise it if this is meant"
        )


def check_type(dtype: np.dtype) -> None:
    """Refuse pixels that are neither integers nor floats."""
    if dtype.kind not in "uif":
        raise ImageError(f"has pixels of type {dtype}; expected integers or floats: save it as 8- or 16-bit grey")


def check_finite(pixels: np.ndarray) -> None:
    """Refuse NaN and infinity in pixels of any shape."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = np.count_nonzero(~np.isfinite(pixels))
        raise ImageError(
            f"has {count} pixels that are NaN or infinite; expected finite ones: mend or leave out the image"
        )


def truncated(kind: str, why: str) -> str:
    """Make the message about a damaged file.

    Parameters
    ----------
    kind
        Its format.
    why
        What shows that it is damaged.
    """
    return f"a truncated or damaged {kind} ({why}); copy it again"


def channels_hint(planes: Sequence[int]) -> str:
    """Options that pick planes by their numbers; two of them are shown to the network separately."""
    numbers = ",".join(map(str, planes))
    separate = " --set preprocessing.channels_as=separate" if len(planes) == 2 else ""
    return f"--set 'images.channels=[{numbers}]'{separate}"
