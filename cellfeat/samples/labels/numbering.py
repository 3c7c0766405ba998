"""Numbers that one side counts from 0 and the other from 1: each row would be taken for its neighbour."""

import re
from collections.abc import Iterable

from cellfeat.errors import ManifestError

_LAST_NUMBER = re.compile(r"(.*?)(\d{1,15})(\D*)", re.DOTALL | re.ASCII)
_Numbered = tuple[str, int, str]
"""A text around its last number: before, the number, after."""


def shift_between(given: Iterable[str], known: Iterable[str]) -> int:
    """By how much the numbers of one side have to be raised to be those of the other.

    Parameters
    ----------
    given
        Numbers, or texts that end in numbers, such as the ids of a table.
    known
        Those that they should be among, such as the names of images.

    Returns
    -------
    int
        1 or -1 where one side counts from 0 and the other from 1: every number fits with the shift, or the first and
        the last do. 0 where both count alike, have no numbers, or do not fit with a shift either.

    Examples
    --------
    >>> shift_between(["0", "1", "2"], ["1", "2", "3"]), shift_between(["cell_1", "cell_2"], ["cell_00", "cell_01"])
    (1, -1)
    >>> shift_between(["1", "2"], ["1", "2", "3"]), shift_between(["a"], ["1"]), shift_between(["0", "5"], ["1", "2"])
    (0, 0, 0)
    """
    ours, theirs = _numbered(given), _numbered(known)
    if not ours or not theirs or ours <= theirs:
        return 0
    numbers, others = ({number for _, number, _ in side} for side in (ours, theirs))
    if (0 in numbers) == (0 in others):
        return 0
    shift = 1 if 0 in numbers else -1
    if {(before, number + shift, after) for before, number, after in ours} <= theirs:
        return shift
    ends_fit = (min(numbers) + shift, max(numbers) + shift) == (min(others), max(others))
    texts, other_texts = ({(before, after) for before, _, after in side} for side in (ours, theirs))
    return shift if ends_fit and texts <= other_texts else 0


def numbering_problem(what: str, given: Iterable[str], counted: str, known: Iterable[str]) -> str | None:
    """Say that numbers begin with 0 where those that they should fit begin with 1, or the reverse; None otherwise.

    Parameters
    ----------
    what, given
        The numbers, in words for messages (``cells.csv: the numbers of column site``), and as they are written.
    counted, known
        What they should fit, in words (``the fields``), and its numbers.
    """
    shift = shift_between(given, known)
    if not shift:
        return None
    first, other = (0, 1) if shift == 1 else (1, 0)
    return (
        f"{what} count from {first}, and those of {counted} from {other}, so that each row would be taken for its "
        f"neighbour: {'add 1 to each' if shift == 1 else 'take 1 from each'}"
    )


def check_numbering(what: str, given: Iterable[str], counted: str, known: Iterable[str]) -> None:
    """Refuse numbers that begin with 0 where those that they should fit begin with 1, or the reverse.

    Parameters
    ----------
    what, given, counted, known
        As for `numbering_problem`.

    Raises
    ------
    ManifestError
        If the numbers fit with a shift alone.
    """
    problem = numbering_problem(what, given, counted, known)
    if problem:
        raise ManifestError(problem)


def _numbered(texts: Iterable[str]) -> set[_Numbered]:
    """The texts around their last number; none if one of them has no number."""
    matches = [_LAST_NUMBER.fullmatch(text) for text in set(texts)]
    found = {(match[1], int(match[2]), match[3]) for match in matches if match}
    return found if all(matches) else set()
