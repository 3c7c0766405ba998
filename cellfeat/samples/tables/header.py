"""Where the header of a table stands: titles above it, and a line of types or units below it."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from cellfeat.samples.column_names.profiles import OBJECT_NAMES, PLATE_NAMES, SITE_NAMES, WELL_NAMES, plain_name

FIRST_ROWS = 50
"""Rows that are looked at."""
_MOST_TITLES = 30
_MOST_TYPES = 2
_NAMES = frozenset(
    {
        "id", "ids", "sample", "samples", "sampleid", "samplename", "cell", "cellid", "file", "files", "fileid",
        "filename", "filepath", "path", "image", "imageid", "imagename", "imagefile", "imagenumber", "name", "index",
        "label", "labels", "class", "classes", "classname", "target", "cellline", "celltype", "phenotype", "treatment",
        "compound", "condition", "genotype", "category", "diagnosis", "moa", "drug", "group", "batch", "donor",
        "patient", "replicate", "split", "fold", "probe", "datei", "dateiname", "klasse", "zelllinie", "zelltyp",
        "behandlung", "bild", "bildname", *PLATE_NAMES, *WELL_NAMES, *SITE_NAMES, *OBJECT_NAMES,
    }
)  # fmt: skip
_TYPES = frozenset(
    {
        "string", "str", "text", "char", "character", "varchar", "object", "category", "categorical", "factor", "enum",
        "nominal", "ordinal", "discrete", "continuous", "numeric", "number", "int", "integer", "int32", "int64", "long",
        "float", "float32", "float64", "double", "real", "decimal", "bool", "boolean", "logical", "date", "datetime",
    }
)  # fmt: skip
_NOTHING = frozenset({"", "-", "--", "–", "—", "none", "na", "n/a"})
_HEADINGS = frozenset({"unit", "units", "type", "types", "einheit", "einheiten"})
_METRIC = r"[munpkcfM]?(m|g|l|L|M|mol|s|Hz|V|A|Da)(\^?[23])?"
_UNIT = re.compile(
    rf"[\[(]?({_METRIC}(/{_METRIC})?|px|pix|pixels?|px\^?2|pixels?\^?2|a\.?u\.?|A\.?U\.?|r\.?f\.?u\.?|R\.?F\.?U\.?|%|°|"
    r"deg|degrees?|rad|radians?|min|h|hours?|d|days?|°C|counts?)[\])]?"
)
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?%?", re.IGNORECASE | re.ASCII)

Rows = Sequence[Sequence[str]]


class Header(NamedTuple):
    """Where the header stands among the rows of a table.

    Attributes
    ----------
    n_titles
        Rows above it.
    n_types
        Rows of types or units below it.
    """

    n_titles: int = 0
    n_types: int = 0


def find_header(rows: Rows) -> Header:
    """Find the header, where rows show that they are none.

    Parameters
    ----------
    rows
        Cells of the first rows that are not empty, with the names of columns among them. A title has fewer cells than
        the names below it, or none that names a column where those below do. No name stands again in its column.

    Returns
    -------
    Header
        The first row where nothing shows another.

    Examples
    --------
    >>> find_header([["Experiment 12", ""], ["id", "label"], ["a", "x"], ["b", "x"]])
    Header(n_titles=1, n_types=0)
    >>> find_header([["id", "area"], ["string", "um2"], ["a", "1.5"], ["b", "2.5"]])
    Header(n_titles=0, n_types=1)
    """
    cells = [_stripped(row) for row in rows[:FIRST_ROWS]]
    places = range(1, min(_MOST_TITLES, len(cells) - 1) + 1)
    n_titles = next((place for place in places if _are_titles(cells[:place], cells[place], cells[place + 1 :])), 0)
    names, below = cells[n_titles:][:1], cells[n_titles + 1 :]
    n_types = next((n for n in range(_MOST_TYPES, 0, -1) if _are_types(names, below[:n], below[n:])), 0)
    return Header(n_titles, n_types)


def _stripped(row: Sequence[str]) -> list[str]:
    """The cells of a row without white space, and without empty ones at its end."""
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _are_titles(above: Rows, names: Sequence[str], below: Rows) -> bool:
    if not below or not _may_be_names(names, below):
        return False
    n_known = _n_known(names)
    for row in above:
        filled = [cell for cell in row if cell]
        # Two lines of names, of which one alone is not unique, have to be joined.
        if len(set(filled)) < len(filled) or len(filled) > len(names) or _n_known(filled) == len(filled):
            return False
        if len(filled) == 1 and len(names) > 1 and (row[0] or n_known):
            continue
        # R writes one cell more in each row than in the header: the name of the row.
        is_short = len(row) < len(names) - 1
        is_named = n_known > 1 or (n_known == 1 and len(filled) < len(names))
        if not (is_short or (is_named and not _n_known(filled))):
            return False
    return True


def _may_be_names(names: Sequence[str], below: Rows) -> bool:
    """Whether cells may name columns: as many different words as rows have cells, and none a value of its column."""
    filled = [cell for cell in names if cell]
    if any(len(row) > len(names) for row in below):
        return False
    if below[0][:1] == names[:1]:
        # A row of types or units may begin with the name of the column.
        below = below[1:]
    if len(filled) < 2 or len(set(filled)) < len(filled) or any(map(_NUMBER.fullmatch, filled)):
        return False
    return not _recurs(names, below)


def _recurs(cells: Sequence[str], below: Rows) -> bool:
    """Whether a cell stands again in its column."""
    return any(
        cell and any(place < len(row) and row[place] == cell for row in below) for place, cell in enumerate(cells)
    )


def _n_known(cells: Sequence[str]) -> int:
    """Number of cells that are usual names of columns."""
    return sum(plain_name(cell) in _NAMES for cell in cells)


def _are_types(names: Rows, kinds: Rows, below: Rows) -> bool:
    """Whether rows below the header hold types or units: no sample is called so."""
    return bool(names and below) and all(_holds_types(names[0], row, below) for row in kinds)


def _holds_types(names: Sequence[str], kinds: Sequence[str], below: Rows) -> bool:
    words = {place for place, cell in enumerate(kinds) if cell.casefold() not in _NOTHING}
    headings = {place for place in words if _is_heading(kinds[place], names[place] if place < len(names) else "")}
    types = {place for place in words if kinds[place].casefold() in _TYPES}
    units = words - types - headings
    if not words - headings or _recurs([cell if place in words else "" for place, cell in enumerate(kinds)], below):
        return False
    # Whatever stands above numbers is a unit where no other cell may be of a sample.
    has_text = any(not _are_numbers(below, place) for place in range(len(names)))
    is_sure = has_text and not any(map(_NUMBER.fullmatch, kinds))
    if not all(_are_numbers(below, place) and (is_sure or _is_unit(kinds[place])) for place in units):
        return False
    # A single word may be the value of a sample that has an id.
    return len(words) > 1 or 0 not in words


def _is_heading(text: str, name: str) -> bool:
    """Whether the first cell of such a row says what it holds, or is the name of its column again."""
    return text.casefold() in _HEADINGS or text.startswith("#") or text == name


def _is_unit(text: str) -> bool:
    plain = text.replace("µ", "u").replace("μ", "u").replace("²", "2").replace("³", "3")
    return _UNIT.fullmatch(plain) is not None


def _are_numbers(rows: Rows, place: int) -> bool:
    cells = [row[place] for row in rows if place < len(row) and row[place].casefold() not in _NOTHING | {"nan"}]
    return bool(cells) and all(map(_NUMBER.fullmatch, cells))
