"""Cut crops out of a decoded field: border, mask and resolution."""

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.fields.crops import CropRules
from cellfeat.types import Bools, Integers

Box = tuple[int, int, int, int]
"""``(top, left, height, width)`` in pixels of the field."""


def cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Cut a box out of a field; beyond the border the pixels of the edge are repeated.

    Parameters
    ----------
    pixels
        Shape ``(..., H, W)``.
    box
        The box, of which at least one pixel lies on the field.

    Returns
    -------
    ndarray of shape (..., height, width)
        Of the same type.
    """
    top, left, height, width = box
    n_rows, n_columns = pixels.shape[-2:]
    if top >= n_rows or left >= n_columns or top + height <= 0 or left + width <= 0:
        raise ImageError(f"is {n_columns} x {n_rows}, and the crop at x = {left}, y = {top} lies beside it")
    if top >= 0 and left >= 0 and top + height <= n_rows and left + width <= n_columns:
        # A copy, so that one crop does not keep the whole field in memory.
        return pixels[..., top : top + height, left : left + width].copy()
    rows = np.clip(np.arange(top, top + height), 0, n_rows - 1)
    columns = np.clip(np.arange(left, left + width), 0, n_columns - 1)
    return pixels[..., rows[:, np.newaxis], columns]


def cell_mask(labels: np.ndarray, box: Box, value: int, dilate: int) -> Bools:
    """Give the pixels of a box that belong to a cell.

    Parameters
    ----------
    labels
        The label image of the field, shape ``(H, W)``.
    box
        The box.
    value
        The value of the cell's pixels.
    dilate
        By how many pixels the cell is made larger.

    Returns
    -------
    ndarray of shape (height, width)
        Pixels beyond the border of the field count as outside of the cell.
    """
    top, left, height, width = box
    # Pixels of the cell beside the box reach into it once they are dilated.
    inside = np.zeros((height + 2 * dilate, width + 2 * dilate), bool)
    rows = slice(max(top - dilate, 0), max(top + height + dilate, 0))
    columns = slice(max(left - dilate, 0), max(left + width + dilate, 0))
    part = labels[rows, columns] == value
    first, second = rows.start - top + dilate, columns.start - left + dilate
    inside[first : first + part.shape[0], second : second + part.shape[1]] = part
    if not dilate:
        return inside
    # Imported here: most runs do without, and the processes that read images start faster.
    from scipy.ndimage import distance_transform_edt

    near: Bools = distance_transform_edt(~inside) <= dilate if inside.any() else inside
    on_field = np.zeros_like(inside)
    on_field[first : first + part.shape[0], second : second + part.shape[1]] = True
    return (near & on_field)[dilate : dilate + height, dilate : dilate + width]


def make_crop(pixels: np.ndarray, box: Box, rules: CropRules, mask: Bools | None = None) -> np.ndarray:
    """Make the crop of one sample.

    Parameters
    ----------
    pixels
        The field, shape ``(C, H, W)``.
    box
        The box of the sample.
    rules
        The rules of all crops.
    mask
        Pixels of the box to keep, shape ``(height, width)``; None keeps all.

    Returns
    -------
    ndarray of shape (C, size, size)
        Of the type of `pixels`.
    """
    crop = cut(pixels, box)
    if mask is not None:
        crop[:, ~mask] = 0
    return crop if rules.resolution is None else resampled(crop, rules.size)


def resampled(crop: np.ndarray, size: int) -> np.ndarray:
    """Bring a crop to another size: linear interpolation, over as many pixels as one pixel of the result covers.

    Parameters
    ----------
    crop
        Shape ``(C, H, W)``.
    size
        Height and width of the result.

    Returns
    -------
    ndarray of shape (C, size, size)
        Of the same type.
    """
    if crop.shape[1:] == (size, size):
        return crop
    rows, columns = _weights(crop.shape[1], size), _weights(crop.shape[2], size)
    # Without BLAS, whose last bits depend on the number of its threads.
    wide = np.einsum("ih,chw->ciw", rows, crop.astype(np.float64))
    values = np.einsum("jw,ciw->cij", columns, wide)
    return np.rint(values).astype(crop.dtype) if crop.dtype.kind in "ui" else values.astype(crop.dtype)


def _weights(n_from: int, n_to: int) -> np.ndarray:
    """Weights of `n_from` pixels in each of `n_to` pixels, shape ``(n_to, n_from)``: a triangle around its centre."""
    step = n_from / n_to
    centres = (np.arange(n_to) + 0.5) * step - 0.5
    distances = np.abs(np.arange(n_from) - centres[:, np.newaxis]) / max(step, 1.0)
    weights = np.maximum(1 - distances, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def boxes_around(centres: np.ndarray, sides: Integers) -> Integers:
    """Give the square boxes around centres.

    Parameters
    ----------
    centres
        Centres as ``(x, y)``, shape ``(n, 2)``; the centre of the first pixel of a field is ``(0, 0)``.
    sides
        Height and width of each box in pixels of its field, shape ``(n,)``.

    Returns
    -------
    ndarray of shape (n, 4)
        int64.

    Examples
    --------
    >>> boxes_around(np.array([[10.0, 20.0]]), np.array([4])).tolist()
    [[18, 8, 4, 4]]
    """
    corners = np.floor(centres[:, ::-1] + 0.5).astype(np.int64) - (sides // 2)[:, np.newaxis]
    return np.column_stack([corners, sides, sides]).astype(np.int64)
