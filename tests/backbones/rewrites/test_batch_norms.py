"""Folded batch norms: the same results with fewer layers, and an error if there is nothing to fold."""

import pytest
import torch
from torch import nn
from torchvision import models

from cellfeat.backbones.rewrites.batch_norms import fold_batch_norms
from cellfeat.errors import BackboneError


def n_norms(network: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def vgg_without_its_large_classifier() -> nn.Module:
    return models.vgg.make_layers(models.vgg.cfgs["A"], batch_norm=True)


@pytest.mark.parametrize(
    "build",
    [
        models.resnet18,
        models.mobilenet_v3_small,
        models.shufflenet_v2_x0_5,
        models.efficientnet_b0,
        vgg_without_its_large_classifier,
    ],
    ids=lambda build: build.__name__,
)
def test_all_norms_are_folded_and_embeddings_stay_the_same(build, randomised):
    network = randomised(build())
    folded = fold_batch_norms(network, images())
    with torch.inference_mode():
        expected, got = network(images()), folded(images())
    assert n_norms(network) > 0
    assert n_norms(folded) == 0
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_norm_without_a_convolution_before_it_stays(randomised):
    network = randomised(models.densenet121())
    folded = fold_batch_norms(network, images())
    assert 0 < n_norms(folded) < n_norms(network)


def test_activation_within_norms_of_timm_stays(randomised):
    timm = pytest.importorskip("timm")
    network = randomised(timm.create_model("tf_efficientnet_lite0", num_classes=0))
    folded = fold_batch_norms(network, images())
    with torch.inference_mode():
        expected, got = network(images()), folded(images())
    assert n_norms(folded) == 0
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


class Shared(nn.Module):
    """Its convolution feeds a norm, and something else besides."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolution(x)
        return self.norm(y) + y


class Looking(nn.Module):
    """Its code looks into the norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(x)) * self.norm.running_var[:, None, None]


@pytest.mark.parametrize("network", [Shared(), Looking()], ids=["shared", "looking"])
def test_network_with_other_results_is_refused(network, randomised):
    with pytest.raises(BackboneError, match="other results with its batch norms folded"):
        fold_batch_norms(randomised(network), images())


class ByName(nn.Module):
    """Its norm is called by keyword and keeps no statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(input=self.convolution(x))


@pytest.mark.parametrize("network", [nn.Conv2d(3, 4, 3), models.swin_t(), ByName()], ids=["none", "swin", "by_name"])
def test_network_without_batch_norms_is_refused(network):
    with pytest.raises(BackboneError, match="no convolution feeds a batch norm"):
        fold_batch_norms(network.eval(), images())


def test_original_network_is_not_changed(randomised):
    network = randomised(models.resnet18())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold_batch_norms(network, images())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
