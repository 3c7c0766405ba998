"""Objects of label images: their numbers, centres and sizes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.fields.label_image import read_label_image
from cellfeat.types import Floats, Integers

_MANY_BLOBS = 2


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
    """

    file: str
    shape: tuple[int, int]
    values: Integers
    centres: Floats
    sides: Integers

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
        As `read_label_image`; also if it is a mask of the values 0 and 1 with several separate objects.
    """
    labels = read_label_image(path, max_pixels)
    rows, columns = np.nonzero(labels)
    values, place = np.unique(labels[rows, columns], return_inverse=True)
    _check_not_binary(path, labels, values)
    n = len(values)
    areas = np.bincount(place, minlength=n).astype(np.float64)
    centres = [np.bincount(place, weights=axis, minlength=n) / np.maximum(areas, 1) for axis in (columns, rows)]
    sides = np.maximum(_extents(place, rows, n), _extents(place, columns, n))
    height, width = labels.shape
    return LabelObjects(name, (height, width), values.astype(np.int64), np.column_stack(centres), sides)


def _extents(place: Integers, axis: Integers, n: int) -> Integers:
    lowest, highest = np.full(n, np.iinfo(np.int64).max), np.full(n, -1)
    np.minimum.at(lowest, place, axis)
    np.maximum.at(highest, place, axis)
    return highest - lowest + 1


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
