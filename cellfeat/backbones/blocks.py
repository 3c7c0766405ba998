"""Embeddings from the middle of a vision transformer: its tokens after several blocks.

As for the stages of a convolutional network (`cellfeat.backbones.pooling`), layers before the last one hold what a
classifier of everyday objects discards. After each chosen block the tokens pass the network's last LayerNorm, as in the
linear probes of DINOv2 [1]_; then the class token is kept, and the mean and standard deviation of the patch tokens.
Register tokens and other tokens without a place in the image are left out.

References
----------
.. [1] M. Oquab et al., "DINOv2: learning robust visual features without supervision", TMLR 2024.
"""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import torch
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone
from cellfeat.errors import BackboneError
from cellfeat.text import first_line

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer

N_BLOCKS = 4
"""Blocks that are pooled, at equal distances up to the last one: of 12 the 3rd, 6th, 9th and 12th."""

_OPTIONS = {"return_prefix_tokens": True, "norm": True, "output_fmt": "NLC", "intermediates_only": True}
"""Options of ``forward_intermediates``; only transformers of timm have all of them."""

Tokens = tuple[torch.Tensor | None, torch.Tensor]
"""The class token, ``(N, D)`` or None, and the patch tokens, ``(N, n_patches, D)``."""


class _TokensOf(Protocol):
    def __call__(self, network: Any, images: torch.Tensor, blocks: Sequence[int]) -> list[Tokens]: ...


class BlockPooled(nn.Module):
    """A vision transformer that returns class token, mean and standard deviation of the patch tokens of its blocks.

    Parameters
    ----------
    network
        A vision transformer of torchvision, or one of timm with ``forward_intermediates``; takes ``(N, 3, H, W)``.
    blocks
        Numbers of blocks, counted from 0, ascending.
    """

    def __init__(self, network: nn.Module, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.blocks = blocks

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, embedding_dim)`` float32: block by block; class token, mean, deviation."""
        way = _way_to_tokens(self.network)
        assert way is not None, "pooled_by_block has made sure"
        tokens = way(self.network, images, self.blocks)
        return torch.cat([pooled_tokens(class_token, patches) for class_token, patches in tokens], dim=1)


def pooled_tokens(class_token: torch.Tensor | None, patches: torch.Tensor) -> torch.Tensor:
    """Pool the tokens of one block.

    Parameters
    ----------
    class_token
        Shape ``(N, D)``; None for a network without one.
    patches
        Shape ``(N, n_patches, D)``.

    Returns
    -------
    Tensor of shape (N, 3 * D) or (N, 2 * D)
        float32: class token, mean and standard deviation over the patches.
    """
    values = patches.float()
    mean = values.mean(dim=1, keepdim=True)
    deviation = (values - mean).square_().mean(dim=1).sqrt_()
    parts = [mean.flatten(1), deviation]
    return torch.cat(parts if class_token is None else [class_token.float(), *parts], dim=1)


def pooled_by_block(entry: Backbone, loaded: LoadedBackbone) -> LoadedBackbone:
    """Make a network that embeds by the tokens of `N_BLOCKS` blocks.

    Parameters
    ----------
    entry
        The entry in the table.
    loaded
        The loaded network; it is not changed, and shared with the result.

    Raises
    ------
    BackboneError
        If the network is no vision transformer whose tokens can be had.
    """
    if _way_to_tokens(loaded.module) is None:
        raise BackboneError(
            f"{entry.name}: pool blocks needs the tokens of a vision transformer's blocks, and this network has none; "
            f"use pool norm, or pool stages for a convolutional network"
        )
    module = BlockPooled(loaded.module, _spread(_n_blocks(loaded.module))).eval().requires_grad_(False)
    dim = _embedding_dim(entry.name, module, loaded.transform.input_size)
    return replace(loaded, module=module, embedding_dim=dim, pool="blocks")


def _spread(n_blocks: int) -> tuple[int, ...]:
    """Numbers of `N_BLOCKS` blocks at equal distances, the last one included; of all, where there are fewer."""
    return tuple(sorted({-(-n_blocks * place // N_BLOCKS) - 1 for place in range(1, N_BLOCKS + 1)}))


def _n_blocks(network: Any) -> int:
    return len(network.encoder.layers if _is_of_torchvision(network) else network.blocks)


def _way_to_tokens(network: nn.Module) -> _TokensOf | None:
    """Find how to get at the tokens; None where the network has none."""
    if _is_of_torchvision(network):
        return _tokens_of_torchvision
    of_timm = getattr(network, "forward_intermediates", None)
    if of_timm is not None and _OPTIONS.keys() <= inspect.signature(of_timm).parameters.keys():
        return _tokens_of_timm
    return None


def _tokens_of_torchvision(network: Any, images: torch.Tensor, blocks: Sequence[int]) -> list[Tokens]:
    """Run the blocks one by one, as `torchvision.models.VisionTransformer` does."""
    patches = network._process_input(images)
    encoder = network.encoder
    values = torch.cat([network.class_token.expand(len(images), -1, -1), patches], dim=1)
    values = encoder.dropout(values + encoder.pos_embedding)
    tokens: list[Tokens] = []
    for number, block in enumerate(encoder.layers):
        values = block(values)
        if number in blocks:
            normed = encoder.ln(values)
            tokens.append((normed[:, 0], normed[:, 1:]))
    return tokens


def _tokens_of_timm(network: Any, images: torch.Tensor, blocks: Sequence[int]) -> list[Tokens]:
    has_others = bool(network.num_prefix_tokens)
    found = network.forward_intermediates(
        images, indices=list(blocks), **_OPTIONS | {"return_prefix_tokens": has_others}
    )
    if not has_others:
        return [(None, patches) for patches in found]
    # The class token comes first; networks that average their patches may have registers and no class token.
    has_class = getattr(network, "cls_token", None) is not None
    return [(others[:, 0] if has_class else None, patches) for patches, others in found]


@torch.inference_mode()
def _embedding_dim(name: str, module: BlockPooled, input_size: int) -> int:
    try:
        return module(torch.zeros(1, 3, input_size, input_size)).shape[1]
    except (RuntimeError, IndexError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise BackboneError(f"{name}: its blocks cannot be pooled ({first_line(error)}); use pool norm") from error


def _is_of_torchvision(network: nn.Module) -> "TypeGuard[VisionTransformer]":
    # Imported here, because torchvision loads PyTorch's compiler, which takes seconds, and few networks need it.
    from torchvision.models import VisionTransformer

    return isinstance(network, VisionTransformer)
