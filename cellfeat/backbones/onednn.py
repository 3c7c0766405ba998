"""ConvNeXt on oneDNN's fused kernels, which PyTorch brings for its CPU compiler: no compiler, and no wait for one.

A block is four calls: the depthwise convolution, the LayerNorm, a product with the GELU behind it, and a product with
the residual behind it. Neither the GELU nor the sum costs a pass over memory of its own, and weights lie packed as the
kernels want them. `quantised_convnext` computes the wide blocks' products in 8-bit integers.

The operators are PyTorch's own but not part of its public interface: where one is missing, or the processor does not
compute in the type, `BackboneError` says so, and extraction takes another implementation.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torchvision.models.convnext import ConvNeXt

from cellfeat.backbones.convnext import Block, rewrite_convnext
from cellfeat.errors import BackboneError
from cellfeat.text import first_line

QUANTISED_WIDTH = 512
"""Blocks from this width on are quantised: below, making the integers costs more than it saves."""
N_STEPS = 254
"""From the least code to the greatest of 255, where zero needs a code of its own between two steps."""
_UNAVAILABLE = (RuntimeError, NotImplementedError, AttributeError)
"""What a missing operator, or a processor without the type, raises."""


class _Depthwise(nn.Module):
    """The depthwise convolution and the LayerNorm behind it: ``(N, C, H, W)`` to ``(N, H, W, C)``."""

    def __init__(self, block: Block, shape: torch.Size) -> None:
        super().__init__()
        layer = block.depthwise
        self.padding, self.groups = list(layer.padding), layer.groups
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            layer.weight, self.padding, [1, 1], [1, 1], self.groups, list(shape)
        )
        self.bias = layer.bias
        self.standardised = block.standardised

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, [1, 1], [1, 1], self.groups, "none", [], ""
        )
        return self.standardised(y).permute(0, 2, 3, 1)


class _FusedBlock(nn.Module):
    """A block whose two products are packed for the rows of one batch, with GELU and residual fused behind them."""

    def __init__(self, block: Block, shape: torch.Size) -> None:
        super().__init__()
        n_rows = shape[0] * shape[2] * shape[3]
        self.depthwise = _Depthwise(block, shape)
        self.expand, self.expand_bias = _packed(block.expand, n_rows), block.expand.bias
        self.project, self.project_bias = _packed(block.project, n_rows), block.project.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = torch.ops.mkldnn._linear_pointwise
        y = product(self.depthwise(x), self.expand, self.expand_bias, "gelu", [], "none")
        y = product.binary(y, x.permute(0, 2, 3, 1), self.project, self.project_bias, "add")
        return y.permute(0, 3, 1, 2)


class _QuantisedLinear(nn.Module):
    """A product in 8 bits: the weights have one scale an output, the input one scale an image.

    The input's range is taken from the image itself as it comes, so what else is in its batch changes nothing.
    """

    def __init__(self, layer: nn.Conv2d, n_rows: int, *, activation: str) -> None:
        super().__init__()
        weight = layer.weight.flatten(1).float()
        self.scales = weight.abs().amax(dim=1) / 127
        codes = torch.round(weight / self.scales[:, None]).to(torch.int8)
        self.codes = torch.ops.onednn.qlinear_prepack(codes, [n_rows, weight.shape[1]])
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)
        assert layer.bias is not None, "every layer of a ConvNeXt has a bias"
        self.bias = layer.bias.float()
        self.activation = activation

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Multiply the float32 rows of one image, ``(n_rows, n_inputs)``."""
        low, high = _range(rows)
        if not math.isfinite(high - low):
            return rows.new_full((len(rows), len(self.scales)), math.nan)
        codes, scale, zero = _quantised(rows, low, high)
        return torch.ops.onednn.qlinear_pointwise(
            codes, scale, zero, self.codes, self.scales, self.zeros, self.bias, 1.0, 0, torch.float32,
            self.activation, [], "none",
        )  # fmt: skip


