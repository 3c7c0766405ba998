"""Networks with random weights in which every part affects the result."""

from collections.abc import Callable

import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def randomised() -> Callable[[nn.Module], nn.Module]:
    """Give a network random weights with which every part affects the result.

    A new ConvNeXt scales its blocks by 1e-6, has small weights and zero biases, and new norms are the identity: tests
    would not notice a missing part.
    """

    def randomise(module: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        for part in module.modules():
            _randomise_norm(part)
            _randomise_layer(part)
            if isinstance(getattr(part, "layer_scale", None), nn.Parameter):
                part.layer_scale.data.uniform_(0.1, 1)
        return module.eval().requires_grad_(False)

    return randomise


def _randomise_layer(part: nn.Module) -> None:
    if isinstance(part, nn.Linear | nn.Conv2d):
        nn.init.kaiming_normal_(part.weight)
        if part.bias is not None:
            part.bias.data.normal_(0, 0.2)


def _randomise_norm(part: nn.Module) -> None:
    if isinstance(part, nn.BatchNorm2d):
        part.running_mean.normal_(0, 0.1)
        part.running_var.uniform_(0.5, 1.5)
    if isinstance(part, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
        part.weight.data.uniform_(0.5, 1.5)
        part.bias.data.normal_(0, 0.2)
