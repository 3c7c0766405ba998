"""A split of the samples that was made beforehand: which of them are for training, validation and test."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from cellfeat.errors import ConfigError
from cellfeat.text import first_ten
from cellfeat.types import Bools, Integers, Strings

PARTS = ("train", "val", "test")
"""Names of the parts."""

_SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
# Folders are often called train_set or test-images.
_ENDING = re.compile(r"[ _-]?(set|data|images|imgs)$", re.IGNORECASE)
_FOLD = re.compile(r"(k-?fold|fold|cv|split)[ _-]?\d+", re.IGNORECASE)

EXPECTED_VALUES = f"expected {', '.join(_SPELLINGS)} (in any case, also as train_set), or nothing"
"""What a column of a split may contain, for messages."""

GROUPS_ADVICE = "what is learned in one part then helps in the other, and scores there are too good"
"""What it means that a group is in several parts, for messages."""


def part_of(value: str) -> str | None:
    """Give the part that a word names, in any case.

    Returns
    -------
    str or None
        A name in `PARTS`, ``""`` for an empty word, or None if the word names no part.

    Examples
    --------
    >>> part_of("Training"), part_of("dev"), part_of("test_images"), part_of(""), part_of("fold1")
    ('train', 'val', 'test', '', None)
    """
    word = value.strip()
    return _SPELLINGS.get(_ENDING.sub("", word).casefold()) if word else ""


def parts_of(values: Iterable[str], column: str) -> Strings:
    """Give the part of each sample.

    Parameters
    ----------
    values
        The column of the split, one value per sample.
    column
        Its name, for messages.

    Returns
    -------
    ndarray of shape (n_samples,)
        Names in `PARTS`, ``""`` where a sample is in no part.

    Raises
    ------
    ConfigError
        If a value names no part.
    """
    values = list(values)
    part_by_value = {value: part_of(value) for value in set(values)}
    unknown = sorted(value for value, part in part_by_value.items() if part is None)
    if unknown:
        raise ConfigError(f"labels.split: column {column!r}: {EXPECTED_VALUES}, got {first_ten(map(repr, unknown))}")
    return np.array([part_by_value[value] or "" for value in values], dtype=str)


def rows_of_parts(values: Strings, column: str, names: Sequence[str]) -> Integers:
    """Find the samples of some parts.

    Parameters
    ----------
    values
        The column of the split, shape ``(n_samples,)``.
    column
        Its name, for messages.
    names
        Names in `PARTS`, at least one.

    Returns
    -------
    ndarray of shape (n_rows,)
        Row numbers.

    Raises
    ------
    ConfigError
        If a name or a value names no part.
    """
    unknown = sorted(set(names) - set(PARTS))
    if unknown or not names:
        raise ConfigError(f"expected the names of parts ({', '.join(PARTS)}), got {first_ten(map(repr, unknown))}")
    return np.flatnonzero(np.isin(parts_of(values.tolist(), column), list(names)))


def is_split_word(word: str) -> bool:
    """Whether a word names a part or a fold, as ``Train`` and ``fold_1`` do."""
    return bool(part_of(word)) or _FOLD.fullmatch(word.strip()) is not None


def looks_like_split(values: Iterable[str]) -> bool:
    """Whether a column holds a split: only names of parts, and more than one part."""
    parts = {part_of(value) for value in set(values)}
    return None not in parts and len(parts - {""}) > 1


def count_parts(parts: Strings) -> str:
    """Count the samples of each part in words.

    Parameters
    ----------
    parts
        As `parts_of` returns them, shape ``(n_samples,)``.

    Examples
    --------
    >>> count_parts(np.array(["train", "test", "train", ""]))
    '2 train, 1 test, 1 in no part'
    """
    counts = [(name, int(np.count_nonzero(parts == name))) for name in PARTS]
    n_none = int(np.count_nonzero(parts == ""))
    told = [f"{count} {name}" for name, count in counts if count]
    return ", ".join([*told, f"{n_none} in no part"] if n_none else told)


def spread_groups(groups: Strings, parts: Strings) -> dict[str, tuple[str, ...]]:
    """Find the groups that have samples in more than one part.

    Parameters
    ----------
    groups
        Group of each sample, ``""`` where it has none, shape ``(n_samples,)``.
    parts
        Part of each sample, as `parts_of` returns them, shape ``(n_samples,)``.

    Returns
    -------
    dict
        The parts of each such group, by its name.
    """
    has_both: Bools = (groups != "") & (parts != "")
    parts_by_group: dict[str, set[str]] = {}
    for group, part in zip(groups[has_both].tolist(), parts[has_both].tolist(), strict=True):
        parts_by_group.setdefault(group, set()).add(part)
    return {
        group: tuple(part for part in PARTS if part in found)
        for group, found in parts_by_group.items()
        if len(found) > 1
    }
