"""Results as HTML for notebooks: lines of text and a small table, everything escaped, no scripts and no styles."""

from collections.abc import Iterable, Sequence
from html import escape

from cellfeat.text import clean_text

MOST_ROWS = 15
"""Rows of a table; the others are counted."""


def html_block(lines: Sequence[str], headings: Sequence[str] = (), rows: Iterable[Sequence[object]] = ()) -> str:
    """Write lines, the first of them in bold, and a table below.

    Names of classes and samples come from files: control characters and HTML in them are escaped.

    Parameters
    ----------
    lines
        What matters most comes first.
    headings
        Of the columns; none leaves the table out.
    rows
        Cells of each row; numbers that are not whole are given with 3 decimals.

    Examples
    --------
    >>> block = html_block(["a < b"], ["class"], [["<script>"]])
    >>> "<b>a &lt; b</b>" in block, "<td>&lt;script&gt;</td>" in block
    (True, True)
    """
    first, *others = map(_escaped, lines)
    text = "<br>".join([f"<b>{first}</b>", *others])
    # Notebooks would set names such as $x$ as mathematics.
    start = '<div class="tex2jax_ignore mathjax_ignore">'
    return f"{start}<p>{text}</p>{_table(headings, list(rows)) if headings else ''}</div>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    shown = [_row("td", row) for row in rows[:MOST_ROWS]]
    n_more = len(rows) - MOST_ROWS
    more = f'<tr><td colspan="{len(headings)}">… and {n_more} more</td></tr>' if n_more > 0 else ""
    return f"<table>{_row('th', headings)}{''.join(shown)}{more}</table>"


def _row(cell: str, values: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{cell}>{_escaped(_shown(value))}</{cell}>' for value in values)}</tr>"


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    return escape(clean_text(text))
