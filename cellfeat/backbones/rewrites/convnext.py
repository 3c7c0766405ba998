"""A faster form of torchvision's ConvNeXt that computes the same embeddings.

torchvision computes the two linear layers of a block as matrix products over a permuted view, gives the LayerNorm an
affine, and scales the result in another pass over memory. Here both linear layers are 1x1 convolutions in channels-last
layout, and all factors and offsets per channel are folded into them.
"""

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from cellfeat.errors import BackboneError

# Functions that compare types import torchvision themselves: it loads PyTorch's compiler, which takes seconds.
if TYPE_CHECKING:
    from torchvision.models.convnext import CNBlock, LayerNorm2d


class _Standardised(nn.Module):
    """LayerNorm over the channels of ``(N, C, H, W)`` without the affine, which is part of the next convolution."""

    def __init__(self, n_channels: int, eps: float) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # In channels-last layout both permutes are views.
        x = nn.functional.layer_norm(x.permute(0, 2, 3, 1), (self.n_channels,), eps=self.eps)
        return x.permute(0, 3, 1, 2)


class Block(nn.Module):
    """A ConvNeXt block, with the LayerNorm's affine and the layer scale folded into the convolutions.

    Attributes
    ----------
    depthwise, standardised, expand, project
        Its layers, in the order of the forward pass, with a GELU between the last two. The input is added at the end.
    """

    def __init__(self, block: "CNBlock") -> None:
        super().__init__()
        depthwise, _, norm, expand, _, project, _ = block.block
        self.depthwise = depthwise
        self.standardised = _Standardised(norm.normalized_shape[0], norm.eps)
        self.expand = _convolution(*_after_affine(*_numbers(expand), norm), like=expand.weight)
        self.project = _convolution(*_times(*_numbers(project), block.layer_scale), like=project.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C, H, W)`` in channels-last layout to the same shape."""
        y = self.expand(self.standardised(self.depthwise(x)))
        # In place: another tensor of four times the block's width takes about a seventh of the forward pass on a CPU.
        y = torch.ops.aten.gelu_(y)
        return x + self.project(y)


def rewrite_convnext(module: nn.Module) -> nn.Module:
    """Make a faster module that computes the same as a ConvNeXt of torchvision.

    Parameters
    ----------
    module
        A ConvNeXt, whole or cut; it is not changed.

    Returns
    -------
    module
        In eval mode, frozen, in channels-last layout. Its results differ from those of `module` by rounding only.

    Raises
    ------
    BackboneError
        If `module` is not a ConvNeXt of torchvision.
    """
    from torchvision.models.convnext import ConvNeXt

    if not isinstance(module, ConvNeXt):
        raise BackboneError(f"expected a ConvNeXt of torchvision to rewrite, got {type(module).__name__}")
    rewritten = copy.deepcopy(module)
    rewritten.features = nn.Sequential(*map(_rewritten_stage, rewritten.features))
    rewritten.to(memory_format=torch.channels_last)
    return rewritten.eval().requires_grad_(False)


def _rewritten_stage(stage: nn.Sequential) -> nn.Module:
    from torchvision.models.convnext import CNBlock, LayerNorm2d

    if isinstance(stage[0], CNBlock):
        return nn.Sequential(*map(Block, stage))
    if isinstance(stage[0], LayerNorm2d):
        return _rewritten_downsampling(*stage)
    return stage  # the stem: its LayerNorm feeds the residual sum, so its affine cannot be folded into a convolution


def _rewritten_downsampling(norm: "LayerNorm2d", convolution: nn.Conv2d) -> nn.Module:
    numbers = _after_affine(*_numbers(convolution), norm)
    folded = _convolution(*numbers, like=convolution.weight, stride=convolution.stride[0])
    return nn.Sequential(_Standardised(norm.normalized_shape[0], norm.eps), folded)


def _numbers(layer: nn.Linear | nn.Conv2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight ``(out, in, h, w)`` and bias ``(out,)`` of a layer in float64, so that folding rounds once."""
    assert layer.bias is not None, "every layer of a ConvNeXt has a bias"
    weight = layer.weight if isinstance(layer, nn.Conv2d) else layer.weight[:, :, None, None]
    return weight.detach().double(), layer.bias.detach().double()


def _after_affine(weight: torch.Tensor, bias: torch.Tensor, norm: nn.LayerNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold the affine of a LayerNorm into the convolution after it, which must have no padding."""
    scale, shift = norm.weight.detach().double()[:, None, None], norm.bias.detach().double()[:, None, None]
    return weight * scale, bias + (weight * shift).sum(dim=(1, 2, 3))


def _times(weight: torch.Tensor, bias: torch.Tensor, layer_scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold a factor per channel, ``(C, 1, 1)``, into the convolution before it."""
    factor = layer_scale.detach().double()
    return weight * factor[..., None], bias * factor.flatten()


def _convolution(weight: torch.Tensor, bias: torch.Tensor, *, like: torch.Tensor, stride: int = 1) -> nn.Conv2d:
    """Make a convolution from its weight and bias, with the device and type of `like`."""
    n_out, n_in, height, width = weight.shape
    # On the meta device, so that no memory is taken for numbers that are replaced at once.
    convolution = nn.Conv2d(n_in, n_out, (height, width), stride=stride, device="meta")
    convolution.weight = nn.Parameter(weight.to(like), requires_grad=False)
    convolution.bias = nn.Parameter(bias.to(like), requires_grad=False)
    return convolution
