"""Pick the channels of a sample out of a decoded file. Messages here name no file: `cellfeat.samples.reading` does."""

from collections.abc import Sequence

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import Image, channels_hint
from cellfeat.samples.formats.pages import CELLS_AS_FILES
from cellfeat.text import near_names

# A file without named axes that holds more planes than MOST_PLANES, and more than TIMES as many as the settings use, is
# taken for a stack. Files of a few channels too many pass: users may take some of the channels only.
MOST_PLANES = 8
TIMES = 4
_MOST_MAP_COLOURS = 256
_FEWEST_PIXELS = 1024
"""In smaller images the colours of photographs are as few."""


def pick_channels(image: Image, channels: Sequence[str | int]) -> np.ndarray:
    """Pick channels out of a file that holds all of a sample's channels.

    Parameters
    ----------
    image
        The decoded file.
    channels
        Numbers of planes, counted from 0, or names from the file's OME metadata. A plane named by its number is a
        channel, even if the file calls it transparency.

    Returns
    -------
    ndarray of shape (C, H, W)
        The channels, in the order asked for.

    Raises
    ------
    ImageError
        If the file lacks a channel, a name stands for several planes, the image is transparent, or its planes are
        probably depths, times or cells.
    """
    indices = [_index(image, channel) for channel in channels]
    _refuse_stack(image, indices)
    _refuse_transparency(image, indices)
    if indices == list(range(len(image.pixels))):
        # In the usual order no copy is needed.
        return image.pixels
    return image.pixels[indices]


def only_plane(image: Image) -> np.ndarray:
    """Take the plane of a file that holds one channel, shape ``(H, W)``; refuse several, and transparency.

    Microscopes save a channel in a colour of its own, and programs save grey as RGB: where this can be seen, the file
    holds one channel too.
    """
    planes = opaque_planes(image)
    _refuse_transparency(image, planes)
    plane = planes[0] if len(planes) == 1 else plane_of_grey(image)
    if plane is None:
        raise ImageError(
            f"holds {len(planes)} channels; expected one, since every channel has its own file: save it as grey, or in "
            "one colour without losses"
        )
    return np.asarray(image.pixels[plane])


def plane_of_grey(image: Image) -> int | None:
    """Give the plane that holds all of a grey image that was saved as RGB.

    The planes that are not zero are equal: three of them in white, one in red, green or blue, two in cyan, magenta or
    yellow. None where an image is no RGB, or holds more than one channel.
    """
    planes = opaque_planes(image)
    if len(planes) != 3:
        return None
    first, *others = [plane for plane in planes if image.pixels[plane].any()] or planes[:1]
    is_grey = all(np.array_equal(image.pixels[first], image.pixels[plane]) for plane in others)
    return first if is_grey else None


def has_colour_map(image: Image) -> bool:
    """Whether an RGB image has no more colours than a colour map, such as viridis: it was drawn of grey values.

    Red, green and blue of several stains, or of a photograph, make about as many colours as there are pixels.
    """
    planes = opaque_planes(image)
    n_pixels = image.pixels[0].size
    if len(planes) != 3 or image.pixels.dtype != np.uint8 or n_pixels < _FEWEST_PIXELS:
        return False
    if plane_of_grey(image) is not None:
        return False
    red, green, blue = image.pixels[planes].astype(np.uint32).reshape(3, -1)
    return len(np.unique(red << 16 | green << 8 | blue)) <= _MOST_MAP_COLOURS


def opaque_planes(image: Image) -> list[int]:
    """Numbers of the planes of an image that do not hold transparency."""
    return [i for i in range(len(image.pixels)) if i not in image.alpha]


def _refuse_transparency(image: Image, indices: Sequence[int]) -> None:
    """Refuse an image whose transparency planes are neither opaque nor among the channels asked for."""
    opaque = np.iinfo(image.pixels.dtype).max if image.pixels.dtype.kind in "ui" else 1
    for plane in image.alpha:
        if plane not in indices and (image.pixels[plane] != opaque).any():
            raise ImageError(
                "has transparent pixels, whose value is unclear; save it without an alpha channel, "
                f"or, if plane {plane} is a channel, name it by number in images.channels"
            )


def _refuse_stack(image: Image, indices: Sequence[int]) -> None:
    n_planes, n_used = len(image.pixels), max(indices) + 1
    if _may_be_stack(image) and n_planes > TIMES * n_used:
        raise ImageError(_unknown_pages(n_planes, f"images.channels would use the first {n_used}"))


def _may_be_stack(image: Image) -> bool:
    """Whether a file holds many planes, and does not say that they are channels."""
    return not image.names_axes and len(image.pixels) > MOST_PLANES


def _unknown_pages(n_planes: int, asked: str) -> str:
    return (
        f"holds {n_planes} pages and does not say what they are, and {asked}, so they are probably depths or times "
        "(read the highest value over the depths with --set 'images.plane={z: max}', the first time with {t: 0}), or "
        f"cells ({CELLS_AS_FILES}); if they are channels, save them with their axes named (in tifffile: "
        "metadata={'axes': 'CYX'})"
    )


def _index(image: Image, channel: str | int) -> int:
    return _numbered(image, channel) if isinstance(channel, int) else _named(image, channel)


def _numbered(image: Image, number: int) -> int:
    n_planes = len(image.pixels)
    if 0 <= number < n_planes:
        return number
    numbered = f"it holds {n_planes}, numbered 0 to {n_planes - 1}" if n_planes > 1 else "it holds one, 0"
    raise ImageError(f"has no channel {number}; {numbered}: {channels_hint(range(min(n_planes, 3)))}")


def _named(image: Image, name: str) -> int:
    names = image.channel_names[: len(image.pixels)]
    planes = [i for i, other in enumerate(names) if other == name]
    if len(planes) == 1:
        return planes[0]
    if planes:
        raise ImageError(
            f"channel {name!r} stands for {len(planes)} planes, numbered {', '.join(map(str, planes))}; "
            f"pick them by number: {channels_hint([i for i in planes if i not in image.alpha])}"
        )
    if any(names):
        raise ImageError(f"has no channel {name!r}; {near_names(name, dict.fromkeys(names))}")
    if _may_be_stack(image):
        raise ImageError(_unknown_pages(len(image.pixels), f"none is called {name!r}"))
    usable = opaque_planes(image)
    raise ImageError(
        f"has no channel {name!r}: it holds {len(usable)} without names; "
        f"pick them by number: {channels_hint(usable[:3])}"
    )
