"""Where samples lie on their fields of view."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cellfeat.errors import ManifestError
from cellfeat.types import Floats, Integers, Strings

LARGEST_COORDINATE = 2**31 - 1
"""No image has a side this long: a box with such numbers is wrong, and sums of them would overflow."""


@dataclass(frozen=True, eq=False)
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
    field_size
        Height and width of the field, shape ``(n_samples, 2)``; 0 for a field that could not be read, and None where
        no size is known.

    Raises
    ------
    ManifestError
        If the columns differ in length, a field has no name, a centre is not finite, a box has no pixels or numbers
        that no image has, or a mask value or the size of a field is negative.
    """

    field: Strings
    centre: Floats
    box: Integers
    mask_value: Integers
    field_size: Integers | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        for is_wrong, what in self._wrong_rows():
            if is_wrong.any():
                row = int(is_wrong.argmax())
                raise ManifestError(
                    f"{np.count_nonzero(is_wrong)} of {len(self)} samples have {what}; the first is in row {row}, in "
                    f"field {str(self.field[row])!r}, with centre {self.centre[row].tolist()} and box (top, left, "
                    f"height, width) {self.box[row].tolist()}"
                )

    def __len__(self) -> int:
        return len(self.field)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Regions):
            return NotImplemented
        pairs = zip(self._columns(), other._columns(), strict=True)
        return all(np.array_equal(one, another) for one, another in pairs)

    __hash__ = None  # type: ignore[assignment]

    def take(self, rows: Integers) -> Self:
        """Give the regions of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        size = None if self.field_size is None else self.field_size[rows]
        return type(self)(self.field[rows], self.centre[rows], self.box[rows], self.mask_value[rows], size)

    def _columns(self) -> tuple[Any, ...]:
        return (self.field, self.centre, self.box, self.mask_value, self.field_size)

    def _check_shapes(self) -> None:
        n = self.field.size
        expected = {"field": (n,), "centre": (n, 2), "box": (n, 4), "mask_value": (n,), "field_size": (n, 2)}
        for name, shape in expected.items():
            values = getattr(self, name)
            if values is not None and values.shape != shape:
                raise ManifestError(f"the {name} of samples on fields has shape {values.shape}, expected {shape}")
        for name in ("box", "mask_value", "field_size"):
            values = getattr(self, name)
            if values is not None and values.dtype.kind not in "iu":
                raise ManifestError(f"the {name} of samples on fields has type {values.dtype}, expected integers")

    def _wrong_rows(self) -> Iterator[tuple[Any, str]]:
        yield self.field == "", "a field without a name"
        yield ~np.isfinite(self.centre).all(axis=1), "a centre that is not finite"
        yield (self.box[:, 2:] < 1).any(axis=1), "a box without pixels"
        # Not by `abs`, which leaves the smallest integer negative.
        is_large = (self.box > LARGEST_COORDINATE) | (self.box < -LARGEST_COORDINATE)
        yield is_large.any(axis=1), f"a box with numbers beyond {LARGEST_COORDINATE}"
        yield self.mask_value < 0, "a negative mask value"
        if self.field_size is not None:
            yield (self.field_size < 0).any(axis=1), "a field of negative size"
