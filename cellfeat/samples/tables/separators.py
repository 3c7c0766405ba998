"""What separates the cells of a table of text."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from cellfeat.samples.tables.header import find_header

SEPARATORS = ",;\t|"
# `write.table` of R separates with spaces by default, and puts quotes around all names.
_QUOTED_WORDS = re.compile(r'"[^"]*"( "[^"]*")+')
_LINES = 20
_FEWEST = 2
"""Lines below the first that show another separator than it has."""


def separator_of(text: str) -> str:
    r"""Find what separates the cells: the separator that is most frequent in the header.

    Where the lines below do not have it as often, as below a title, it is the one of which most of them have the same
    number.

    Parameters
    ----------
    text
        The table, or its first lines.

    Examples
    --------
    >>> separator_of("id;area\na;1,5\nb;2,5\n")
    ';'
    >>> separator_of("Experiment 12, plate 3\nid;label\na;x\nb;y\n")
    ';'
    """
    filled = (line.strip("\r\n") for line in io.StringIO(text) if line.strip())
    header, *lines = [*islice(filled, _LINES)] or [""]
    if _QUOTED_WORDS.fullmatch(header.strip()):
        return " "
    named = max(SEPARATORS, key=lambda one: _count(header, one))
    if len(lines) < _FEWEST or _count(header, named) == _usual(lines, named)[0] > 0:
        return named
    shares = {one: _usual(lines, one) for one in SEPARATORS}
    best = max(SEPARATORS, key=lambda one: (shares[one][1], shares[one][0], one == named))
    # Words with commas in them are no rows of cells: a title stands above names.
    return best if 2 * shares[best][1] > len(lines) and _has_title([header, *lines], best) else named


def _has_title(lines: Sequence[str], separator: str) -> bool:
    try:
        return find_header(list(csv.reader(lines, delimiter=separator))).n_titles > 0
    except csv.Error:
        return False


def _count(line: str, separator: str) -> int:
    """How often a line has a separator; those inside quotes belong to a cell."""
    return re.sub(r'"[^"]*"', "", line).count(separator)


def _usual(lines: Sequence[str], separator: str) -> tuple[int, int]:
    """How often most lines have a separator, among those that have it, and how many lines do."""
    counts = Counter(filter(None, (_count(line, separator) for line in lines)))
    return counts.most_common(1)[0] if counts else (0, 0)
