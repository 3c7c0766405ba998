"""Replayed graphs, with graphs that are recorded on the CPU; tests/gpu has those on a GPU."""

import pytest
import torch

from cellfeat.backbones.efficientnet_lite import EfficientNetLite
from cellfeat.extraction.forward.cuda_graphs import WARM_UP_FORWARDS, CudaGraphed
from tests.fake_cuda import FakeGraph, install

SIDE = 32


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    return install(monkeypatch)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return EfficientNetLite().eval().requires_grad_(False)


def batches(n: int, size: int = 2) -> list[torch.Tensor]:
    return list(torch.rand(n, size, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))


@torch.inference_mode()
def test_replay_gives_the_bits_of_the_module(network: torch.nn.Module, graphs: list[FakeGraph]) -> None:
    graphed = CudaGraphed(network)
    for batch in batches(3):
        assert torch.equal(graphed(batch), network(batch))
    assert [graph.n_replays for graph in graphs] == [3]


@torch.inference_mode()
def test_earlier_result_outlives_the_next_replay(network: torch.nn.Module, graphs: list[FakeGraph]) -> None:
    graphed = CudaGraphed(network)
    first, second = batches(2)
    kept = graphed(first)
    graphed(second)
    assert torch.equal(kept, network(first))


@torch.inference_mode()
def test_another_shape_is_recorded_anew(network: torch.nn.Module, graphs: list[FakeGraph]) -> None:
    graphed = CudaGraphed(network)
    for batch in (*batches(1, size=4), *batches(2, size=2)):
        assert torch.equal(graphed(batch), network(batch))
    assert [graph.n_replays for graph in graphs] == [1, 2]


@torch.inference_mode()
def test_kernels_are_chosen_before_the_recording(graphs: list[FakeGraph]) -> None:
    class Counting(torch.nn.Module):
        n = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.n += 1
            return x.mean(dim=(2, 3))

    counting = Counting()
    graphed = CudaGraphed(counting)
    for batch in batches(2):
        graphed(batch)
    assert counting.n == WARM_UP_FORWARDS + 1


@torch.inference_mode()
def test_caller_keeps_its_batch(network: torch.nn.Module, graphs: list[FakeGraph]) -> None:
    (batch,) = batches(1)
    before = batch.clone()
    CudaGraphed(network)(batch)
    assert torch.equal(batch, before)
