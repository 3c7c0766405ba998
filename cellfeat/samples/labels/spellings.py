"""Values that differ only in what a reader hardly sees."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from cellfeat.text import first_ten

# Programs write the classes 0 and 1 as 0.0 and 1.0 where other cells of the column are empty, and lose leading zeros.
_WHOLE_NUMBER = re.compile(r"(-?)0*(\d{1,300})(\.0*)?", re.ASCII)


def alike_values(values: Iterable[str]) -> list[list[str]]:
    """Give the sets of values that differ only in case, spaces, invisible characters or the form of a number.

    Parameters
    ----------
    values
        Different values.

    Examples
    --------
    >>> alike_values(["3", "HeLa", "3.0", "hela ", "A549"])
    [['3', '3.0'], ['HeLa', 'hela ']]
    """
    spellings: dict[str, list[str]] = defaultdict(list)
    for value in values:
        spellings[_normal_form(value)].append(value)
    return [forms for forms in spellings.values() if len(forms) > 1]


def _normal_form(value: str) -> str:
    """A value without what a reader hardly sees: case, spaces, invisible characters, forms of one letter or number."""
    if "/" in value:
        # Of several columns of groups, each part.
        return "/".join(map(_normal_form, value.split("/")))
    normal = unicodedata.normalize("NFKC", value)
    if whole := _WHOLE_NUMBER.fullmatch(normal.strip()):
        return whole[1] + whole[2]
    return "".join(c for c in normal if not c.isspace() and unicodedata.category(c) != "Cf").casefold()


def spelling_problems(labels: Iterable[str]) -> list[str]:
    """A line of an error message about classes that differ only in what a reader hardly sees.

    Parameters
    ----------
    labels
        The label of each sample.
    """
    counts = Counter(labels)
    alike = [
        " and ".join(
            f"{written} ({counts[label]} samples)" for label, written in zip(forms, _quoted(forms), strict=True)
        )
        for forms in alike_values(counts)
    ]
    if not alike:
        return []
    return [
        "- labels that differ only in case, spaces, invisible characters, leading zeros or a decimal point: "
        f"{first_ten(alike)}; "
        "if they are one class, write it one way"
    ]


def _quoted(labels: list[str]) -> list[str]:
    """Labels in quotes, by their code points where they would look the same."""
    look_the_same = len({unicodedata.normalize("NFKC", label) for label in labels}) < len(labels)
    return [ascii(label) if look_the_same else repr(label) for label in labels]
