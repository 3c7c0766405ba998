"""Names of classes, samples and heads as they are shown: they come from files, and may hold anything."""

from collections.abc import Iterable

LONGEST_NAME = 40


def clean_text(text: str) -> str:
    """Replace characters that steer a terminal or hide text (controls, line breaks, reversed writing) by ``�``.

    Examples
    --------
    >>> clean_text("HeLa" + chr(27) + "[2J")
    'HeLa�[2J'
    """
    return "".join(character if character.isprintable() else "�" for character in text)


def shorten(name: str) -> str:
    """Clean a name, and cut it where it is longer than a table or picture can bear."""
    text = clean_text(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def shown_names(names: Iterable[str]) -> list[str]:
    """Clean and cut each name."""
    return [shorten(name) for name in names]
