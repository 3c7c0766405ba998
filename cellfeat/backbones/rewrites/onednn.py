"""ConvNeXt on the fused kernels of oneDNN that PyTorch ships for its CPU compiler; nothing has to be compiled.

A block is four calls: the depthwise convolution, the LayerNorm, a product fused with the GELU, and a product fused with
the residual sum. The GELU and the sum need no extra pass over memory, and weights are packed for the kernels.
`quantised_convnext` also computes the products of wide blocks in 8-bit integers.

The operators belong to PyTorch but not to its public interface. If one is missing, or the processor does not support
the type, a `BackboneError` is raised and extraction uses another implementation.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from cellfeat.backbones.rewrites.convnext import Block, rewrite_convnext
from cellfeat.errors import BackboneError
from cellfeat.text import first_line

if TYPE_CHECKING:
    from torchvision.models.convnext import ConvNeXt

QUANTISED_WIDTH = 512
"""Smallest width of a quantised block: in narrower blocks the conversion to integers costs more than it saves."""
N_STEPS = 254
"""Steps over the input's range, one fewer than 8 bits allow: rounding zero to a code shifts it by half a step."""
_UNAVAILABLE = (RuntimeError, NotImplementedError, AttributeError)
"""Errors of a missing operator, or of a processor that does not support the type."""


class _Depthwise(nn.Module):
    """The depthwise convolution and the LayerNorm behind it: ``(N, C, H, W)`` to ``(N, H, W, C)``."""

    def __init__(self, block: Block, shape: torch.Size) -> None:
        super().__init__()
        layer = block.depthwise
        self.padding, self.groups = list(layer.padding), layer.groups
        # The two [1, 1] are stride and dilation.
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
    """A block with two products packed for the rows of one batch, fused with the GELU and the residual sum."""

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
    """A product in 8 bits, with one scale per output for the weights and one scale per image for the input.

    The range of the input is that of the image itself, so the other images of the batch do not matter.
    """

    def __init__(self, layer: nn.Conv2d, n_rows: int, *, activation: str) -> None:
        super().__init__()
        weight = layer.weight.flatten(1).float()
        self.scales = weight.abs().amax(dim=1) / 127
        # int8 holds -128 to 127; the scale maps the largest magnitude of each output to 127.
        codes = torch.round(weight / self.scales[:, None]).to(torch.int8)
        self.codes = torch.ops.onednn.qlinear_prepack(codes, [n_rows, weight.shape[1]])
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)
        assert layer.bias is not None, "every layer of a ConvNeXt has a bias"
        self.bias = layer.bias.float()
        self.activation = activation

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Multiply the float32 rows of one image, ``(n_rows, n_inputs)``."""
        low, high = _range(rows)
        # Integers have no NaN. It is passed on, so that the embedding is refused.
        if not math.isfinite(high - low):
            return rows.new_full((len(rows), len(self.scales)), math.nan)
        codes, scale, zero = _quantised(rows, low, high)
        # 1.0 and 0 are the scale and zero of the output, unused because it is float32.
        return torch.ops.onednn.qlinear_pointwise(
            codes, scale, zero, self.codes, self.scales, self.zeros, self.bias, 1.0, 0, torch.float32,
            self.activation, [], "none",
        )  # fmt: skip


class _QuantisedBlock(nn.Module):
    """A block whose two products are computed in 8 bits, image by image; the sum keeps the precision of the input."""

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
        A ConvNeXt, whole or cut; it is not changed.
    dtype
        Type to compute in, float32 or bfloat16.
    images
        Shape ``(N, 3, H, W)`` of the input batches. The weights are packed for it; other shapes work more slowly.

    Returns
    -------
    module
        On the CPU, in eval mode, frozen. It takes and returns tensors of `dtype`.

    Raises
    ------
    BackboneError
        If `module` is not a ConvNeXt of torchvision, or this build of PyTorch or this processor lacks the kernels.
    """
    return _rebuilt(module, dtype, images, lambda block, shape: _FusedBlock(block, shape))


def quantised_convnext(module: nn.Module, *, images: torch.Size) -> nn.Module:
    """Make a ConvNeXt whose wide blocks multiply in 8-bit integers; everything else is in bfloat16.

    Weights are rounded to 127 steps on each side of zero, with one scale per output. Inputs are rounded to 254 steps
    over the range of the image at that layer.

    Parameters
    ----------
    module, images
        As for `fused_convnext`.

    Raises
    ------
    BackboneError
        As for `fused_convnext`.
    """

    def rebuild(block: Block, shape: torch.Size) -> nn.Module:
        return _QuantisedBlock(block, shape) if shape[1] >= QUANTISED_WIDTH else _FusedBlock(block, shape)

    return _rebuilt(module, torch.bfloat16, images, rebuild)


def _rebuilt(
    module: nn.Module, dtype: torch.dtype, images: torch.Size, rebuild: Callable[[Block, torch.Size], nn.Module]
) -> nn.Module:
    from torchvision.models.convnext import ConvNeXt

    rebuilt = rewrite_convnext(module).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert isinstance(rebuilt, ConvNeXt), "the rewrite of a ConvNeXt is a ConvNeXt"
    try:
        stages = [_rebuilt_stage(stage, shape, rebuild) for stage, shape in _stage_shapes(rebuilt, images)]
        rebuilt.features = nn.Sequential(*stages)
        is_equal = _computes_the_same(module, rebuilt, dtype, images)
    except _UNAVAILABLE as error:
        raise BackboneError(f"oneDNN's kernels for {dtype} are unavailable here: {first_line(error)}") from error
    if not is_equal:
        raise BackboneError(f"oneDNN's kernels for {dtype} give other results on this processor")
    return rebuilt


@torch.inference_mode()
def _computes_the_same(module: nn.Module, rebuilt: nn.Module, dtype: torch.dtype, images: torch.Size) -> bool:
    """Run an image of noise; in float32, the reference of all other precisions, compare it with the original."""
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


def _stage_shapes(network: "ConvNeXt", images: torch.Size) -> Iterator[tuple[nn.Sequential, torch.Size]]:
    """Each stage, and the shape of its output."""
    n_images, _, height, width = images
    n_channels = 0
    for stage in network.features:
        for layer in stage:
            if isinstance(layer, nn.Conv2d):
                height, width = height // layer.stride[0], width // layer.stride[1]
                n_channels = layer.out_channels
        yield stage, torch.Size((n_images, n_channels, height, width))


def _packed(layer: nn.Conv2d, n_rows: int) -> torch.Tensor:
    """The weight of a 1x1 convolution, packed for the kernel for `n_rows` rows."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.flatten(1).contiguous(), n_rows)
    return packed


def _range(rows: torch.Tensor) -> tuple[float, float]:
    """The smallest and largest value, extended to include zero; NaN if there is one."""
    least, greatest = (float(value) for value in torch.aminmax(rows))
    # The comparison with 0 comes second: min(nan, 0) is NaN, and min(0, nan) is not.
    return min(least, 0.0), max(greatest, 0.0)


def _quantised(rows: torch.Tensor, low: float, high: float) -> tuple[torch.Tensor, float, int]:
    """Codes 0 to 255 of float32 rows between `low` and `high`, the step between two codes, and the code of zero."""
    scale = max((high - low) / N_STEPS, torch.finfo(torch.float32).tiny)
    zero = round(-low / scale)
    # Adding a half turns the truncating conversion into rounding. Scaling and shifting take one pass together.
    codes = torch.add(torch.tensor(zero + 0.5), rows, alpha=1 / scale).to(torch.uint8)
    return codes, scale, zero
