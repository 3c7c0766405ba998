"""Text for messages: make names from files safe to print, suggest near names, shorten long lists."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_NAME = 40
NO_URLS = "addresses (https://, s3://) are not supported yet: copy the data to this machine, and name it there"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def clean_text(text: str) -> str:
    r"""Escape characters that control a terminal or hide text: control characters, line breaks, text direction.

    Names of classes, samples and heads come from files and may contain any characters.

    Examples
    --------
    >>> clean_text("HeLa" + chr(27) + "[2J")
    'HeLa\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clean_lines(text: str) -> str:
    """Apply `clean_text` to each line of a message; line breaks are kept."""
    return "\n".join(map(clean_text, text.split("\n")))


def shorten(name: str) -> str:
    """Clean a name and shorten it to `LONGEST_NAME` characters for a table or figure."""
    text = clean_text(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def shown_names(names: Iterable[str]) -> list[str]:
    """Clean and shorten each name."""
    return [shorten(name) for name in names]


def near_names(name: str, valid: Iterable[str]) -> str:
    """Suggest valid names for an unknown one: first the similar names, then all.

    Parameters
    ----------
    name
        The unknown name.
    valid
        All valid names.

    Examples
    --------
    >>> near_names("lihgtgbm", ["mlp", "lightgbm"])
    "did you mean 'lightgbm'? Valid: lightgbm, mlp"
    """
    valid = sorted(valid)
    near = get_close_matches(name, valid, n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{meant}Valid: {', '.join(valid)}"


def is_url(text: str) -> bool:
    """Whether a text is an address such as ``s3://bucket/cells``, also as a path, in which ``//`` has become ``/``.

    Examples
    --------
    >>> is_url("s3:/bucket/cells"), is_url("C:/cells")
    (True, False)
    """
    return _URL.match(text) is not None


def first_ten(items: Iterable[object]) -> str:
    """Join the first ten items and count the others."""
    items = list(items)
    rest = f" … and {len(items) - 10} more" if len(items) > 10 else ""
    return ", ".join(map(str, items[:10])) + rest


def first_line(error: Exception) -> str:
    """The first line of another library's error message, without its further advice."""
    return str(error).strip().split("\n")[0] or type(error).__name__
