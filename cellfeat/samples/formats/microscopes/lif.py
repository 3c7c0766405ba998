"""LIF, the format of Leica's microscopes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import truncated
from cellfeat.samples.formats.microscopes.stack_file import Notes, StackFile, bits_of
from cellfeat.samples.formats.pixel_size import square_size, unit_in_micrometres
from cellfeat.samples.formats.planes import Stack

if TYPE_CHECKING:
    import liffile

_X, _Y = "1", "2"
"""Numbers of the axes in the file."""


@contextmanager
def open_lif(path: Path) -> Iterator[StackFile]:
    """Open a file; each of its images is one.

    Parameters
    ----------
    path
        The file.
    """
    import liffile

    with liffile.LifFile(path) as file:
        images = list(file.images)
        described = [
            f"{image.name} {'x'.join(f'{axis}{size}' for axis, size in image.sizes.items())}" for image in images
        ]
        yield StackFile(described, lambda number: _open_image(images[number]))


def _open_image(image: "liffile.LifImageABC") -> tuple[Stack, Notes]:
    sizes = dict(image.sizes)

    def read(index: Mapping[str, int]) -> np.ndarray:
        wanted = {axis: number for axis, number in index.items() if axis in sizes}
        frames = image.frames(**wanted)
        pixels = np.asarray(frames.asarray())
        return pixels.reshape([size for axis, size in sizes.items() if axis not in wanted])

    # The library stops at a block of data that is torn, and then says that it has none for the image.
    if image.memory_block.size < image.nbytes:
        raise ImageError(truncated("LIF file", "pixel data are missing"))
    return Stack("".join(sizes), tuple(sizes.values()), np.dtype(image.dtype), read), _notes(image)


def _notes(image: "liffile.LifImageABC") -> Notes:
    element = image.xml_element
    channels = element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    bits = [int(channel.get("Resolution", "0")) for channel in channels]
    names = tuple(channel.get("LUTName", "") for channel in channels)
    # The lookup tables are all that names a channel; equal ones tell nothing.
    distinct = names if len(set(names)) == len(names) else ()
    return Notes(max(bits, default=0) or bits_of(np.dtype(image.dtype)), distinct, _pixel_size(element))


def _pixel_size(element: ElementTree.Element) -> float | None:
    """Width of a pixel: the length of an axis in metres, from the first pixel to the last."""
    sizes: dict[str, float] = {}
    for axis in element.findall("./Data/Image/ImageDescription/Dimensions/DimensionDescription"):
        unit, count = unit_in_micrometres(axis.get("Unit")), int(axis.get("NumberOfElements", "0"))
        if unit is not None and count > 1:
            sizes[axis.get("DimID", "")] = abs(float(axis.get("Length", "nan"))) * unit / (count - 1)
    return square_size(sizes.get(_X), sizes.get(_Y))
