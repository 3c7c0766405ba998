"""Text for people: names from files made safe to show, near names suggested, long lists cut."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_NAME = 40


def clean_text(text: str) -> str:
    r"""Escape characters that steer a terminal or hide text: controls, line breaks, reversed writing.

    Names of classes, samples and heads come from files, and may hold anything.

    Examples
    --------
    >>> clean_text("HeLa" + chr(27) + "[2J")
    'HeLa\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clean_lines(text: str) -> str:
    """Escape such characters in each line of a message, and keep its line breaks."""
    return "\n".join(map(clean_text, text.split("\n")))


def shorten(name: str) -> str:
    """Clean a name, and cut it where it is longer than a table or picture can bear."""
    text = clean_text(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def shown_names(names: Iterable[str]) -> list[str]:
    """Clean and cut each name."""
    return [shorten(name) for name in names]


def near_names(name: str, valid: Iterable[str]) -> str:
    """Say which of `valid` may have been meant by `name`: the near ones first, then all.

    Examples
    --------
    >>> near_names("lihgtgbm", ["mlp", "lightgbm"])
    "did you mean 'lightgbm'? Valid: lightgbm, mlp"
    """
    valid = sorted(valid)
    near = get_close_matches(name, valid, n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{meant}Valid: {', '.join(valid)}"


def first_ten(items: Iterable[object]) -> str:
    """Join the first ten items, and count the rest."""
    items = list(items)
    rest = f" … and {len(items) - 10} more" if len(items) > 10 else ""
    return ", ".join(map(str, items[:10])) + rest


def first_line(error: Exception) -> str:
    """What an error of another library says, without its pages of advice."""
    return str(error).strip().split("\n")[0] or type(error).__name__
