"""Objects of label images: their numbers, centres and sizes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.fields.label_image import read_label_image
from cellfeat.types import Bools, Floats, Integers

_MANY_BLOBS = 2
_EMPTY_HALF = 0.5
"""Share of its bounding box that an object in several places seldom fills: a disc fills 0.79 of its own."""
_FEWEST_OTHERS = 3
"""Objects beside one that surrounds them."""
_OTHER_CELL = 0.25
"""Size of a second place, as a share of the first, from which on it is rather another cell than a speck."""


@dataclass(frozen=True)
class LabelObjects:
    """The objects of one label image.

    Attributes
    ----------
    file
        Name of the file.
    shape
        Height and width of the image.
    values
        Value of each object, in ascending order, shape ``(n,)``.
    centres
        Mean ``(x, y)`` of its pixels, shape ``(n, 2)``.
    sides
        The larger side of its bounding box, shape ``(n,)``.
    scattered
        Values that lie in several places, as where two cells have one number.
    """

    file: str
    shape: tuple[int, int]
    values: Integers
    centres: Floats
    sides: Integers
    scattered: tuple[int, ...] = ()

    def has(self, value: int) -> bool:
        """Whether there is an object of this value."""
        place = int(np.searchsorted(self.values, value))
        return place < len(self.values) and int(self.values[place]) == value


def find_objects(path: Path, name: str, max_pixels: int) -> LabelObjects:
    """Read a label image, and find its objects.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.
    max_pixels
        The most pixels that it may hold.

    Raises
    ------
    MissingFileError, ImageError
        As `read_label_image`; also if it is a mask of the values 0 and 1 with several separate objects, or the
        background, or a region that was left out, has a number as cells have.
    """
    labels = read_label_image(path, max_pixels)
    rows, columns = np.nonzero(labels)
    values, place = np.unique(labels[rows, columns], return_inverse=True)
    _check_not_binary(path, labels, values)
    n = len(values)
    areas = np.bincount(place, minlength=n).astype(np.float64)
    centres = [np.bincount(place, weights=axis, minlength=n) / np.maximum(areas, 1) for axis in (columns, rows)]
    tops, heights = _extents(place, rows, n)
    lefts, widths = _extents(place, columns, n)
    height, width = labels.shape
    touching = [tops == 0, lefts == 0, tops + heights == height, lefts + widths == width]
    _check_no_background(path, labels, dict(zip(values.tolist(), np.sum(touching, axis=0).tolist(), strict=True)))
    sparse = np.flatnonzero(areas < _EMPTY_HALF * heights * widths)
    boxes = ((int(i), labels[tops[i] : tops[i] + heights[i], lefts[i] : lefts[i] + widths[i]]) for i in sparse)
    scattered = tuple(int(values[i]) for i, box in boxes if _is_scattered(box == values[i]))
    sides = np.maximum(heights, widths)
    return LabelObjects(name, (height, width), values.astype(np.int64), np.column_stack(centres), sides, scattered)


def _extents(place: Integers, axis: Integers, n: int) -> tuple[Integers, Integers]:
    """First place and length of each object along an axis."""
    lowest, highest = np.full(n, np.iinfo(np.int64).max), np.full(n, -1)
    np.minimum.at(lowest, place, axis)
    np.maximum.at(highest, place, axis)
    return lowest, highest - lowest + 1


def _check_no_background(path: Path, labels: np.ndarray, borders: dict[int, int]) -> None:
    """Refuse numbers that are no cells: of what surrounds the cells, or the highest of the type along the borders.

    Parameters
    ----------
    path, labels
        The label image.
    borders
        How many of the four borders each number touches.
    """
    n_inside = sum(n == 0 for n in borders.values())
    around = [value for value, n in borders.items() if n == 4 and n_inside >= _FEWEST_OTHERS]
    highest = np.iinfo(labels.dtype).max
    ignored = [highest] if borders.get(highest, 0) >= 3 and len(borders) > _FEWEST_OTHERS else []
    for value in (*around, *ignored):
        reason = "surrounds the others" if value in around else f"is the highest of {labels.dtype}"
        raise ImageError(
            f"{path}: the number {value} touches {borders[value]} borders of the image and {reason}: the background, "
            f"or a region that was left out, and no cell; expected 0 there: labels[labels == {value}] = 0, saved again"
        )


def _is_scattered(inside: Bools) -> bool:
    """Whether the pixels of an object make several places that may each be a cell."""
    from scipy.ndimage import label

    blobs, n_blobs = label(inside, structure=np.ones((3, 3)))
    sizes = np.sort(np.bincount(blobs.ravel(), minlength=n_blobs + 1)[1:])
    return n_blobs > 1 and bool(sizes[-2] >= _OTHER_CELL * sizes[-1])


def _check_not_binary(path: Path, labels: np.ndarray, values: Integers) -> None:
    if len(values) != 1 or int(values[0]) not in (1, 255, 65535):
        return
    from scipy.ndimage import label

    _, n_blobs = label(labels)
    if n_blobs > _MANY_BLOBS:
        raise ImageError(
            f"{path}: holds only 0 and {values[0]}, in {n_blobs} separate places: a mask of cells and background, and "
            "not a label image with a number for each cell; save the label image of the segmentation, or number the "
            "cells, where cells that touch become one (skimage.measure.label, scipy.ndimage.label, in ImageJ: Analyze "
            "Particles with Count Masks)"
        )
