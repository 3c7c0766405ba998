"""Resize, crop and normalise images as published with the weights.

The steps are torchvision's functions on float tensors, so the result equals that of the weights' preset.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torchvision.transforms import functional
from torchvision.transforms.functional import InterpolationMode

from cellfeat.config import PreprocessingSettings

Triple = tuple[float, float, float]


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
        """Apply the given settings; everything else stays as published with the weights.

        A new `input_size` keeps the ratio of resize to crop.
        """
        adapted = self._sized(settings.input_size or self.input_size)
        if settings.crop == "none":
            adapted = replace(adapted, resize=None, crop=None, squash=False)
        named = {key: getattr(settings, key) for key in ("interpolation", "mean", "std")}
        return replace(adapted, **{key: value for key, value in named.items() if value is not None})

    def _sized(self, input_size: int) -> "Transform":
        if self.crop is None or self.resize is None:
            return replace(self, input_size=input_size)
        resize = round(self.resize * input_size / self.crop)
        return replace(self, resize=resize, crop=input_size, input_size=input_size)

    def square(self, x: torch.Tensor) -> torch.Tensor:
        """Make float images from 0 to 1 square: ``(N, C, H, W)`` to ``(N, C, input_size, input_size)``."""
        if self.crop is None or self.resize is None:
            return self._padded(x)
        sides = [self.resize, self.resize] if self.squash else [self.resize]
        return functional.center_crop(self._scaled(x, sides), [self.crop, self.crop])

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        sides = x.shape[-2:]
        height, width = (max(1, round(side * self.input_size / max(sides))) for side in sides)
        left, top = (self.input_size - width) // 2, (self.input_size - height) // 2
        right, bottom = self.input_size - width - left, self.input_size - height - top
        return functional.pad(self._scaled(x, [height, width]), [left, top, right, bottom])

    def _scaled(self, x: torch.Tensor, sides: list[int]) -> torch.Tensor:
        return functional.resize(x, sides, InterpolationMode(self.interpolation), antialias=self.antialias)

    def moments(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation on a device, ``(3, 1, 1)`` each: ``(x - mean) / std`` normalises."""
        mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (self.mean, self.std))
        return mean, std

    def record(self) -> dict[str, Any]:
        """Everything that affects the result, as plain JSON values."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
