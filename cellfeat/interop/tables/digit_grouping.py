"""Numbers whose thousands are set apart, as spreadsheets write them: 1.234,5 and 1,234.5 and 1 234.5."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_BLANKS = " '\u2019\u00a0\u202f"
"""Blank, apostrophes, and the blanks that do not break a line."""
_CERTAIN = (
    (".", ",", re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")),
    (",", ".", re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+")),
    *((blank, ".,", re.compile(rf"[+-]?\d{{1,3}}({blank}\d{{3}})+([.,]\d+)?")) for blank in _BLANKS),
)
"""Marks of thousands, marks of decimals, and numbers that cannot be meant otherwise."""
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")


@dataclass(frozen=True)
class Grouping:
    """How a column writes its numbers.

    Attributes
    ----------
    thousands
        The mark between groups of three digits.
    decimals
        The mark, or the marks, before decimals.
    """

    thousands: str
    decimals: str

    def read(self, text: str) -> float:
        """Give the number that a cell holds; NaN where it holds none.

        Examples
        --------
        >>> Grouping(".", ",").read("1.234,5"), Grouping(".", ",").read("998")
        (1234.5, 998.0)
        """
        number = rf"[+-]?(\d+|\d{{1,3}}({re.escape(self.thousands)}\d{{3}})+)([{self.decimals}]\d+)?"
        if not re.fullmatch(number, text):
            return float("nan")
        return float(text.replace(self.thousands, "").replace(",", "."))


def find_grouping(texts: Iterable[str]) -> Grouping | None:
    """Find out how a column sets its thousands apart; None where no cell certainly does.

    Parameters
    ----------
    texts
        The cells.

    Examples
    --------
    >>> find_grouping(["998,00", "1.234,50"])
    Grouping(thousands='.', decimals=',')
    >>> find_grouping(["1,234", "998"]) is None
    True
    """
    for text in texts:
        for thousands, decimals, pattern in _CERTAIN:
            if thousands in text and pattern.fullmatch(text):
                return Grouping(thousands, decimals)
    return None


def is_ambiguous(text: str) -> bool:
    """Whether a number with a point may be thousands where decimals have a comma: 1.234, and not 0.234 or 1.25."""
    return _AMBIGUOUS.fullmatch(text) is not None
