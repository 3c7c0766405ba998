"""How tables, names and lines look in the terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cellfeat.text import clean_text, shorten


def plain_table() -> Table:
    """An empty table without a frame."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)


def name_cell(name: str) -> Text:
    """A name from a file, escaped and cut to fit a table."""
    return Text(shorten(name), no_wrap=True, overflow="ellipsis")


def one_line(text: str) -> str:
    """A message in one line, escaped."""
    return clean_text(" ".join(text.split()))
