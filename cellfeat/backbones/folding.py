"""Batch norms folded into the convolutions before them: an equal network with a pass over memory less for each.

Which convolution feeds which norm is seen in one forward, not read from the code: it holds for any network of
torchvision or timm.
"""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cellfeat.errors import BackboneError


def fold_batch_norms(module: nn.Module, images: torch.Tensor) -> nn.Module:
    """Make a module that computes the same as `module`, which is left as it is, with fewer layers.

    Parameters
    ----------
    module
        A network in eval mode.
    images
        ``(N, 3, H, W)``: a batch to see the layers at work on.

    Returns
    -------
    module
        In eval mode, frozen. Its results differ from those of `module` by rounding alone, for any input of that shape.

    Raises
    ------
    BackboneError
        If no convolution feeds a batch norm, or what came out differs by more than rounding.
    """
    folded = copy.deepcopy(module).eval()
    pairs = _pairs(folded, images) if any(isinstance(part, nn.BatchNorm2d) for part in folded.modules()) else []
    if not pairs:
        raise BackboneError(f"{type(module).__name__}: no convolution feeds a batch norm that could be folded into it")
    for convolution, norm in pairs:
        _fold(convolution, norm)
    replacements = {norm: _behind(norm) for _, norm in pairs}
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if child in replacements:
                setattr(parent, name, replacements[child])
    if not _equal(module, folded, images):
        raise BackboneError(f"{type(module).__name__}: computes something else with its batch norms folded")
    return folded.requires_grad_(False)


def _pairs(network: nn.Module, images: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions whose output is the input of a batch norm, each used once in a forward."""
    made: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def note_output(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        # The tensor is kept with its layer, or its id could be given to another one.
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


def _behind(norm: nn.BatchNorm2d) -> nn.Module:
    """What is left of a folded norm: nothing, or the activation that timm's norms bear within them."""
    kept = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
    return nn.Sequential(*kept).eval() if kept else nn.Identity()


@torch.inference_mode()
def _equal(module: nn.Module, folded: nn.Module, images: torch.Tensor) -> bool:
    try:
        expected, got = module(images), folded(images)
    except (AttributeError, TypeError):  # the network's code looks into the norm that is gone
        return False
    return bool((expected - got).abs().max() <= 1e-4 * expected.abs().max())
