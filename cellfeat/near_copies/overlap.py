"""How two samples overlap."""

import math
from typing import NamedTuple, Self

Pair = tuple[int, int]
Shape = tuple[int, int]

SAME_CELL = 0.1
"""Crops show the same cell if their centres lie apart by at most this share of the smaller one's sides.

A crop holds a whole cell, and two cells whose centres lie closer than that would lie upon each other.
"""


class Overlap(NamedTuple):
    """Where two samples show the same place.

    Attributes
    ----------
    correlation
        Pearson correlation of their detail over the overlapping pixels, in [-1, 1].
    rows, columns
        Position of the second sample's corner relative to the first's, downwards and to the right, in pixels.
    share
        Area of the overlap, as a share of the smaller sample.
    is_exact
        Whether the overlapping pixels are equal.
    shows_same_cell
        Whether the centres lie so close that both samples show the same cell.
    """

    correlation: float
    rows: int
    columns: int
    share: float
    is_exact: bool
    shows_same_cell: bool

    @classmethod
    def at(cls, shift: tuple[int, int], shapes: tuple[Shape, Shape], correlation: float, *, is_exact: bool) -> Self:
        """Measure the overlap of two samples, given the second one's position relative to the first.

        Parameters
        ----------
        shift
            Rows and columns from the first sample's corner to the second's.
        shapes
            Height and width of the two samples.
        correlation
            Correlation of their detail.
        is_exact
            Whether the overlapping pixels are equal.
        """
        area = math.prod(_common(one, other, offset) for one, other, offset in zip(*shapes, shift, strict=True))
        smaller = min(math.prod(shape) for shape in shapes)
        apart = (
            abs(offset + (other - one) / 2) <= SAME_CELL * min(one, other)
            for one, other, offset in zip(*shapes, shift, strict=True)
        )
        return cls(correlation, *shift, area / smaller, is_exact, all(apart))

    def describe(self) -> str:
        """Describe the overlap in a few words."""
        if math.isnan(self.correlation):
            agreement = "the same place by their positions"
        else:
            agreement = "equal pixels" if self.is_exact else f"detail correlates by {self.correlation:.2f}"
        shift = f" when shifted by {abs(self.rows)} rows and {abs(self.columns)} columns"
        return f"{agreement} over {self.share:.0%} of the area" + (shift if self.rows or self.columns else "")


def _common(one: int, other: int, offset: int) -> int:
    """Length that two intervals share; the second begins at `offset` in the first."""
    return max(min(one, offset + other) - max(offset, 0), 0)
