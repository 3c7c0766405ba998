"""How samples are cut out of their fields: the rules, and the label image of each sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from cellfeat.types import Integers, Strings


@dataclass(frozen=True)
class CropRules:
    """Rules that decide the pixels of a crop, given its box on the field.

    Attributes
    ----------
    size
        Height and width of a crop in pixels.
    border
        What happens to a crop that reaches beyond its field: ``pad`` repeats the pixels of the field's edge, ``drop``
        leaves the sample out.
    mask
        ``zero_outside`` sets pixels outside the cell to 0.
    dilate
        By how many pixels of the field the cell's mask is made larger.
    resolution
        Micrometres per pixel of a crop; None: pixels of the field are taken as they are.
    """

    size: int
    border: Literal["pad", "drop"] = "pad"
    mask: Literal["none", "zero_outside"] = "none"
    dilate: int = 0
    resolution: float | None = None

    def record(self) -> dict[str, Any]:
        """The rules as plain JSON values, for the recipe of a feature file."""
        return {
            "crop_size": self.size,
            "border": self.border,
            "mask": self.mask,
            "dilate": self.dilate,
            "resolution": self.resolution,
        }


@dataclass(frozen=True)
class Crops:
    """The crops of a manifest's samples, beside their regions.

    Attributes
    ----------
    rules
        The rules, equal for all samples.
    masks
        Name of each sample's label image, relative to `masks_root`, shape ``(n_samples,)``; empty where there is none.
    masks_root
        The folder of the label images.
    """

    rules: CropRules
    masks: Strings
    masks_root: Path

    def take(self, rows: Integers) -> Self:
        """Give the crops of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return type(self)(self.rules, self.masks[rows], self.masks_root)
