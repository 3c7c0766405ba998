"""Which parts a process makes."""

import re
from dataclasses import dataclass
from typing import Self

from cellfeat.errors import ConfigError
from cellfeat.extraction.store import RunHeader

_SHARE = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True)
class Share:
    """One of `count` shares of an extraction.

    Attributes
    ----------
    index
        The number of the share, from 0.
    count
        How many shares there are.

    Examples
    --------
    >>> str(Share.parse("3/8"))
    '3/8'
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(
                f"share {self}: expected a number from 0 to {self.count - 1}, as in 0/{max(self.count, 1)}: the first "
                f"of {max(self.count, 1)} shares is number 0"
                if self.count > 0
                else f"share {self}: expected at least one share, as in 0/1"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``index/count``.

        Raises
        ------
        ConfigError
            If it is something else, or there is no such share.
        """
        found = _SHARE.fullmatch(text.strip())
        if found is None:
            raise ConfigError(f"share {text!r}: expected two numbers, such as 0/8 for the first of 8 shares")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def parts(self, header: RunHeader) -> list[range]:
        """List the rows of each part of this share: every `count`-th part, so that no share gets only slow ones."""
        return header.part_rows()[self.index :: self.count]

    def owns(self, part: int) -> bool:
        """Whether the part of this number, from 0, belongs to the share."""
        return part % self.count == self.index
