"""Samples of whole fields of view, from the settings: fields, their cells, boxes, labels and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.boxes import Boxes, make_boxes
from cellfeat.samples.fields.cells import Cell, LeftOut, cells_of_labels
from cellfeat.samples.fields.crops import CropRules, Crops
from cellfeat.samples.fields.find_fields import find_fields
from cellfeat.samples.fields.find_positions import find_positions
from cellfeat.samples.fields.mask_files import MaskFiles, find_masks
from cellfeat.samples.fields.sample_table import sample_table
from cellfeat.samples.fields.sources import read_sources
from cellfeat.samples.labels.numbering import check_numbering
from cellfeat.samples.layouts.search import natural_key
from cellfeat.samples.regions import Regions

_FEWEST_SHARES = 3
"""So many cells are hardly all on the first pixel of their fields."""


@dataclass(frozen=True)
class FieldSamples:
    """The samples of fields.

    Attributes
    ----------
    table
        As in `Manifest`, ordered by field.
    regions, crops
        Where each sample lies on its field, and how it is cut out.
    remarks
        Messages for the user.
    """

    table: pd.DataFrame
    regions: Regions
    crops: Crops
    remarks: tuple[str, ...]


def find_field_samples(images: ImagesSettings, labels: LabelsSettings) -> FieldSamples:
    """Find the cells of whole fields that the settings describe, and check all of them.

    Parameters
    ----------
    images, labels
        The settings.

    Raises
    ------
    MissingFileError
        If a folder or a table does not exist.
    ManifestError
        If fields, positions, label images and labels do not fit each other.
    ConfigError
        If the settings do not fit each other.
    """
    sources = read_sources(images, labels)
    fields, remarks = find_fields(sources)
    masks = find_masks(images, fields) if sources.needs_masks else None
    left_out = LeftOut()
    if sources.positions is None:
        cells = cells_of_labels(fields, masks.objects if masks else {})
    else:
        cells, read = find_positions(sources, fields, left_out)
        remarks += read
        _check_pixels(cells, str(images.fields.positions or labels.file))
    cells = _with_mask_values(cells, masks, left_out) if masks and sources.positions is not None else cells
    cells = sorted(cells, key=lambda cell: (natural_key(cell.field.name), natural_key(cell.number)))
    boxes = make_boxes(cells, images, masks, left_out)
    if not boxes.cells:
        raise ManifestError("\n".join([f"no cell is left in {images.root}:", *(f"- {r}" for r in left_out.remarks())]))
    table, chosen, told = sample_table(boxes.cells, sources)
    without = {one.name for one in fields} - {cell.field.name for cell in boxes.cells}
    remarks += [*(masks.remarks if masks else ()), *left_out.remarks(), *boxes.remarks, *told]
    if without and not masks:
        remarks.append(f"{len(without)} of {len(fields)} fields have no cell: {', '.join(sorted(without)[:10])}")
    n_fields = len(set(table["field"]))
    remarks.append(f"{len(table):,} cells of {n_fields:,} fields, as crops of {boxes.size} x {boxes.size} pixels")
    return FieldSamples(table, _regions(boxes, chosen), _crops(boxes, chosen, images, masks), tuple(remarks))


def _check_pixels(cells: Sequence[Cell], where: str) -> None:
    """Refuse positions that are shares of the field: all would be crops of its first pixel."""
    values = np.array([(cell.x, cell.y) for cell in cells], np.float64)
    if len(cells) >= _FEWEST_SHARES and ((values >= 0) & (values <= 1)).all() and (values % 1 != 0).any():
        raise ManifestError(
            f"{where}: x and y of all {len(cells)} cells lie between 0 and 1: shares of the width and height of the "
            "field; expected pixels: multiply x by the width of the image and y by its height"
        )


def _with_mask_values(cells: Sequence[Cell], masks: MaskFiles, left_out: LeftOut) -> list[Cell]:
    """Take the value of each cell from its number; leave out cells that their label image lacks."""
    values = {str(value) for found in masks.objects.values() for value in found.values.tolist()}
    check_numbering("the numbers of cells beside positions", (cell.number for cell in cells), "label images", values)
    kept = []
    for cell in cells:
        found = masks.objects.get(cell.field.name)
        told = f"{cell.field.name}:{cell.number} ({cell.place})"
        if found is None:
            left_out.add("cells of fields without a label image", told)
        elif not found.has(cell.mask_value):
            left_out.add("cells whose number is no value of their label image", told)
        else:
            kept.append(cell)
    used = {(cell.field.name, cell.mask_value) for cell in kept}
    listed = {cell.field.name for cell in cells}
    for name, found in masks.objects.items():
        for value in found.values.tolist():
            if name in listed and (name, value) not in used:
                left_out.add("objects of label images that the positions do not list", f"{name}:{value}")
    return kept


def _regions(boxes: Boxes, chosen: Sequence[int]) -> Regions:
    cells = [boxes.cells[number] for number in chosen]
    return Regions(
        np.array([cell.field.name for cell in cells], dtype=str),
        np.array([(cell.x, cell.y) for cell in cells], np.float64).reshape(-1, 2),
        boxes.boxes[list(chosen)],
        np.array([cell.mask_value for cell in cells], np.int64),
        boxes.field_size[list(chosen)],
    )


def _crops(boxes: Boxes, chosen: Sequence[int], images: ImagesSettings, masks: MaskFiles | None) -> Crops:
    settings = images.fields
    rules = CropRules(boxes.size, settings.border, settings.mask, settings.dilate, settings.resolution)
    by_field: Mapping[str, str] = masks.by_field if masks and settings.mask == "zero_outside" else {}
    names = [by_field.get(boxes.cells[number].field.name, "") for number in chosen]
    return Crops(rules, np.array(names, dtype=str), masks.root if masks else Path())
