"""The box of each cell on its field: its size, border rule and resolution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.config import ImagesSettings
from cellfeat.errors import ConfigError, ImageError, ManifestError, MissingFileError
from cellfeat.samples.fields.cells import Cell, LeftOut
from cellfeat.samples.fields.cutting import boxes_around
from cellfeat.samples.fields.mask_files import MaskFiles
from cellfeat.samples.formats.headers import Header, read_header
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.text import first_ten
from cellfeat.types import Integers

OUTSIDE = "cells whose centre lies outside of their field"
_STEP = 8
_MARGIN = 1.25


class NoCropSizeError(ConfigError):
    """No crop size is set.

    Parameters
    ----------
    message
        The message.
    fitting
        A size that fits the cells.
    found
        What this size was made of.
    """

    def __init__(self, message: str, fitting: int, found: str) -> None:
        super().__init__(message)
        self.fitting = fitting
        self.found = found


@dataclass(frozen=True)
class Boxes:
    """Cells with their boxes.

    Attributes
    ----------
    cells
        The cells that are kept.
    boxes
        Their boxes, shape ``(n, 4)``.
    size
        Height and width of a crop in pixels.
    field_size
        Height and width of their fields, shape ``(n, 2)``; 0 where a field cannot be read.
    remarks
        Messages for the user.
    """

    cells: Sequence[Cell]
    boxes: Integers
    size: int
    field_size: Integers
    remarks: tuple[str, ...] = ()


def make_boxes(cells: Sequence[Cell], images: ImagesSettings, masks: MaskFiles | None, left_out: LeftOut) -> Boxes:
    """Make the box of each cell, and leave out cells beside their field.

    Parameters
    ----------
    cells
        The cells.
    images
        The settings.
    masks
        The label images; None where there are none.
    left_out
        Receives the cells that are left out.

    Raises
    ------
    NoCropSizeError
        If no crop size is set; the message names one that fits.
    ManifestError
        If a field does not state its pixel size, and the settings do not.
    """
    if images.fields.crop_size is None:
        raise _no_size(cells, masks)
    headers = _headers(cells, images)
    if masks:
        _check_sizes(masks, headers)
    sides = _sides(cells, images, headers)
    boxes = boxes_around(np.array([(cell.x, cell.y) for cell in cells], np.float64).reshape(-1, 2), sides)
    kept, n_beyond = [], 0
    for number, (cell, box) in enumerate(zip(cells, boxes.tolist(), strict=True)):
        header = headers.get(cell.field.name)
        told = f"{cell.field.name}:{cell.number} ({cell.place})"
        if header is not None and not _is_inside(cell, header):
            size = f"its field is {header.width} x {header.height}"
            left_out.add(OUTSIDE, f"{told} at {cell.x:g}, {cell.y:g}; {size}")
        elif header is not None and _reaches_beyond(box, header):
            n_beyond += 1
            if images.fields.border == "drop":
                left_out.add("cells at the border, as images.fields.border says", told)
            else:
                kept.append(number)
        else:
            kept.append(number)
    remarks = []
    if n_beyond and images.fields.border == "pad":
        remarks.append(
            f"{n_beyond} of {len(kept)} crops reach beyond the border of their field, and repeat its edge there; "
            "leave them out with --set images.fields.border=drop"
        )
    kept_cells = [cells[number] for number in kept]
    return Boxes(kept_cells, boxes[kept], images.fields.crop_size, _field_sizes(kept_cells, headers), tuple(remarks))


def _field_sizes(cells: Sequence[Cell], headers: Mapping[str, Header]) -> Integers:
    """Height and width of the field of each cell; 0 where the field cannot be read."""
    known = (headers.get(cell.field.name) for cell in cells)
    return np.array([(one.height, one.width) if one else (0, 0) for one in known], np.int64).reshape(-1, 2)


def _headers(cells: Sequence[Cell], images: ImagesSettings) -> dict[str, Header]:
    """The header of each field; a field that cannot be read is missing here, and its cells fail in the extraction."""
    headers = {}
    choice = PlaneChoice.from_settings(images.plane)
    for cell in cells:
        name = cell.field.name
        if name not in headers:
            try:
                headers[name] = read_header(images.local_root / cell.field.files[0], choice)
            except (ImageError, MissingFileError):
                continue
    return headers


def _check_sizes(masks: MaskFiles, headers: dict[str, Header]) -> None:
    wrong = [
        f"{found.file} is {found.shape[1]} x {found.shape[0]}, and {name} is {header.width} x {header.height}"
        for name, header in headers.items()
        if (found := masks.objects.get(name)) and found.shape != (header.height, header.width)
    ]
    if wrong:
        raise ManifestError(
            f"{len(wrong)} label images in {masks.root} have another size than their fields: {first_ten(wrong)}; "
            "segment the images as they are, or scale the label images without interpolation"
        )


def _sides(cells: Sequence[Cell], images: ImagesSettings, headers: dict[str, Header]) -> Integers:
    """Side of each box in pixels of its field."""
    size, resolution = int(images.fields.crop_size or 0), images.fields.resolution
    if resolution is None:
        return np.full(len(cells), size, np.int64)
    sides, unstated = [], []
    for cell in cells:
        header = headers.get(cell.field.name)
        pixel_size = (header.pixel_size if header else None) or images.fields.pixel_size
        if pixel_size is None and header is not None:
            unstated.append(cell.field.name)
        sides.append(max(1, round(size * resolution / (pixel_size or resolution))))
    if unstated:
        names = list(dict.fromkeys(unstated))
        raise ManifestError(
            f"{len(names)} fields do not state how large a pixel is, and images.fields.resolution needs it: "
            f"{first_ten(names)}; say it in micrometres: --set images.fields.pixel_size=0.325"
        )
    return np.array(sides, np.int64)


def _is_inside(cell: Cell, header: Header) -> bool:
    return -0.5 <= cell.x < header.width - 0.5 and -0.5 <= cell.y < header.height - 0.5


def _reaches_beyond(box: Sequence[int], header: Header) -> bool:
    top, left, height, width = box
    return top < 0 or left < 0 or top + height > header.height or left + width > header.width


def _no_size(cells: Sequence[Cell], masks: MaskFiles | None) -> NoCropSizeError:
    """Ask for the crop size, and name one that fits the cells."""
    what = "images.fields.crop_size is not set: the height and width of a crop in pixels"
    if masks and (sides := np.concatenate([found.sides for found in masks.objects.values()])).size:
        low, most = np.percentile(sides, (50, 95))
        fitting = int(np.ceil(most * _MARGIN / _STEP)) * _STEP
        found = (
            f"half of the cells in the label images are at most {low:.0f} pixels long, and 19 of 20 at most {most:.0f}"
        )
        return NoCropSizeError(
            f"{what}; {found}: this would fit: --set images.fields.crop_size={fitting}", fitting, found
        )
    distance = _typical_distance(cells)
    fitting = max(_STEP, int(np.ceil(distance * _MARGIN / _STEP)) * _STEP) if distance else 64
    found = f"the next cell is typically {distance:.0f} pixels away" if distance else "nothing says how large cells are"
    return NoCropSizeError(f"{what}; {found}: for example, --set images.fields.crop_size={fitting}", fitting, found)


def _typical_distance(cells: Sequence[Cell]) -> float:
    """Median distance to the nearest cell, on the fields that come first."""
    by_field: dict[str, list[tuple[float, float]]] = {}
    for cell in cells[:2000]:
        by_field.setdefault(cell.field.name, []).append((cell.x, cell.y))
    nearest: list[float] = []
    for points in by_field.values():
        if len(points) > 1:
            places = np.array(points)
            distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
            np.fill_diagonal(distances, np.inf)
            nearest += distances.min(axis=1).tolist()
    return float(np.median(nearest)) if nearest else 0.0
