import copy

import pytest
import torch
from torchvision import models
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from cellfeat.backbones.rewrites.convnext import rewrite_convnext
from cellfeat.backbones.torchvision import cut
from cellfeat.backbones.weights import state_digest
from cellfeat.errors import BackboneError


def small_convnext(widths=(8, 12, 20, 24), depths=(2, 1, 3, 1)) -> ConvNeXt:
    """A ConvNeXt of torchvision in small; its widths are no powers of two, so that no axis can be mistaken."""
    following = [*widths[1:], None]
    return ConvNeXt([CNBlockConfig(*stage) for stage in zip(widths, following, depths, strict=True)])


BUILDERS = {
    "small": small_convnext,
    "one_stage": lambda: small_convnext((16,), (2,)),
    # The depths of the four sizes that torchvision has, at a fraction of their widths.
    "tiny_depths": lambda: small_convnext((12, 24, 48, 96), (3, 3, 9, 3)),
    "small_base_large_depths": lambda: small_convnext((16, 32, 64, 128), (3, 3, 27, 3)),
    "convnext_tiny": models.convnext_tiny,
}
WHOLE_SIZES = {
    "convnext_small": models.convnext_small,
    "convnext_base": models.convnext_base,
    "convnext_large": models.convnext_large,
}


def relative_difference(network: ConvNeXt, n: int = 2, side: int = 64) -> float:
    x = torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, got = network(x), rewrite_convnext(network)(x)
    assert expected.std() > 1e-3, "the embeddings say something"
    return float((expected - got).abs().max() / expected.abs().max())


@pytest.mark.parametrize("pool", ["norm", "raw"])
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_rewrite_computes_the_same(build, pool, randomised):
    network = randomised(build())
    cut(network, pool=pool)
    assert relative_difference(network) <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("build", WHOLE_SIZES.values(), ids=WHOLE_SIZES)
def test_rewrite_of_large_networks_computes_the_same(build, randomised):
    assert relative_difference(randomised(build())) <= 1e-5


@pytest.mark.parametrize("part", ["layer_scale", "block.2.weight", "block.2.bias", "block.3.bias", "block.5.bias"])
def test_every_parameter_of_a_block_affects_the_result(part, randomised):
    network = randomised(small_convnext())
    rewritten = rewrite_convnext(network)
    network.features[1][0].get_parameter(part).mul_(1.1)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected, got = network(x), rewritten(x)
    assert (expected - got).abs().max() / expected.abs().max() > 1e-5


def test_rewrite_does_not_change_the_network(randomised):
    network = randomised(small_convnext())
    before, modules = state_digest(network), copy.copy(dict(network.named_modules()))
    rewrite_convnext(network)
    assert state_digest(network) == before
    assert dict(network.named_modules()) == modules


def test_rewrite_shares_no_memory_with_the_network(randomised):
    network = randomised(small_convnext())
    rewritten = rewrite_convnext(network)
    digest = state_digest(rewritten)
    for parameter in network.parameters():
        parameter.zero_()
    assert state_digest(rewritten) == digest


def test_rewrite_in_bfloat16_stays_close_to_float32(randomised):
    network = randomised(small_convnext((16, 32, 64, 128), (3, 3, 9, 3)))
    cut(network)
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = network(x)
    rewritten = rewrite_convnext(network)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        autocast = rewritten(x).float()
    cast = rewritten.to(torch.bfloat16)(x.bfloat16()).float()
    for got in (autocast, cast):
        assert torch.nn.functional.cosine_similarity(expected, got).min() > 0.999


def test_rewrite_is_frozen_and_in_eval_mode(randomised):
    rewritten = rewrite_convnext(randomised(small_convnext()).train())
    assert not rewritten.training
    assert not any(parameter.requires_grad for parameter in rewritten.parameters())


def test_other_network_is_refused():
    with pytest.raises(BackboneError, match="ConvNeXt of torchvision to rewrite, got ResNet"):
        rewrite_convnext(models.resnet18())
