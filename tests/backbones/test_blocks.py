"""Embeddings from the middle of a vision transformer, beside its blocks' own outputs."""

from contextlib import ExitStack

import pytest
import torch
from torch import nn
from torchvision import models

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.blocks import pooled_by_block, pooled_tokens
from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.registry import find_backbone
from cellfeat.errors import BackboneError

# Class token; averaged patches with a register; class token, registers and rotary positions.
OF_TIMM = {"test_vit": 64, "test_vit2": 64, "vit_small_patch16_dinov3.lvd1689m": 32}


def images(side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def reference(tokens: torch.Tensor, n_others: int, has_class: bool) -> torch.Tensor:
    """Pool the normed tokens of a block, (N, n_tokens, D), of which the first `n_others` have no place in the image."""
    patches = tokens[:, n_others:]
    parts = [patches.mean(1), patches.std(1, correction=0)]
    return torch.cat([tokens[:, 0], *parts] if has_class else parts, dim=1)


@torch.inference_mode()
def outputs_of(network: nn.Module, blocks: list[nn.Module], x: torch.Tensor) -> list[torch.Tensor]:
    outputs: list[torch.Tensor] = []
    with ExitStack() as hooks:
        for block in blocks:
            hook = block.register_forward_hook(lambda _block, _inputs, output: outputs.append(output.clone()))
            hooks.callback(hook.remove)
        network(x)
    return outputs


@pytest.mark.parametrize(("name", "side"), OF_TIMM.items())
def test_embedding_of_timm_is_made_of_its_intermediates(name, side, randomised):
    loaded = build_untrained(f"timm:{name}", pool="blocks", input_size=side)
    network = randomised(loaded.module.network)
    x = images(side)
    has_class = network.cls_token is not None
    with torch.inference_mode():
        got = loaded.module(x)
        found = network.forward_intermediates(
            x,
            indices=list(loaded.module.blocks),
            norm=True,
            return_prefix_tokens=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        by_blocks = [network.norm(output) for output in outputs_of(network, list(network.blocks), x)]
    expected = [reference(torch.cat([others, patches], 1), others.shape[1], has_class) for patches, others in found]
    torch.testing.assert_close(got, torch.cat(expected, 1), rtol=1e-4, atol=1e-4)
    n_others = network.num_prefix_tokens
    chosen = [reference(by_blocks[number], n_others, has_class) for number in loaded.module.blocks]
    torch.testing.assert_close(got, torch.cat(chosen, 1), rtol=1e-4, atol=1e-4)
    assert got.shape == (2, loaded.embedding_dim)
    assert (got[0] - got[1]).abs().max() > 1e-3 * got.abs().max(), "images differ, and it shows"


def test_embedding_of_torchvision_is_made_of_its_blocks(randomised):
    network = randomised(models.VisionTransformer(64, 32, num_layers=12, num_heads=2, hidden_dim=24, mlp_dim=48))
    network.encoder.pos_embedding.data.normal_(0, 0.2)
    transform = build_untrained("timm:test_vit", input_size=64).transform
    whole = LoadedBackbone("vit_b_32", "vit", network, transform, 24, "random", "sha256:")
    loaded = pooled_by_block(find_backbone("vit_b_32"), whole)
    x = images(64)
    with torch.inference_mode():
        got = loaded.module(x)
        normed = [network.encoder.ln(output) for output in outputs_of(network, list(network.encoder.layers), x)]
    expected = torch.cat([reference(normed[number], 1, True) for number in (2, 5, 8, 11)], dim=1)
    assert loaded.module.blocks == (2, 5, 8, 11)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_blocks_are_spread_evenly_up_to_the_last():
    six = build_untrained("timm:test_vit", pool="blocks")
    assert six.module.blocks == (1, 2, 4, 5)
    assert six.embedding_dim == 4 * 3 * 64


def test_the_network_and_its_digest_stay():
    whole = build_untrained("timm:test_vit")
    x = images(whole.transform.input_size)
    before = whole.module(x)
    pooled = pooled_by_block(find_backbone("timm:test_vit"), whole)
    assert pooled.weights_digest == whole.weights_digest
    assert torch.equal(whole.module(x), before)


@pytest.mark.parametrize("name", ["resnet18", "swin_t", "timm:test_convnext", "timm:cait_xxs24_224"])
def test_network_without_tokens_is_refused(name):
    with pytest.raises(BackboneError, match=r"pool blocks needs the tokens.*use pool norm"):
        build_untrained(name, pool="blocks")


def test_pooling_is_in_float32_and_equal_patches_have_no_deviation():
    patches = torch.full((2, 4, 3), 7.0, dtype=torch.bfloat16)
    pooled = pooled_tokens(patches[:, 0], patches)
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[7.0] * 6 + [0.0] * 3] * 2
    assert pooled_tokens(None, patches).shape == (2, 6)


@pytest.mark.slow
def test_dinov2_takes_small_images():
    loaded = build_untrained("timm:vit_small_patch14_dinov2.lvd142m", pool="blocks", input_size=56)
    with torch.inference_mode():
        assert loaded.module(images(56)).shape == (2, loaded.embedding_dim) == (2, 4 * 3 * 384)


@pytest.mark.slow
def test_stages_of_a_convnext_of_dinov3_can_be_pooled():
    loaded = build_untrained("timm:convnext_tiny.dinov3_lvd1689m", pool="stages", input_size=64)
    assert loaded.embedding_dim == 2 * (96 + 192 + 384)
