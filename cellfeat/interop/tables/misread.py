"""Tables that are not read as they were meant: embeddings as text in one column, and features as rows."""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from cellfeat.interop.tables.digit_grouping import is_ambiguous
from cellfeat.interop.tables.source import Source, texts_of
from cellfeat.samples.column_names.profiles import is_certain_measure
from cellfeat.text import counted, first_ten

_LOOKED_AT = 100
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|None"
_LIST = re.compile(rf"[\[(]\s*({_NUMBER})([\s,;]+({_NUMBER}|\.\.\.))+[\s,]*[\])]", re.IGNORECASE)
_WORDS = frozenset(
    {
        "area", "perimeter", "eccentricity", "solidity", "extent", "intensity", "circularity", "roundness", "texture",
        "granularity", "compactness", "orientation", "diameter", "feret", "skewness", "kurtosis", "entropy",
    }
)  # fmt: skip
_FEWEST_WORDS = 3
_MOST_FEATURES = 20_000


def embedding_remark(source: Source, names: Iterable[str]) -> str | None:
    """Say which columns of text hold a list of numbers in each cell, and the way out; None where none does.

    Parameters
    ----------
    source
        The table.
    names
        Its columns that are no numbers.
    """
    for name in names:
        cells = [cell for cell in texts_of(source.table.column(name).slice(0, _LOOKED_AT)).tolist() if cell]
        if cells and all(map(_LIST.fullmatch, cells)):
            return (
                f"column {name} holds a list of numbers in each cell, such as {_start(cells[0])}{_way_out(name, cells)}"
            )
    return None


def _start(cell: str) -> str:
    return repr(cell if len(cell) <= 30 else f"{cell[:27]}…")


def _way_out(name: str, cells: list[str]) -> str:
    if any("..." in cell for cell in cells):
        return ", and the numbers that '...' stands for are lost: write the table again, with a column for each number"
    return (
        ": write a column for each number, in pandas: "
        f"table.join(table.pop({name!r}).str.strip('[]() ').str.split(r'[,\\s]+', expand=True).add_prefix('e'))"
    )


def strange_cells(source: Source, name: str, places: Sequence[int]) -> str:
    """Say which cells of a column that mostly holds numbers are none.

    Parameters
    ----------
    source
        The table.
    name
        The column.
    places
        Places of these cells.
    """
    cell = str(source.texts(name)[places[0]])
    what = "may be thousands or decimals" if is_ambiguous(cell.replace(",", ".")) else "without a number"
    return (
        f"column {name} is no feature: {counted(len(places), 'cell')} {what}, such as {cell!r} in "
        f"{source.row(places[0])}"
    )


def transposed_remarks(source: Source, names: Iterable[str]) -> Iterator[str]:
    """Warn of a table with a row for each feature: a column of text names different measurements.

    Parameters
    ----------
    source
        The table.
    names
        Its columns that are no numbers, and that of its ids.
    """
    for name in names if len(source) <= _MOST_FEATURES else ():
        values = source.texts(name).tolist()
        if "" in values or len(np.unique(values)) < len(values):
            continue
        words = [_measurement(value) for value in values]
        # Areas and regions are numbered as samples are: several words are needed.
        if len({*words} - {""}) >= _FEWEST_WORDS and 2 * words.count("") <= len(words):
            yield (
                f"warning: column {name} names measurements, such as {values[0]}: the table may have a row for each "
                f"feature; {_turned(source, name)}"
            )


def transposed_by_ids(source: Source, labels: Source) -> str | None:
    """Say that the ids of a table of labels are columns of the other, which has a row for each feature; None otherwise.

    Names of rows alone do not say so: genes name what was measured, and samples by what was done to them.

    Parameters
    ----------
    source
        The table of features.
    labels
        The table of labels, which fits no row of it.
    """
    columns = set(source.columns)
    for name in labels.columns:
        ids = set(labels.texts(name).tolist()) - {""}
        named = sorted(ids & columns)
        if len(named) >= _FEWEST_WORDS and 2 * len(named) >= min(len(ids), len(columns)):
            first = next((one for one in source.columns if source.numbers(one).values is None), source.columns[0])
            return (
                f"{source.path}: its columns are called like samples of {labels.path} (column {name}): "
                f"{first_ten(named)}; so it has a row for each feature, and {_turned(source, first)}"
            )
    return None


def _turned(source: Source, name: str) -> str:
    # By its place, because a column of row names has no name in the file.
    place = source.columns.index(name)
    return (
        "cellfeat reads a row for each sample: turn it, in pandas: "
        f"table.set_index(table.columns[{place}]).T.to_csv('turned.csv', index_label='id')"
    )


def _measurement(text: str) -> str:
    """What tells a measurement by its name; "" where nothing does."""
    if is_certain_measure(text):
        return text
    return next((word for word in re.split(r"[^a-z]+", text.casefold()) if word in _WORDS), "")
