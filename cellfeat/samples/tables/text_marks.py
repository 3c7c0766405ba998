"""Marks that programs put into text tables to keep a value text, and comment lines."""

import re
from collections.abc import Sequence

import pandas as pd

_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_COMMENT = "#"


def without_comments(lines: list[str], separators: str) -> tuple[list[str], int]:
    """Empty the comment lines at the start of a text table, so that the numbers of the others stay right.

    Parameters
    ----------
    lines
        The lines of the text. A line ``#id,label`` is the header if it has as many separators as the next line.
    separators
        Characters that may separate cells.

    Returns
    -------
    tuple
        The lines, and how many were comments.
    """
    n_comments = 0
    for place, line in enumerate(lines):
        if line.strip() and not line.startswith(_COMMENT):
            break
        n_comments = place + 1
    if n_comments == len(lines):
        return lines, 0
    is_header = _counts(lines[n_comments - 1], separators) == _counts(lines[n_comments], separators)
    if n_comments and lines[n_comments - 1].startswith(_COMMENT) and is_header:
        n_comments -= 1
    comments = [line for line in lines[:n_comments] if line.strip()]
    return ["\n"] * n_comments + lines[n_comments:], len(comments)


def is_comment(cells: Sequence[str]) -> bool:
    """Whether a row is a comment: a single cell that begins with ``#``, as no row of a table of several columns has.

    Parameters
    ----------
    cells
        The cells of the row.
    """
    return len(cells) == 1 and cells[0].strip().startswith(_COMMENT)


def _counts(line: str, separators: str) -> int:
    """How often a line contains its most frequent separator."""
    return max(map(line.count, separators))


def without_text_marks(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Remove what programs write around a value to keep Excel from reading a number: ``="001"`` and ``'001``.

    A quotation mark is removed only where all cells of the column have it.

    Parameters
    ----------
    cells
        Text cells.

    Returns
    -------
    tuple
        The cells, and the names of the columns that were changed.
    """
    plain = cells.apply(_plain_column) if len(cells) else cells
    return plain, [str(name) for name in cells if not plain[name].equals(cells[name])]


def _plain_column(column: "pd.Series[str]") -> "pd.Series[str]":
    values = [_FORMULA.sub(r"\1", value.strip()) if value.lstrip().startswith("=") else value for value in column]
    filled = [value.strip() for value in values if value.strip()]
    if filled and all(value.startswith("'") for value in filled):
        is_closed = all(len(value) > 1 and value.endswith("'") for value in filled)
        values = [value.strip()[1 : -1 if is_closed else None] for value in values]
    return pd.Series(values, index=column.index, dtype=column.dtype)
