"""Words and numbers in the names of samples, without the names of the classes.

A name tells of the acquisition: plate, well, day, number of the picture. It may hold the class as well, which is
harmless, because no head sees names. So class names, and abbreviations of them, are removed from every name first, and
with them the counters that start again in each class.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from cellfeat.types import Floats

MOST_PARTS = 8
"""Words and numbers of a name, each, that are looked at."""

MOST_REPEATED = 0.1
"""Names without their class repeat in other classes more often than this where a counter starts again in each class."""

_ENDING = re.compile(
    r"(\.(ome|nd2|lsm))?\.(png|jpe?g|jpe|jfif|tiff?|btf|tf8|tf2|lsm|bmp|dib|gif|webp|jp2|jxr|jxl)$", re.I
)
_PART = re.compile(r"\d+|[^\W\d_]+")


def name_parts(names: Sequence[str], classes: Sequence[str]) -> dict[str, Floats]:
    """Number the words and numbers of names by their place: ``number 2 of the names``.

    Parameters
    ----------
    names
        Names of the samples.
    classes
        Names of all classes.

    Returns
    -------
    dict
        A column of shape ``(n_samples, 1)`` for each place; NaN where a name has fewer parts.
    """
    without_class = _without_classes(names, classes)
    parts = [_PART.findall(name) for name in without_class]
    words = [[part for part in of_name if not part.isdecimal()] for of_name in parts]
    numbers = [[part for part in of_name if part.isdecimal()] for of_name in parts]
    if _repeated_share(without_class) > MOST_REPEATED:
        numbers = [of_name[:-1] for of_name in numbers]
    columns = {f"word {place} of the names": _codes(values) for place, values in _by_place(words)}
    columns |= {f"number {place} of the names": _floats(values) for place, values in _by_place(numbers)}
    return {source: values[:, np.newaxis] for source, values in columns.items()}


def _by_place(parts: Sequence[Sequence[str]]) -> Iterable[tuple[int, list[str]]]:
    longest = min(max(map(len, parts), default=0), MOST_PARTS)
    for place in range(longest):
        yield place + 1, [of_name[place] if place < len(of_name) else "" for of_name in parts]


def _codes(values: Sequence[str]) -> Floats:
    texts = np.array([value.lower() for value in values])
    return np.where(texts == "", np.nan, np.unique(texts, return_inverse=True)[1])


def _floats(values: Sequence[str]) -> Floats:
    return np.array([float(value) if value else np.nan for value in values])


def _repeated_share(names: Sequence[str]) -> float:
    """Share of the names that occur more than once."""
    _, inverse, counts = np.unique(names, return_inverse=True, return_counts=True)
    return float(np.mean(counts[inverse] > 1))


def _without_classes(names: Sequence[str], classes: Sequence[str]) -> list[str]:
    patterns = [pattern for name in sorted(classes, key=len, reverse=True) if (pattern := _class_pattern(name))]
    any_class = re.compile("|".join(patterns), re.I) if patterns else None
    words = ["".join(filter(str.isalpha, name)).lower() for name in classes]
    return [_without_class(_ENDING.sub("", name), any_class, words) for name in names]


def _class_pattern(name: str) -> str:
    """A class name as it may be written in a file name: ``U-2 OS`` as ``u2os`` or ``U_2-OS``."""
    characters = [c for c in name if c.isalnum()]
    if not characters:
        return ""
    first, last = (r"\d" if c.isdecimal() else r"[^\W\d_]" for c in (characters[0], characters[-1]))
    spelled = r"[\W_]*".join(map(re.escape, characters))
    return f"(?<!{first}){spelled}(?!{last})"


def _without_class(name: str, any_class: re.Pattern[str] | None, words: Sequence[str]) -> str:
    bare = any_class.sub(" ", name) if any_class else name
    return _PART.sub(lambda part: " " if any(_abbreviates(part[0].lower(), word) for word in words) else part[0], bare)


def _abbreviates(part: str, word: str) -> bool:
    """Whether a part of a name is an abbreviation of a word, as ``neu`` or ``ntp`` is of ``neutrophil``."""
    if len(part) < 2 or not word or part[0] != word[0]:
        return False
    letters = iter(word)
    return all(letter in letters for letter in part)
