r"""Names of classes and heads as a figure can draw them: in a font that has their letters, or escaped.

Names come from files and may be in any script. Letters that no installed font has would be drawn as empty boxes; they
are escaped (``\u4e2d``), as are characters that hide text. No mathematics in names is set: ``$`` is a letter.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from matplotlib import font_manager, rc_context

from cellfeat.figures.style import FigureWidth, print_settings
from cellfeat.text import LONGEST_NAME, clean_text, shown_names

FAMILY = "DejaVu Sans"
"""The font of every figure: it comes with matplotlib, and has Latin, Greek, Cyrillic and Arabic letters."""

LONGEST_IN_COLUMN = 24
"""Characters of a name in a figure of one column: a longer one would take half of its width."""

USUAL_WEIGHTS = (400, "normal", "regular", "book")

Shown = Callable[[Iterable[str]], list[str]]
"""Gives names as they are drawn: escaped where necessary, short, and distinct."""


@contextmanager
def lettering(texts: Iterable[str], width: FigureWidth | None = None) -> Iterator[Shown]:
    """Draw with fonts that have the letters of these texts, as far as they are installed.

    Parameters
    ----------
    texts
        Every text from a file that the figure contains.
    width
        The width that the figure has in print, which decides the sizes of letters; None: as on a screen.

    Raises
    ------
    ConfigError
        If there is no such width.

    Yields
    ------
    Shown
        Gives names as they are drawn.
    """
    missing = _without(FAMILY, {c for text in texts for c in clean_text(text)})
    families, missing = _families_for(frozenset(missing))

    def shown(names: Iterable[str]) -> list[str]:
        longest = LONGEST_IN_COLUMN if width == "one" else LONGEST_NAME
        return shown_names(("".join(_escaped(c) if c in missing else c for c in name) for name in names), longest)

    with rc_context({"font.family": [FAMILY, *families], "text.parse_math": False, **print_settings(width)}):
        yield shown


@cache
def _families_for(characters: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Installed families that together have as many of these characters as possible, and the characters left."""
    families: list[str] = []
    for entry in _other_fonts() if characters else ():
        # Any font of a family is asked first, because finding the one that matplotlib would draw with takes longer.
        if _outlined(entry.fname, characters) and (left := _without(entry.name, characters)) < characters:
            families.append(entry.name)
            characters = left
        if not characters:
            break
    return families, characters


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _other_fonts() -> list[font_manager.FontEntry]:
    """Installed fonts in the order in which they are tried."""
    fonts = [
        entry
        for entry in font_manager.fontManager.ttflist
        if entry.style == "normal" and entry.weight in USUAL_WEIGHTS and _is_for_text(entry)
    ]
    return sorted(fonts, key=lambda entry: ("Sans" not in entry.name, entry.name))


def _is_for_text(entry: font_manager.FontEntry) -> bool:
    # The Last Resort font has a box for every character, and the fonts of matplotlib's mathematics have few letters.
    return "Last Resort" not in entry.name and not Path(entry.fname).name.startswith(("cm", "STIX"))


def _without(family: str, characters: Collection[str]) -> frozenset[str]:
    """The characters that a family does not have."""
    try:
        path = font_manager.findfont(family, fallback_to_default=False)
    except ValueError:
        return frozenset(characters)
    return frozenset(characters) - _outlined(path, characters)


def _outlined(path: str | Path, characters: Collection[str]) -> frozenset[str]:
    """The characters for which a font file has outlines."""
    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):  # gone, or not readable by FreeType
        return frozenset()
    # Fonts of coloured bitmaps, as some emoji have, cannot be scaled: matplotlib fails on them.
    return frozenset(c for c in characters if font.get_char_index(ord(c))) if font.scalable else frozenset()
