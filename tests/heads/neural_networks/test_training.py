"""The training loop: random numbers, learning rate, and the samples of a step."""

import numpy as np
import pytest
import torch
from torch import nn

from cellfeat.errors import DeviceError
from cellfeat.heads.neural_networks.training import (
    MIN_STEPS_PER_EPOCH,
    Examples,
    Randomness,
    SeededDropout,
    TrainingSchedule,
    constant,
    linear,
    one_cycle,
    train,
    training_device,
)

CPU = torch.device("cpu")


class GradientDescent:
    """Plain steps along the gradient."""

    def __init__(self, network: nn.Module, lr: float) -> None:
        self.parameters, self.lr = list(network.parameters()), lr

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for parameter in self.parameters:
            assert parameter.grad is not None
            parameter -= self.lr * rate * parameter.grad


class Recorder(nn.Module):
    """A linear network that keeps the rows it was shown."""

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.last = linear(n_columns, 2, torch.Generator().manual_seed(0))
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return self.last(x)


def record(*, n_samples: int, n_views: int, epochs: int, batch_size: int) -> list[torch.Tensor]:
    """Rows shown at each step; row (sample, view) is ``[sample, view]``."""
    rows = torch.tensor([[sample, view] for sample in range(n_samples) for view in range(n_views)]).float()
    network = Recorder(2)
    examples = Examples.of(rows, np.arange(n_samples) % 2, np.ones(2))
    optimizer = GradientDescent(network, lr=1e-6)
    train(network, examples, optimizer, TrainingSchedule(epochs, batch_size, 0.0, constant), Randomness(0, CPU))
    return network.seen


def test_epoch_uses_each_sample_once_and_random_views() -> None:
    seen = torch.cat(record(n_samples=50, n_views=3, epochs=20, batch_size=16)).reshape(20, 50, 2)
    for epoch in seen:
        assert sorted(epoch[:, 0].tolist()) == list(range(50))
    shares = seen[..., 1].flatten().int().bincount() / 1000
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.06)
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("n_samples", [1, 7, 9, 80, 83, 3612, 4097])
def test_steps_of_an_epoch_have_equal_sizes(n_samples: int) -> None:
    """A rest of four samples after steps of 451 cost the MLP three points on real cells."""
    sizes = [len(step) for step in record(n_samples=n_samples, n_views=1, epochs=2, batch_size=512)]
    assert sum(sizes) == 2 * n_samples
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 512


@pytest.mark.parametrize(("n_samples", "size"), [(1, 1), (5, 1), (80, 10), (4096, 256)])
def test_few_samples_give_small_batches(n_samples: int, size: int) -> None:
    steps = record(n_samples=n_samples, n_views=1, epochs=1, batch_size=256)
    assert max(len(step) for step in steps) == size
    assert len(steps) >= min(n_samples, MIN_STEPS_PER_EPOCH)


def test_weights_of_classes_equal_sample_weights() -> None:
    rng = np.random.default_rng(0)
    rows, codes = torch.from_numpy(rng.standard_normal((64, 2))).float(), np.repeat([0, 0, 0, 1], 16)
    weights = np.array([2 / 3, 2.0])
    network = linear(2, 2, torch.Generator().manual_seed(0))
    start = network.weight.detach().clone()
    logits = network(rows)
    losses = nn.functional.cross_entropy(logits, torch.from_numpy(codes), reduction="none", label_smoothing=0.1)
    expected = torch.autograd.grad((losses * torch.from_numpy(weights[codes])).mean(), network.weight)[0]
    optimizer = GradientDescent(network, lr=1e-3)
    # So small a step leaves the gradient of the 8 batches of an epoch that of the whole.
    train(
        network, Examples.of(rows, codes, weights), optimizer, TrainingSchedule(1, 8, 0.1, constant), Randomness(0, CPU)
    )
    torch.testing.assert_close((start - network.weight.detach()) / 8e-3, expected.float(), rtol=0.01, atol=1e-3)


def test_linear_layers_are_initialised_like_torch() -> None:
    layer = linear(400, 300, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    reference = nn.Linear(400, 300)
    for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        assert ours.shape == theirs.shape
        assert ours.abs().max() <= 0.05
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.1)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_its_share_and_keeps_the_expectation(rate: float, dtype: torch.dtype) -> None:
    dropout = SeededDropout(rate, torch.Generator().manual_seed(0))
    dropped = dropout(torch.ones(301, 333, dtype=dtype))
    assert dropped.dtype == dtype
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    assert dropped.float().mean().item() == pytest.approx(1, abs=0.2 if rate > 0.9 else 0.02)
    kept = (dropped != 0).float()
    assert kept.mean(dim=0).std() < 0.05
    assert kept.flatten()[: 8 * 1000].view(-1, 8).mean(dim=0).sub(1 - rate).abs().max() < 0.06


def test_one_cycle_is_the_schedule_of_torch() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=1000)
    rates = []
    for _ in range(999):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert [one_cycle(step / 1000) for step in range(999)] == pytest.approx(rates, abs=0.006)


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:-1", "", "cpu:0 "])
def test_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(DeviceError, match=f"expected auto, cpu, cuda or cuda:N, got '{device}'"):
        training_device(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_missing_gpu_is_refused() -> None:
    with pytest.raises(DeviceError, match="has 0 CUDA GPUs; use auto or cpu"):
        training_device("cuda")
    assert training_device("auto") == CPU
