"""Decide which axis of a TIFF holds the channels, and refuse shapes that cannot be channels, height and width."""

from xml.etree import ElementTree

import numpy as np
import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.formats.pages import CELLS_AS_FILES

# tifffile's letters for an axis that the file does not name: pages (I), and dimensions of a shape (Q).
_UNNAMED = "IQ"


def channel_axis(shape: tuple[int, ...], axes: str) -> str:
    """Find the axis of the channels.

    Parameters
    ----------
    shape
        Shape of the pixels.
    axes
        tifffile's letters for the axes, such as ``TZCYX`` or ``YXS``.

    Returns
    -------
    str
        The letter of the axis; empty for a single plane.

    Raises
    ------
    ImageError
        If there are other axes than channels, height and width.
    """
    left = _without_idle(shape, axes)
    others = left.replace("YX", "", 1)
    if "YX" not in left or others not in ("", "C", "S", *_UNNAMED):
        sizes = tuple(size for size, axis in zip(shape, axes, strict=True) if not _is_idle(axis, size))
        cells = f"; if axis {left[0]} counts cells, {CELLS_AS_FILES}" if left[0] in _UNNAMED else ""
        raise ImageError(
            f"has axes {left} {sizes}; expected channels, height and width (CYX or YXC): pick one time and depth, or "
            f"project, and save that; if they are channels, save them as channels{cells}"
        )
    return others


def names_axis(axis: str) -> bool:
    """Whether the file itself says that the planes along an axis are channels."""
    return axis not in tuple(_UNNAMED)


def planes_of(pixels: np.ndarray, axes: str, axis: str) -> np.ndarray:
    """Bring pixels into the shape ``(C, H, W)``.

    Parameters
    ----------
    pixels
        The pixels, of any shape that `channel_axis` accepts.
    axes
        Their axes.
    axis
        The axis of the channels; empty for a single plane.
    """
    idle = tuple(i for i, (name, size) in enumerate(zip(axes, pixels.shape, strict=True)) if _is_idle(name, size))
    planes = pixels.squeeze(idle)
    if not axis:
        return planes[np.newaxis]
    left = _without_idle(pixels.shape, axes)
    return np.ascontiguousarray(np.moveaxis(planes, left.index(axis), 0))


def check_shape(planes: np.ndarray, axis: str, *, has_names: bool) -> None:
    """Refuse planes that are many and tiny: most likely rows of an image whose channels come last.

    Parameters
    ----------
    planes
        Pixels of shape ``(C, H, W)``, as they would be read.
    axis
        The axis that was taken for the channels.
    has_names
        Whether the file gives the channels names, so that there can be no doubt about them.
    """
    n_planes, height, width = planes.shape
    if has_names or not (_are_slivers(planes.shape) or (not names_axis(axis) and _is_channels_last(planes.shape))):
        return
    said = "" if names_axis(axis) else ", since the file does not name its axes"
    meant = f"if it has height {n_planes}, width {height} and {width} channels: " if width < height else ""
    cells = "" if names_axis(axis) else f"; if it holds {n_planes} cells, {CELLS_AS_FILES}"
    raise ImageError(
        f"would be read as {n_planes} channels of {height} x {width} pixels (height x width){said}; {meant}save it "
        "with the channels first and the axes named (in tifffile: np.moveaxis(image, -1, 0), metadata={'axes': 'CYX'})"
        f"{cells}"
    )


def _are_slivers(shape: tuple[int, ...]) -> bool:
    """Whether planes are many, and so narrow that no cell fits, whatever the file calls its axes."""
    n_planes, *sides = shape
    return n_planes >= 16 and min(sides) <= 12 and max(sides) >= 3 * min(sides) and n_planes >= max(sides) / 4


def _is_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether a shape without named axes looks like height, width and channels: two large sides, then a small one."""
    n_planes, height, width = shape
    if n_planes < 8 or width >= min(n_planes, height):
        return False
    for_narrow, for_others = (4.0, 2.0) if width <= 16 else (1.5, 0.0)
    largest_aspect = for_narrow if height >= 2 * width else for_others
    return max(n_planes, height) <= largest_aspect * min(n_planes, height)


def alpha_planes(page: tifffile.TiffPage, axis: str) -> tuple[int, ...]:
    """Find the planes that the file calls transparency; unspecified extra samples are channels.

    Parameters
    ----------
    page
        A page of the file.
    axis
        The axis of the channels.
    """
    if axis != "S":
        return ()
    kinds = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
    first = page.samplesperpixel - len(page.extrasamples)
    return tuple(first + i for i, kind in enumerate(page.extrasamples) if kind in kinds)


def plane_names(pixels: ElementTree.Element | None, n_samples: int) -> tuple[str, ...]:
    """Read the name of each plane from OME metadata; a channel of three samples names three planes.

    Parameters
    ----------
    pixels
        The element ``Pixels``.
    n_samples
        Samples of a pixel in the file.
    """
    if pixels is None:
        return ()
    channels = pixels.findall("{*}Channel")
    if len(channels) == 1:
        # It names all samples, also where it does not say how many there are.
        return (channels[0].get("Name", ""),) * n_samples
    spans = [(channel.get("Name", ""), _samples(channel.get("SamplesPerPixel", "1"))) for channel in channels]
    return tuple(name for name, n_planes in spans for _ in range(n_planes))


def _samples(text: str) -> int:
    # At most 4 digits: a hostile file must not make a list of billions of names.
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 4 else 1


def _without_idle(shape: tuple[int, ...], axes: str) -> str:
    return "".join(axis for axis, size in zip(axes, shape, strict=True) if not _is_idle(axis, size))


def _is_idle(axis: str, size: int) -> bool:
    return size == 1 and axis not in "YX"
