"""Where samples lie on their fields of view."""

from dataclasses import dataclass
from typing import Self

from cellfeat.types import Floats, Integers, Strings


@dataclass(frozen=True)
class Regions:
    """The crop of each sample on its field; in pixels of the field, x to the right and y downwards.

    Attributes
    ----------
    field
        Id of the field that the sample is cut out of, shape ``(n_samples,)``. Fields with equal ids are one image.
    centre
        Centre of the cell as ``(x, y)``, shape ``(n_samples, 2)``.
    box
        Pixels of the field that the sample shows, as ``(top, left, height, width)``, shape ``(n_samples, 4)``. A box
        may reach beyond the border of the field.
    mask_value
        Value of the cell's pixels in the label image of the field, shape ``(n_samples,)``; 0 where there is none.
    """

    field: Strings
    centre: Floats
    box: Integers
    mask_value: Integers

    def __len__(self) -> int:
        return len(self.field)

    def take(self, rows: Integers) -> Self:
        """Give the regions of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return type(self)(self.field[rows], self.centre[rows], self.box[rows], self.mask_value[rows])
