"""Where one sample of a pair lies on the other, for whoever looks at both."""

import re
from dataclasses import dataclass
from typing import Self

from cellfeat.near_copies.overlap import Overlap, Shape
from cellfeat.near_copies.search import Relation
from cellfeat.near_copies.turned import TURNS
from cellfeat.samples.regions import Regions

_TEXT = re.compile(r"dx=(-?\d+) dy=(-?\d+) quarters=([0-3]) mirrored=([01]) width=(\d+) height=(\d+)")


@dataclass(frozen=True)
class Placement:
    """Where the second sample of a pair lies on the first, in pixels of the images.

    Pixel (x, y) of the second sample, after it was mirrored and turned, is pixel (x + dx, y + dy) of the first.

    Attributes
    ----------
    dx, dy
        Position of the second sample's corner relative to the first's, to the right and downwards.
    quarters
        Quarter turns of the second sample, anticlockwise.
    mirrored
        Whether it is mirrored left to right before it is turned.
    width, height
        Size of the second sample after that.

    Examples
    --------
    >>> Placement.parse("dx=20 dy=-8 quarters=0 mirrored=0 width=64 height=64")
    Placement(dx=20, dy=-8, quarters=0, mirrored=False, width=64, height=64)
    """

    dx: int
    dy: int
    quarters: int
    mirrored: bool
    width: int
    height: int

    @classmethod
    def of(cls, relation: Relation, shapes: tuple[Shape, Shape]) -> Self:
        """Place the second sample of a near copy.

        Parameters
        ----------
        relation
            How the two samples are related.
        shapes
            Height and width of the first and of the second sample.
        """
        first, second = shapes
        if isinstance(relation, Overlap):
            height, width = second
            return cls(int(relation.columns), int(relation.rows), 0, False, int(width), int(height))
        number = TURNS.index(relation.how)
        made, is_mirrored = (number + 1) % 4, number >= 3
        # The second is the first turned by `made`; a mirrored turn is its own inverse, another one is turned back.
        height, width = first
        return cls(0, 0, made if is_mirrored else -made % 4, is_mirrored, int(width), int(height))

    @classmethod
    def of_boxes(cls, regions: Regions, first: int, second: int) -> Self:
        """Place a crop on another crop of the same field.

        Parameters
        ----------
        regions
            Where the samples lie on their fields.
        first, second
            Rows of the two samples.
        """
        top, left, _, _ = regions.box[first].tolist()
        other_top, other_left, height, width = regions.box[second].tolist()
        return cls(other_left - left, other_top - top, 0, False, width, height)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the text that `str` gives; None where it is none, as in files of earlier versions."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        dx, dy, quarters, mirrored, width, height = map(int, found.groups())
        return cls(dx, dy, quarters, bool(mirrored), width, height)

    def __str__(self) -> str:
        return (
            f"dx={self.dx} dy={self.dy} quarters={self.quarters} mirrored={int(self.mirrored)} "
            f"width={self.width} height={self.height}"
        )
