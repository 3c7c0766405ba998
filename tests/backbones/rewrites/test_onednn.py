"""The fused and the quantised ConvNeXt: results within rounding, independent of the other images of a batch."""

import pytest
import torch
from torchvision import models
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from cellfeat.backbones.rewrites import onednn
from cellfeat.backbones.rewrites.onednn import fused_convnext, quantised_convnext
from cellfeat.backbones.torchvision import cut
from cellfeat.errors import BackboneError

IMAGES = torch.Size((3, 3, 64, 64))


def small_convnext() -> ConvNeXt:
    """Two stages of it are wide enough to be quantised."""
    widths, depths = (32, 64, 512, 512), (1, 2, 2, 1)
    following = [*widths[1:], None]
    return ConvNeXt([CNBlockConfig(*stage) for stage in zip(widths, following, depths, strict=True)])


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    x = torch.randn(IMAGES, generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def network(randomised) -> torch.nn.Module:
    network = randomised(small_convnext())
    cut(network)
    return network


def least_cosine(expected: torch.Tensor, got: torch.Tensor) -> float:
    return float(torch.cosine_similarity(expected.double(), got.double()).min())


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["norm", "raw"])
def test_fused_in_float32_computes_the_same(pool, randomised, images):
    network = randomised(models.convnext_tiny())
    cut(network, pool=pool)
    fused = fused_convnext(network, dtype=torch.float32, images=IMAGES)
    with torch.inference_mode():
        expected, got = network(images), fused(images)
    assert expected.std() > 1e-3, "the embeddings say something"
    assert (expected - got).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.usefixtures("bf16_kernels")
def test_lower_precisions_stay_within_their_tolerance(network, images):
    with torch.inference_mode():
        expected = network(images)
        bf16 = fused_convnext(network, dtype=torch.bfloat16, images=IMAGES)(images.bfloat16())
        int8 = quantised_convnext(network, images=IMAGES)(images.bfloat16())
    assert 0.9995 <= least_cosine(expected, bf16) < 1 - 1e-9
    assert 0.999 <= least_cosine(expected, int8) < least_cosine(expected, bf16), "the integers are really used"


BUILDERS = {
    "fused": lambda network: fused_convnext(network, dtype=torch.bfloat16, images=IMAGES),
    "quantised": lambda network: quantised_convnext(network, images=IMAGES),
}


@pytest.mark.usefixtures("bf16_kernels")
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_other_images_of_the_batch_do_not_matter(build, network, images):
    module = build(network)
    loud = images.clone()
    loud[1:] *= 100
    with torch.inference_mode():
        assert torch.equal(module(images.bfloat16())[0], module(loud.bfloat16())[0])
        assert torch.equal(module(images.bfloat16())[0], module(images.flip(0).bfloat16())[-1])


@pytest.mark.usefixtures("bf16_kernels")
def test_constant_image_is_quantised(network):
    black = torch.zeros(IMAGES, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert quantised_convnext(network, images=IMAGES)(black).isfinite().all()


@pytest.mark.usefixtures("bf16_kernels")
def test_values_that_are_not_finite_stay_so(network):
    broken = torch.full(IMAGES, torch.nan, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert quantised_convnext(network, images=IMAGES)(broken).isnan().all()


def test_codes_are_the_nearest_and_zero_is_exact():
    rows = torch.tensor([[-1.0, 0.0, 0.013, 1.54]])
    codes, scale, zero = onednn._quantised(rows, *onednn._range(rows))
    restored = (codes.float() - zero) * scale
    assert (restored - rows).abs().max() <= scale / 2 + 1e-6
    assert restored[0, 1] == 0
    assert codes.tolist() == [[0, 100, 101, 254]]


@pytest.mark.parametrize("side", [32, 100])
def test_supported_input_sizes_work(side, network):
    shape = torch.Size((2, 3, side, side))
    images = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = network(images)
        got = fused_convnext(network, dtype=torch.float32, images=shape)(images)
        other_batch = fused_convnext(network, dtype=torch.float32, images=IMAGES)(images)
    for ours in (got, other_batch):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_other_network_is_refused():
    with pytest.raises(BackboneError, match="expected a ConvNeXt of torchvision to rewrite, got ResNet"):
        fused_convnext(models.resnet18(), dtype=torch.float32, images=IMAGES)


def test_kernels_with_other_results_are_refused(network, monkeypatch):
    monkeypatch.setattr(onednn._FusedBlock, "forward", lambda self, x: x)
    with pytest.raises(BackboneError, match="other results on this processor"):
        fused_convnext(network, dtype=torch.float32, images=IMAGES)


def test_unsupported_type_is_reported_before_the_first_batch(network, monkeypatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("mkldnn_bf16_conv: needs another processor")

    monkeypatch.setattr(onednn._FusedBlock, "forward", refuse)
    with pytest.raises(BackboneError, match="are unavailable here: mkldnn_bf16_conv"):
        fused_convnext(network, dtype=torch.float32, images=IMAGES)


def test_missing_kernels_are_reported(network, monkeypatch):
    def missing(*_: object) -> None:
        raise NotImplementedError("no such operator\nand pages of advice")

    monkeypatch.setattr(onednn, "_packed", missing)
    with pytest.raises(BackboneError, match=r"kernels for torch\.float32 are unavailable here: no such operator$"):
        fused_convnext(network, dtype=torch.float32, images=IMAGES)
