"""What the shortcut probes see: columns of numbers that should not tell the class, by the source they come from."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellfeat.auditing.name_parts import name_parts
from cellfeat.extraction.store import Samples
from cellfeat.near_copies.pictures import SamplePictures
from cellfeat.samples.column_names.positions import is_position
from cellfeat.samples.regions import Regions
from cellfeat.types import Floats, Integers, Strings

Columns = dict[str, Floats]
"""Columns by where they come from, such as a property or a channel: shape ``(n_samples, n_columns)`` each."""

CLEAR_SHARE = 0.95
"""The border of a channel is background where, in half of the pictures, this share of it is.

On cells one by one with room around them the share is 0.99; on cells that touch each other it is 0.5 to 0.8, and 0.94
in the channel of their nuclei.
"""

KNOWN_SHARE = 0.9
"""A column of the labels table is a position where this share of the samples has a number in it."""

_WELL_COLUMN = re.compile(r"well([ _-]?(id|name|position))?", re.I)
_WELL = re.compile(r"([A-Z]{1,2})[ _-]?0*(\d{1,3})", re.I | re.ASCII)


def file_columns(samples: Samples, pictures: SamplePictures | None, rows: Integers) -> Columns:
    """Give the properties of the files of some samples.

    How many bits the values use is left out, because it follows the brightness of the cells. Whether more than 8 are
    used is kept: brightness alone hardly ever decides that.

    Parameters
    ----------
    samples
        All samples.
    pictures
        Their pictures, which show the step between grey values; None where the images were not read.
    rows
        Row numbers, shape ``(n_rows,)``.
    """
    columns: Columns = {}
    if samples.properties is not None:
        known = samples.properties.take(rows)
        texts = {"type": known.dtype, "stated bits": known.bits_stated, "format": known.file_format}
        columns |= {name: _codes(values) for name, values in texts.items()}
        numbers = {"height": known.height, "width": known.width, "more than 8 bits in use": known.bits_used > 8}
        columns |= {name: _column(values) for name, values in numbers.items()}
    if pictures is not None:
        steps = np.array([summary.step for summary in pictures.summaries], dtype=np.float64)
        columns["step between grey values"] = _column(steps[_places(pictures, rows)])
    return columns


def intensity_columns(pictures: SamplePictures, rows: Integers) -> Columns:
    """Give statistics of the pixels of some samples, by channel.

    Parameters
    ----------
    pictures
        Pictures of all samples.
    rows
        Row numbers, shape ``(n_rows,)``.
    """
    by_sample = np.stack([pictures.summaries[place].intensity for place in _places(pictures, rows)])
    return {f"channel {name}": by_sample[:, channel] for channel, name in enumerate(pictures.channels)}


def border_columns(pictures: SamplePictures, rows: Integers) -> tuple[Columns, bool]:
    """Give statistics of the border of the pictures of some samples, by channel.

    Channels whose border is background are taken alone: in the others, the border shows cells.

    Parameters
    ----------
    pictures
        Pictures of all samples.
    rows
        Row numbers, shape ``(n_rows,)``.

    Returns
    -------
    columns
        By channel.
    is_background
        Whether the border of these channels is background; where that of no channel is, all channels are given.
    """
    summaries = [pictures.summaries[place] for place in _places(pictures, rows)]
    shares = np.median([summary.background_share for summary in summaries], axis=0)
    is_clear = shares >= CLEAR_SHARE
    by_sample = np.stack([summary.background for summary in summaries])
    columns = {
        f"channel {name}": by_sample[:, channel]
        for channel, name in enumerate(pictures.channels)
        if is_clear[channel] or not is_clear.any()
    }
    return columns, bool(is_clear.any())


def name_columns(samples: Samples, rows: Integers) -> Columns:
    """Give the words and numbers in the names of some samples, and the order of their rows.

    Parameters
    ----------
    samples
        All samples.
    rows
        Row numbers, shape ``(n_rows,)``.
    """
    names, labels = samples.ids[rows].tolist(), samples.labels[rows]
    columns = name_parts(names, np.unique(labels).tolist())
    if _order_says_more(names, labels):
        columns["order of the rows"] = _column(rows)
    return columns


def position_columns(samples: Samples, rows: Integers) -> Columns:
    """Give where in the field, or on the plate, some samples lie: by their boxes, and by columns of the labels table.

    Parameters
    ----------
    samples
        All samples.
    rows
        Row numbers, shape ``(n_rows,)``.
    """
    columns: Columns = {}
    for name, values in samples.columns.items():
        if is_position(name):
            columns[name] = _column([_coordinate(value) for value in values[rows].tolist()])
        elif _WELL_COLUMN.fullmatch(name):
            columns[name] = np.array([_well_place(value) for value in values[rows].tolist()])
    known = {name: values for name, values in columns.items() if np.isfinite(values[:, 0]).mean() >= KNOWN_SHARE}
    return known | (_place_columns(samples.regions.take(rows)) if samples.regions is not None else {})


def _place_columns(regions: Regions) -> Columns:
    """Give where samples lie on their fields, and how large box and field are."""
    columns = {"x on the field": _column(regions.centre[:, 0]), "y on the field": _column(regions.centre[:, 1])}
    columns["size of the box"] = regions.box[:, 2:].astype(np.float64)
    if regions.field_size is not None:
        # Height and width become width and height, to be compared with x and y.
        beyond = regions.field_size[:, ::-1] - 1 - regions.centre
        columns["distance to the border"] = _column(np.minimum(regions.centre, beyond).min(axis=1))
        columns["size of the field"] = regions.field_size.astype(np.float64)
    return columns


def _order_says_more(names: Sequence[str], labels: Strings) -> bool:
    """Whether the order of the rows is neither that of the names nor that of a table sorted by class."""
    keys = [_sorting_key(name) for name in names]
    is_by_name = keys == sorted(keys)
    n_runs = 1 + int(np.count_nonzero(labels[1:] != labels[:-1]))
    return not is_by_name and n_runs > len(np.unique(labels))


def _sorting_key(name: str) -> list[tuple[int, str]]:
    """Numbers by value: their length, then their digits."""
    parts = re.findall(r"\d+|\D+", name)
    return [(len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (-1, part) for part in parts]


def _coordinate(text: str) -> float:
    """A number, or the place in the alphabet of a single letter, as the rows of plates have; NaN for anything else."""
    letter = text.upper()
    if len(letter) == 1 and letter.isalpha():  # ß becomes two letters
        return float(ord(letter))
    try:
        return float(text)
    except ValueError:
        return np.nan


def _well_place(text: str) -> tuple[float, float]:
    match = _WELL.fullmatch(text.strip())
    if match is None:
        return np.nan, np.nan
    row, column = match[1].upper(), float(match[2])
    return sum(26.0**power * (ord(letter) - 64) for power, letter in enumerate(reversed(row))), column


def _places(pictures: SamplePictures, rows: Integers) -> Integers:
    """Places of some rows among the rows that have a picture, which are ascending."""
    return np.searchsorted(pictures.rows, rows)


def _codes(values: Strings) -> Floats:
    return _column(np.unique(values, return_inverse=True)[1])


def _column(values: Sequence[float] | NDArray) -> Floats:
    return np.asarray(values, dtype=np.float64)[:, np.newaxis]
