"""Columns of a page that are known without any head: ids, labels, groups, files, and the table of labels."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.extraction.store import Samples
from cellfeat.page.content import Columns
from cellfeat.types import Floats, Integers, Strings

NUMBER = re.compile(r"[+-]?(0|[1-9]\d*|(0|[1-9]\d*)?\.\d+|(0|[1-9]\d*)\.)(e[+-]?\d+)?", re.IGNORECASE)
"""A number as tables write it. With zeros in front it is a name, such as well 01."""

FEW = 200
"""A column of more values than this, of which most occur once, is text and no category."""

_MISSING = ""


def add_labels(columns: Columns, labels: Strings, classes: Sequence[str]) -> None:
    """Add the labels; codes are places in `classes`, and further labels follow.

    Parameters
    ----------
    columns
        Collects the columns.
    labels
        Shape ``(n_samples,)``; ``""`` where a sample has none.
    classes
        Names of the classes that heads predict.
    """
    codes, names = coded(labels, classes)
    columns.add_category("label", codes, names, role="label")


def add_sample_columns(columns: Columns, samples: Samples, group: Strings, split: str | None) -> None:
    """Add groups, the split, the further columns of the table of labels, positions, and properties of the files.

    Parameters
    ----------
    columns
        Collects the columns.
    samples
        The samples.
    group
        Group of each sample, shape ``(n_samples,)``.
    split
        Name of the column that says train, val or test; None without.
    """
    if (group != _MISSING).any():
        columns.add_category("group", *coded(group), role="group")
    for name, values in samples.columns.items():
        if name == split:
            columns.add_category(name, *coded(values), role="part")
        else:
            add_typed(columns, name, values)
    _add_positions(columns, samples)
    _add_properties(columns, samples)


def add_typed(columns: Columns, name: str, values: Strings) -> None:
    """Add a column of texts by what it holds: numbers, categories, or text.

    Parameters
    ----------
    columns
        Collects the columns.
    name
        Name of the column.
    values
        Shape ``(n_samples,)``; ``""`` where there is no value.
    """
    codes, names = coded(values)
    numbers = numbers_of(names)
    if numbers is not None:
        # The last place stands for samples without a value: -1 takes it.
        columns.add_number(name, np.append(numbers, np.nan)[codes])
    elif len(names) > FEW and len(names) > len(values) / 2:
        columns.add_text(name, values)
    else:
        columns.add_category(name, codes, names)


def coded(values: Strings, first: Sequence[str] = ()) -> tuple[Integers, list[str]]:
    """Number the values of a column.

    Parameters
    ----------
    values
        Shape ``(n_samples,)``; ``""`` where there is no value.
    first
        Values that are numbered first, whether they occur or not; the others follow, sorted.

    Returns
    -------
    codes, names
        Number of each value, -1 where there is none, shape ``(n_samples,)``; and the values.

    Examples
    --------
    >>> coded(np.array(["b", "", "a"]), first=["c", "b"])
    (array([ 1, -1,  2]), ['c', 'b', 'a'])
    """
    found, occurring = pd.factorize(np.asarray(values, dtype=object))
    known = set(first)
    names = [*first, *sorted(set(map(str, occurring)) - known - {_MISSING})]
    place = {name: number for number, name in enumerate(names)} | {_MISSING: -1}
    codes = np.array([place[str(name)] for name in occurring], dtype=np.int64)
    return codes[found] if len(codes) else np.zeros(0, np.int64), names


def numbers_of(names: Sequence[str]) -> Floats | None:
    """Read values as numbers, shape ``(n_names,)``; None unless every one is a number, and there are several."""
    if len(names) < 2 or not all(NUMBER.fullmatch(name.strip()) for name in names):
        return None
    return np.array([float(name) for name in names])


def _add_positions(columns: Columns, samples: Samples) -> None:
    regions = samples.regions
    if regions is None:
        return
    if "field" not in samples.columns:  # a table of cells names the fields as well
        columns.add_category("field", *coded(regions.field))
    for number, name in enumerate(("x on the field", "y on the field")):
        columns.add_number(name, regions.centre[:, number])


def _add_properties(columns: Columns, samples: Samples) -> None:
    """What differs between the files: of equal files, nothing."""
    if samples.properties is not None:
        found = samples.properties
        is_read = found.height > 0
        kinds = {"type of the file": found.kind, "format of the file": found.file_format}
        for name, texts in kinds.items():
            if len(set(texts[is_read].tolist())) > 1:
                columns.add_category(name, *coded(np.where(is_read, texts, _MISSING)))
        sizes = {"height": found.height, "width": found.width, "bits used": found.bits_of_wide_integers}
        for name, values in sizes.items():
            if len(set(values[is_read].tolist())) > 1:
                columns.add_number(name, _where_read(values, is_read))


def add_intensities(columns: Columns, samples: Samples, channels: Sequence[str]) -> None:
    """Add the mean intensity of each channel, from 0 (black) to 1 (white).

    Parameters
    ----------
    columns
        Collects the columns.
    samples
        The samples.
    channels
        Names of the channels.
    """
    found = samples.intensities
    if found is None or found.records.ndim != 2 or found.records.shape[1] != len(channels):
        return
    for number, name in enumerate(channels):
        columns.add_number(f"mean intensity of {name}", _where_read(found.mean[:, number], samples.is_ok))


def _where_read(values: NDArray, is_read: NDArray[np.bool_]) -> Floats:
    return np.where(is_read, values, np.nan).astype(np.float64)
