"""Resize, crop and normalise as the weights' own record says.

The steps are torchvision's own, on float tensors, so that what comes out equals the preset of the weights.
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
    """From images of any shape to the normalised squares that a backbone was trained on.

    Attributes
    ----------
    resize
        Length in pixels that the shorter side of an image is scaled to before the crop.
    crop
        Side in pixels of the central crop. ``None``, together with `resize`: the whole image is kept, scaled so that
        its longer side is `input_size`, and padded with zeros (black) to a square.
    input_size
        Side in pixels of the square that comes out.
    interpolation
        ``nearest``, ``bilinear`` or ``bicubic``. As in the preset, ``bicubic`` can overshoot the range of its input.
    mean, std
        Of the three channels, for values 0 to 1.
    antialias
        Whether an image is low-passed before it shrinks.
    squash
        Whether both sides are scaled to `resize`, whatever the image's aspect.
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
        """Change what the settings name; all else stays as the record says.

        An `input_size` keeps the record's ratio of resize to crop.
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
        """Make images ``(N, C, H, W)``, float of 0 to 1, square: ``(N, C, input_size, input_size)``."""
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

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """Subtract the mean and divide by the standard deviation: ``(N, 3, S, S)`` to the same."""
        mean, std = self.moments(x.device)
        return (x - mean) / std

    def record(self) -> dict[str, Any]:
        """Everything that decides the numbers, as plain JSON values."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
