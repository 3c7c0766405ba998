"""Words that programs write where a value is missing: taken as empty cells, and reported with their counts."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from cellfeat.text import first_ten


@dataclass(frozen=True)
class MissingValues:
    """A column without its words for missing values.

    Attributes
    ----------
    values
        The column, ``""`` where a value is missing.
    words
        The words that were replaced, with their counts.
    n_empty
        Cells that were empty already.
    """

    values: pd.Series
    words: Counter[str]
    n_empty: int

    @property
    def spellings(self) -> str:
        """The words that were replaced, with the count of each where there are several."""
        if len(self.words) == 1:
            return repr(next(iter(self.words)))
        return first_ten(f"{word!r} ({count})" for word, count in self.words.most_common())


def without_missing(values: pd.Series, words: Collection[str]) -> MissingValues:
    """Replace the words for missing values by ``""``.

    Parameters
    ----------
    values
        Text cells.
    words
        Spellings that mean a missing value; upper and lower case differ.
    """
    is_word = values.isin(list(words)) & (values != "")
    found = Counter(values[is_word].tolist())
    return MissingValues(values.mask(is_word, ""), found, int((values == "").sum()))


def label_remarks(missing: MissingValues, words: Collection[str], where: str) -> list[str]:
    """Say which labels were taken as missing, and which classes only look like it.

    Parameters
    ----------
    missing
        The labels.
    words
        As for `without_missing`.
    where
        What the labels were read from.
    """
    remarks = []
    if missing.words:
        remarks.append(
            f"{missing.words.total()} labels in {where} read {missing.spellings} and are taken as missing: these "
            f"samples have no class; if this is a class, keep it with --set 'labels.missing=[]'"
        )
    if missing.n_empty:
        remarks.append(f"{missing.n_empty} labels in {where} are empty: these samples have no class")
    alike = {word.casefold() for word in words}
    counts = Counter(missing.values[missing.values != ""].tolist())
    for label in sorted(label for label in counts if label.casefold() in alike):
        chosen = ", ".join(map(json.dumps, [*missing.words, label]))
        remarks.append(
            f"{counts[label]} labels in {where} read {label!r}, which is kept as a class; if it means a missing "
            f"label: --set 'labels.missing=[{chosen}]'"
        )
    return remarks


def group_remarks(missing: MissingValues, where: str) -> list[str]:
    """Say which groups were taken as missing.

    Parameters
    ----------
    missing
        The groups.
    where
        What they were read from.
    """
    if not missing.words:
        return []
    return [
        f"{missing.words.total()} groups in {where} read {missing.spellings} and are taken as missing: these samples "
        "are in no group; if this is a group, keep it with --set 'labels.missing=[]'"
    ]


def column_remarks(columns: Iterable[tuple[str, MissingValues]], where: str) -> list[str]:
    """Say in which further columns words were taken as missing values.

    Parameters
    ----------
    columns
        Name and values of each column.
    where
        The table.
    """
    told = [f"{name} ({values.words.total()} cells: {values.spellings})" for name, values in columns if values.words]
    return [f"taken as missing in further columns of {where}: {first_ten(told)}"] if told else []