class _QuantisedBlock(nn.Module):
    """A block whose two products are computed in 8 bits, image by image; the sum stays in the plan's precision."""

    def __init__(self, block: Block, shape: torch.Size) -> None:
        super().__init__()
        n_rows = shape[2] * shape[3]
        self.depthwise = _Depthwise(block, shape)
        self.expand = _QuantisedLinear(block.expand, n_rows, activation="gelu")
        self.project = _QuantisedLinear(block.project, n_rows, activation="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = x.permute(0, 2, 3, 1)
        images = self.depthwise(x).flatten(1, 2)
        y = torch.stack([self.project(self.expand(image.float())) for image in images])
        return (y.to(x.dtype).view(residual.shape) + residual).permute(0, 3, 1, 2)


def fused_convnext(module: nn.Module, *, dtype: torch.dtype, images: torch.Size) -> nn.Module:
    """Make a module that computes the same as a ConvNeXt of torchvision, on oneDNN's fused kernels.

    Parameters
    ----------
    module
        A ConvNeXt, whole or cut; it is left as it is.
    dtype
        Type to compute in, float32 or bfloat16.
    images
        Shape ``(N, 3, H, W)`` of the batches to come: the weights are packed for it. Others work, more slowly.

    Returns
    -------
    module
        On the CPU, in eval mode, frozen. It takes and gives tensors of `dtype`.

    Raises
    ------
    BackboneError
        If `module` is no ConvNeXt of torchvision, or this build of PyTorch or this processor lacks the kernels.
    """
    return _rebuilt(module, dtype, images, lambda block, shape: _FusedBlock(block, shape))


def quantised_convnext(module: nn.Module, *, images: torch.Size) -> nn.Module:
    """Make a ConvNeXt whose wide blocks multiply in 8-bit integers; all else is in bfloat16.

    Weights are rounded to 127 steps a side, one scale an output; inputs to 254 steps over the range that each image has
    at that place. Parameters and errors are those of `fused_convnext`.
    """

    def rebuild(block: Block, shape: torch.Size) -> nn.Module:
        return _QuantisedBlock(block, shape) if shape[1] >= QUANTISED_WIDTH else _FusedBlock(block, shape)

    return _rebuilt(module, torch.bfloat16, images, rebuild)


def _rebuilt(
    module: nn.Module, dtype: torch.dtype, images: torch.Size, rebuild: Callable[[Block, torch.Size], nn.Module]
) -> nn.Module:
    rebuilt = rewrite_convnext(module).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert isinstance(rebuilt, ConvNeXt), "the rewrite of a ConvNeXt is one"
    try:
        stages = [_rebuilt_stage(stage, shape, rebuild) for stage, shape in _stage_shapes(rebuilt, images)]
        rebuilt.features = nn.Sequential(*stages)
        is_equal = _computes_the_same(module, rebuilt, dtype, images)
    except _UNAVAILABLE as error:
        raise BackboneError(f"oneDNN's kernels for {dtype} are not to be had here: {first_line(error)}") from error
    if not is_equal:
        raise BackboneError(f"oneDNN's kernels for {dtype} compute something else on this processor")
    return rebuilt


@torch.inference_mode()
def _computes_the_same(module: nn.Module, rebuilt: nn.Module, dtype: torch.dtype, images: torch.Size) -> bool:
    """Run a picture of noise, and in float32 hold it against the network: it is what all others are held against."""
    one = torch.rand((1, *images[1:]), generator=torch.Generator().manual_seed(0))
    got = rebuilt(one.to(dtype).contiguous(memory_format=torch.channels_last))
    if dtype != torch.float32:
        return True
    expected = module(one)
    return bool((expected - got).abs().max() <= 1e-4 * expected.abs().max())


def _rebuilt_stage(
    stage: nn.Sequential, shape: torch.Size, rebuild: Callable[[Block, torch.Size], nn.Module]
) -> nn.Module:
    return nn.Sequential(*(rebuild(part, shape) if isinstance(part, Block) else part for part in stage))


def _stage_shapes(network: ConvNeXt, images: torch.Size) -> Iterator[tuple[nn.Sequential, torch.Size]]:
    """Each stage, and the shape of what comes out of it."""
    n_images, _, height, width = images
    n_channels = 0
    for stage in network.features:
        for layer in stage:
            if isinstance(layer, nn.Conv2d):
                height, width = height // layer.stride[0], width // layer.stride[1]
                n_channels = layer.out_channels
        yield stage, torch.Size((n_images, n_channels, height, width))


def _packed(layer: nn.Conv2d, n_rows: int) -> torch.Tensor:
    """The weight of a 1x1 convolution as the kernel for `n_rows` rows wants it."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.flatten(1).contiguous(), n_rows)
    return packed


def _range(rows: torch.Tensor) -> tuple[float, float]:
    """The least and the greatest value, with zero between them; NaN where there is one."""
    least, greatest = (float(value) for value in torch.aminmax(rows))
    # The comparison with 0 comes second: min(nan, 0) is NaN, and min(0, nan) is not.
    return min(least, 0.0), max(greatest, 0.0)


def _quantised(rows: torch.Tensor, low: float, high: float) -> tuple[torch.Tensor, float, int]:
    """Codes 0 to 255 of float32 rows between `low` and `high`; the step between two codes, and the code of 0."""
    scale = max((high - low) / N_STEPS, torch.finfo(torch.float32).tiny)
    zero = round(-low / scale)
    # The half makes a rounding of what the conversion cuts off. One pass, not two, scales and shifts.
    codes = torch.add(torch.tensor(zero + 0.5), rows, alpha=1 / scale).to(torch.uint8)
    return codes, scale, zero
