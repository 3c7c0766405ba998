"""Resize, crop and normalise images as published with the weights.

The steps are those of torchvision's functions on float tensors, so the result equals that of the weights' preset. They
are written with PyTorch alone, because importing torchvision loads PyTorch's compiler, which takes seconds.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from cellfeat.config import PreprocessingSettings

Triple = tuple[float, float, float]
_SMOOTH = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Transform:
    """Turns images of any shape into the squares that a backbone was trained on, and knows how to normalise them.

    Attributes
    ----------
    resize
        Length in pixels that the shorter side of an image is scaled to before the crop.
    crop
        Side in pixels of the central crop. If `resize` and `crop` are ``None``, the whole image is kept, scaled so that
        its longer side is `input_size`, and padded with zeros (black) to a square.
    input_size
        Side in pixels of the resulting square.
    interpolation
        ``nearest``, ``bilinear`` or ``bicubic``. As in the preset, ``bicubic`` can exceed the range of its input.
    mean, std
        Mean and standard deviation of the three channels, for values 0 to 1.
    antialias
        Whether an image is low-pass filtered before it is scaled down.
    squash
        Whether both sides are scaled to `resize`, whatever the aspect ratio of the image.
    """

    resize: int | None
    crop: int | None
    input_size: int
    interpolation: str
    mean: Triple
    std: Triple
    antialias: bool = True
    squash: bool = False

    def adapted(self, settings: PreprocessingSettings) -> "Transform":
        """Apply the given settings; everything else stays as published with the weights."""
        adapted = self.sized(settings.input_size)
        if settings.crop == "none":
            adapted = replace(adapted, resize=None, crop=None, squash=False)
        named = {key: getattr(settings, key) for key in ("interpolation", "mean", "std")}
        return replace(adapted, **{key: value for key, value in named.items() if value is not None})

    def sized(self, input_size: int | None) -> "Transform":
        """Give the same for another side of the input, with the ratio of resize to crop; None for the own side."""
        if input_size is None:
            return self
        if self.crop is None or self.resize is None:
            return replace(self, input_size=input_size)
        resize = round(self.resize * input_size / self.crop)
        return replace(self, resize=resize, crop=input_size, input_size=input_size)

    def geometry(self) -> "Transform":
        """The same without normalisation: transforms of equal geometry make equal squares."""
        return replace(self, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def square(self, x: torch.Tensor) -> torch.Tensor:
        """Make float images from 0 to 1 square: ``(N, C, H, W)`` to ``(N, C, input_size, input_size)``."""
        if self.crop is None or self.resize is None:
            return self._padded(x)
        return _central_crop(self._scaled(x, self._resized_sides(x)), self.crop)

    def _resized_sides(self, x: torch.Tensor) -> tuple[int, int]:
        """Sides after scaling: both `resize`, or the shorter one, the longer one rounded down as torchvision does."""
        assert self.resize is not None, "only called with a crop"
        height, width = x.shape[-2:]
        if self.squash:
            return self.resize, self.resize
        longer = int(self.resize * max(height, width) / min(height, width))
        return (self.resize, longer) if height <= width else (longer, self.resize)

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        sides = x.shape[-2:]
        height, width = (max(1, round(side * self.input_size / max(sides))) for side in sides)
        left, top = (self.input_size - width) // 2, (self.input_size - height) // 2
        right, bottom = self.input_size - width - left, self.input_size - height - top
        return functional.pad(self._scaled(x, (height, width)), (left, right, top, bottom))

    def _scaled(self, x: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
        if tuple(x.shape[-2:]) == sides:
            return x
        if self.interpolation not in _SMOOTH:
            return functional.interpolate(x, size=sides, mode=self.interpolation)
        return functional.interpolate(
            x, size=sides, mode=self.interpolation, align_corners=False, antialias=self.antialias
        )

    def moments(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation on a device, ``(3, 1, 1)`` each: ``(x - mean) / std`` normalises."""
        mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (self.mean, self.std))
        return mean, std

    def record(self) -> dict[str, Any]:
        """Everything that affects the result, as plain JSON values."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}


def _central_crop(x: torch.Tensor, side: int) -> torch.Tensor:
    """Cut the central square, after padding with zeros where the image is smaller."""
    height, width = x.shape[-2:]
    missing_rows, missing_columns = max(0, side - height), max(0, side - width)
    left, top = missing_columns // 2, missing_rows // 2
    if missing_rows or missing_columns:
        x = functional.pad(x, (left, missing_columns - left, top, missing_rows - top))
    height, width = x.shape[-2:]
    # Python's rounding to even decides where an odd number of pixels is cut off.
    top, left = round((height - side) / 2), round((width - side) / 2)
    return x[..., top : top + side, left : left + side]
