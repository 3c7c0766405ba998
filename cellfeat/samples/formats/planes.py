"""Which plane of an image with depths and times is read: one that is asked for, or a projection of the depths."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cellfeat.config import PlaneSettings
from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import check_size, check_type
from cellfeat.samples.formats.pages import AS_FILES

_WORDS = {"Z": "depths", "T": "times"}
_UNNAMED = "IQ"
"""tifffile's letters for an axis that the file does not name: pages (I), and dimensions of a shape (Q)."""


class PlaneChoice(NamedTuple):
    """The part of a file that is read; see `PlaneSettings`, whose values it has."""

    z: int | str | None = None
    t: int | None = None
    series: int | None = None

    @classmethod
    def from_settings(cls, settings: PlaneSettings) -> "PlaneChoice":
        """Take the values of ``images.plane``."""
        return cls(settings.z, settings.t, settings.series)

    def record(self) -> dict[str, dict[str, int | str]]:
        """Make the entry of a recipe; empty where nothing is chosen, as in the recipes of earlier files."""
        chosen = {name: value for name, value in self._asdict().items() if value is not None}
        return {"plane": chosen} if chosen else {}


NO_CHOICE = PlaneChoice()


@dataclass(frozen=True)
class Stack:
    """An image of which no pixel has been read yet.

    Attributes
    ----------
    axes
        A letter for each axis: times (T), depths (Z), channels (C), height (Y), width (X) and samples of a pixel (S).
    shape
        Their sizes.
    dtype
        Type of the pixels.
    read
        Reads what lies at an index of some axes, each T or Z; returns the other axes in their order.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[Mapping[str, int]], np.ndarray]

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each axis."""
        return dict(zip(self.axes, self.shape, strict=True))


def pick_series(n_series: int, choice: PlaneChoice, described: str) -> int:
    """Give the number of the image that is read out of a file of several.

    Parameters
    ----------
    n_series
        Images in the file.
    choice
        What the settings choose.
    described
        What the images are, for messages.

    Raises
    ------
    ImageError
        If there is no image, no such image, or no choice among several.
    """
    if n_series == 0:
        raise ImageError("holds no image; copy it again, or leave it out")
    if choice.series is None and n_series > 1:
        raise ImageError(
            f"holds {n_series} images ({described}); expected one: read one with --set 'images.plane={{series: 0}}' "
            f"(0 to {n_series - 1}), or {AS_FILES}"
        )
    number = choice.series or 0
    if number >= n_series:
        numbered = f"{n_series} images, numbered 0 to {n_series - 1}" if n_series > 1 else "one image, 0"
        raise ImageError(f"has no image {number} (images.plane: series); it holds {numbered}")
    return number


def read_plane(stack: Stack, choice: PlaneChoice, max_pixels: int) -> tuple[np.ndarray, str]:
    """Read the plane of a stack that is asked for.

    Parameters
    ----------
    stack
        The image.
    choice
        What the settings choose.
    max_pixels
        The most pixels that may be read at once, channels counted.

    Returns
    -------
    tuple
        The pixels, of the shape that the stack has without depths and times, and the letters of their axes.

    Raises
    ------
    ImageError
        If there are several depths or times and none is chosen, the chosen one does not exist, or an axis is empty.
    """
    if 0 in stack.shape:
        raise ImageError(f"has axes {stack.axes} {stack.shape}, so no pixels; it is damaged: copy or save it again")
    fixed = indices(stack.axes, stack.shape, choice)
    others = {axis: size for axis, size in stack.sizes.items() if axis not in "ZT"}
    check_size(tuple(others.values()), max_pixels)
    check_type(stack.dtype)
    is_projected = isinstance(choice.z, str) and "Z" in stack.axes
    n_depths = stack.sizes["Z"] if is_projected else 1
    # One after the other: a damaged file may claim billions of depths, and reading the first that is missing says so.
    depths = ({**fixed, "Z": z} for z in range(n_depths)) if is_projected else iter([fixed])
    return projected(map(stack.read, depths), n_depths, str(choice.z)), "".join(others)


def named_axes(axes: str, shape: tuple[int, ...], choice: PlaneChoice) -> str:
    """Take the one axis without a name for the depths, or the times, where the settings choose one of those.

    Parameters
    ----------
    axes, shape
        Letters and sizes of the axes.
    choice
        What the settings choose.
    """
    unnamed = [axis for axis, size in zip(axes, shape, strict=True) if axis in _UNNAMED and size > 1]
    asked = [axis for axis, value in (("Z", choice.z), ("T", choice.t)) if value is not None and axis not in axes]
    if len(unnamed) == 1 and len(asked) == 1 and not {"C", "S"} & set(axes):
        return axes.replace(unnamed[0], asked[0])
    return axes


def indices(axes: str, shape: tuple[int, ...], choice: PlaneChoice) -> dict[str, int]:
    """Give the index of the depths and of the times that the settings choose; a projection has none.

    Parameters
    ----------
    axes, shape, choice
        As for `named_axes`.

    Raises
    ------
    ImageError
        If there are several and none is chosen, or the one that is chosen does not exist.
    """
    sizes = dict(zip(axes, shape, strict=True))
    open_axes = [axis for axis in "ZT" if sizes.get(axis, 1) > 1 and getattr(choice, axis.lower()) is None]
    if open_axes:
        raise ImageError(_unchosen(sizes, open_axes))
    fixed = {}
    for axis in "ZT":
        number, size = getattr(choice, axis.lower()) or 0, sizes.get(axis, 1)
        if isinstance(number, str):
            continue
        if number >= size:
            held = f"{size} {_WORDS[axis]}, numbered 0 to {size - 1}" if size > 1 else f"no {_WORDS[axis]}"
            raise ImageError(f"has no {axis.lower()} {number} (images.plane); it holds {held}")
        if axis in sizes:
            fixed[axis] = number
    return fixed


def _unchosen(sizes: Mapping[str, int], open_axes: list[str]) -> str:
    """Say which settings read a plane."""
    left = {axis: size for axis, size in sizes.items() if size > 1 or axis in "YX"}
    held = " and ".join(f"{sizes[axis]} {_WORDS[axis]}" for axis in open_axes)
    settings = ", ".join(f"{axis.lower()}: 0" for axis in open_axes)
    ranges = ", ".join(f"{axis.lower()} 0 to {sizes[axis] - 1}" for axis in open_axes)
    project = "; z: max or z: mean project the depths" if "Z" in open_axes else ""
    return (
        f"has axes {''.join(left)} {tuple(left.values())}, so {held}; expected channels, height and width: read one "
        f"plane with --set 'images.plane={{{settings}}}' ({ranges}{project})"
        f"; if they are channels, save them as channels; if they are cells, {AS_FILES}"
    )


def projected(planes: Iterator[np.ndarray], n_planes: int, how: str) -> np.ndarray:
    """Project planes of any one shape along the depths, one at a time.

    Parameters
    ----------
    planes
        The planes; one alone is returned as it is.
    n_planes
        Their number.
    how
        ``max``, or ``mean``, which is rounded to the type of the pixels.
    """
    result = next(planes)
    if n_planes == 1:
        return result
    if how == "max":
        for plane in planes:
            result = np.maximum(result, plane)
        return result
    total = result.astype(np.float64)
    for plane in planes:
        total += plane
    mean = total / n_planes
    return (np.rint(mean) if result.dtype.kind in "ui" else mean).astype(result.dtype)


def check_flat(choice: PlaneChoice) -> None:
    """Refuse a choice that a file of one plane does not have."""
    pick_series(1, choice, "")
    indices("YX", (1, 1), choice)
