"""Batch norms folded into the convolutions before them, which saves a pass over memory for each norm.

One forward pass shows which convolution feeds which norm, so this works for any network of torchvision or timm.
"""

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cellfeat.errors import BackboneError


def fold_batch_norms(module: nn.Module, images: torch.Tensor) -> nn.Module:
    """Make a module that computes the same as `module` with fewer layers.

    Parameters
    ----------
    module
        A network in eval mode; it is not changed.
    images
        A batch for the forward pass, ``(N, 3, H, W)``.

    Returns
    -------
    module
        In eval mode, frozen. Its results differ from those of `module` by rounding only, for any input of that shape.

    Raises
    ------
    BackboneError
        If no convolution feeds a batch norm, or the result differs by more than rounding.
    """
    folded = copy.deepcopy(module).eval()
    pairs = _pairs(folded, images) if any(isinstance(part, nn.BatchNorm2d) for part in folded.modules()) else []
    if not pairs:
        raise BackboneError(f"{type(module).__name__}: no convolution feeds a batch norm that could be folded into it")
    for convolution, norm in pairs:
        _fold(convolution, norm)
    _replace(folded, {norm: _without_affine(norm) for _, norm in pairs})
    # A convolution's output may have other uses besides the norm, and then folding is wrong: only the result shows it.
    if not _equal(module, folded, images):
        raise BackboneError(f"{type(module).__name__}: gives other results with its batch norms folded")
    return folded.requires_grad_(False)


def _replace(network: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if child in replacements:
                setattr(parent, name, replacements[child])


def _pairs(network: nn.Module, images: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions whose output is the input of a batch norm, each used once in a forward pass."""
    made: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def note_output(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        # The tensor is kept alive, because another tensor could otherwise get the same id.
        if isinstance(layer, nn.Conv2d):
            made[id(output)] = layer, output

    def note_input(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and inputs and id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], layer))

    hooks = [layer.register_forward_hook(note_output) for layer in network.modules()]
    hooks += [layer.register_forward_pre_hook(note_input) for layer in network.modules()]
    try:
        with torch.inference_mode():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    layers = [layer for pair in pairs for layer in pair]
    return [pair for pair in pairs if all(layers.count(layer) == 1 for layer in pair)]


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None, "a norm in eval mode has statistics"
    assert norm.running_var is not None, "a norm in eval mode has statistics"
    statistics = (norm.running_mean, norm.running_var, norm.eps)
    folded = fuse_conv_bn_weights(convolution.weight, convolution.bias, *statistics, norm.weight, norm.bias)
    convolution.weight, convolution.bias = folded


def _without_affine(norm: nn.BatchNorm2d) -> nn.Module:
    """What remains of a folded norm: the identity, or the activation that timm's norms include."""
    kept = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
    return nn.Sequential(*kept).eval() if kept else nn.Identity()


@torch.inference_mode()
def _equal(module: nn.Module, folded: nn.Module, images: torch.Tensor) -> bool:
    try:
        expected, got = module(images), folded(images)
    except (AttributeError, TypeError):  # the network's code accesses an attribute of the removed norm
        return False
    return bool((expected - got).abs().max() <= 1e-4 * expected.abs().max())
