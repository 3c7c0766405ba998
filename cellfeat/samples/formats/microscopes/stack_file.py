"""An open file of a microscope: its images, of which no pixel is read yet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import PARSER_FAULTS, Image, check_finite, truncated
from cellfeat.samples.formats.planes import PlaneChoice, Stack, pick_series, read_plane
from cellfeat.text import first_ten


@dataclass(frozen=True)
class Notes:
    """What a file says about the pixels of one image.

    Attributes
    ----------
    bits
        Bits of a value.
    channel_names
        The name of each channel; empty where there are none.
    pixel_size
        Width of a pixel in micrometres; None where it is not stated.
    """

    bits: int
    channel_names: tuple[str, ...] = ()
    pixel_size: float | None = None


@dataclass(frozen=True)
class StackFile:
    """An open file.

    Attributes
    ----------
    descriptions
        A few words on each image in the file, for messages.
    open_image
        Gives an image by its number, with the notes on it.
    """

    descriptions: Sequence[str]
    open_image: Callable[[int], tuple[Stack, Notes]]


@dataclass(frozen=True)
class StackFormat:
    """A format that a library reads by path.

    Attributes
    ----------
    name
        Its short name, also that of the extra that installs the library.
    title
        Its name in messages.
    library
        The module of the library.
    open
        Opens a file, as a context manager.
    """

    name: str
    title: str
    library: str
    open: Callable[[Path], AbstractContextManager[StackFile]]


def read_stack_file(kind: StackFormat, path: Path, max_pixels: int, choice: PlaneChoice) -> Image:
    """Read one plane of every channel.

    Parameters
    ----------
    kind
        The format.
    path
        The file, or folder.
    max_pixels
        The most pixels that may be read at once, channels counted.
    choice
        Which image and which plane are read.

    Raises
    ------
    ImageError
        If the library is missing, the file is damaged, or the choice does not fit it.
    """
    with _opened_image(kind, path, choice) as (stack, notes):
        pixels, axes = read_plane(stack, choice, max_pixels)
    planes = _channels_first(pixels, axes)
    check_finite(planes)
    names = notes.channel_names if len(notes.channel_names) == len(planes) else ()
    return Image(planes, kind.name, notes.bits, names, pixel_size=notes.pixel_size)


def read_stack_header(kind: StackFormat, path: Path, choice: PlaneChoice) -> tuple[int, int, float | None]:
    """Give the height and width of an image, and the width of a pixel in micrometres, None where it is not stated.

    Parameters
    ----------
    kind, path, choice
        As for `read_stack_file`.

    Raises
    ------
    ImageError
        If the library is missing, or the file is damaged.
    """
    with _opened_image(kind, path, choice) as (stack, notes):
        return stack.sizes["Y"], stack.sizes["X"], notes.pixel_size


def read_stack_sizes(kind: StackFormat, path: Path, number: int) -> tuple[int, dict[str, int]]:
    """Give the number of images in a file, and the sizes of the axes of one of them.

    Parameters
    ----------
    kind, path
        As for `read_stack_file`.
    number
        The number of the image; the last one where there are fewer.

    Raises
    ------
    ImageError
        If the library is missing, or the file is damaged.
    """
    with _opened(kind, path) as file:
        n_images = len(file.descriptions)
        stack, _ = file.open_image(pick_series(n_images, PlaneChoice(series=min(number, max(n_images - 1, 0))), ""))
        return n_images, stack.sizes


@contextmanager
def _opened_image(kind: StackFormat, path: Path, choice: PlaneChoice) -> Iterator[tuple[Stack, Notes]]:
    """Open one image of a file."""
    with _opened(kind, path) as file:
        number = pick_series(len(file.descriptions), choice, first_ten(file.descriptions))
        yield file.open_image(number)


@contextmanager
def _opened(kind: StackFormat, path: Path) -> Iterator[StackFile]:
    """Open a file; whatever the library raises is the error of a damaged file."""
    _check_library(kind)
    try:
        with kind.open(path) as file:
            yield file
    except ImageError:
        raise
    except PARSER_FAULTS as error:
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
        raise ImageError(truncated(f"{kind.title} file", reason)) from None


def _check_library(kind: StackFormat) -> None:
    missing = why_not_installed(kind)
    if missing is not None:
        raise ImageError(missing)


def why_not_installed(kind: StackFormat) -> str | None:
    """Say how to install the library of a format; None where it is installed."""
    try:
        import_module(kind.library)
    except ImportError as error:
        return (
            f"a file of {kind.title}, which the package {kind.library} reads: pip install 'cellfeat[{kind.name}]' "
            f"({error})"
        )
    return None


def _channels_first(pixels: np.ndarray, axes: str) -> np.ndarray:
    """Bring pixels into the shape ``(C, H, W)``; samples of a colour are channels."""
    idle = tuple(
        i for i, (axis, size) in enumerate(zip(axes, pixels.shape, strict=True)) if size == 1 and axis not in "YX"
    )
    planes = pixels.squeeze(idle)
    left = "".join(axis for i, axis in enumerate(axes) if i not in idle)
    others = left.replace("Y", "").replace("X", "")
    if others not in ("", "C", "S") or left.count("Y") != 1 or left.count("X") != 1:
        raise ImageError(
            f"has axes {left} {planes.shape}; expected channels, height and width: save the images as TIFF, with the "
            "other axes taken apart"
        )
    order = [left.index(axis) for axis in f"{others}YX"]
    planes = planes.transpose(order)
    return np.ascontiguousarray(planes if others else planes[np.newaxis])


def bits_of(dtype: np.dtype) -> int:
    """Give the bits of a value of a type."""
    return int(dtype.itemsize) * 8
