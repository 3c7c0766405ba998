"""Adam has the same bits as PyTorch's classes, and does not load its compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from cellfeat.heads.neural_networks.adam import Adam

FITS = """
import sys
import numpy as np
from cellfeat.heads.registry import HEADS, make_head
rows, codes = np.random.default_rng(0).normal(size=(30, 1, 8)).astype(np.float32), np.arange(30) % 3
for name in ("mlp", "linear_relu"):
    make_head(name, {"epochs": 1, "device": "cpu"}, random_state=0).fit(rows[:, 0], codes)
print(sorted(name for name in sys.modules if name in ("torch", "torch._dynamo", "sympy")))
"""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))


def trained(optimizer: object, own: nn.Sequential, rates: list[float]) -> list[torch.Tensor]:
    rows = torch.randn(40, 7, generator=torch.Generator().manual_seed(1))
    for rate in rates:
        if isinstance(optimizer, Adam):
            optimizer.zero_grad()
            own(rows).square().mean().backward()
            optimizer.step(rate)
        else:
            optimizer.param_groups[0]["lr"] = 0.01 * rate
            optimizer.zero_grad()
            own(rows).square().mean().backward()
            optimizer.step()
    return list(own.parameters())


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("is_decoupled", "theirs"), [(True, torch.optim.AdamW), (False, torch.optim.Adam)])
def test_steps_have_the_bits_of_pytorch(is_decoupled, theirs, fused):
    rates = [0.1, 1.0, 0.5, 0.01]
    own, other = network(), network()
    ours = Adam(own.parameters(), lr=0.01, weight_decay=0.1, is_decoupled=is_decoupled, fused=fused)
    expected = trained(theirs(other.parameters(), lr=0.01, weight_decay=0.1, fused=fused or None), other, rates)
    for parameter, wanted in zip(trained(ours, own, rates), expected, strict=True):
        assert torch.equal(parameter, wanted)


@pytest.mark.slow
def test_heads_are_trained_without_the_compiler():
    ran = subprocess.run([sys.executable, "-c", FITS], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['torch']"
