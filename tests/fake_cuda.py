"""CUDA graphs without a GPU: what a graph records is replayed on the CPU, into the same memory."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class FakeStream:
    """Stands for a stream; everything on the CPU happens in order."""

    def __init__(self, *_: Any) -> None:
        pass

    def wait_stream(self, _: "FakeStream") -> None:
        """Do nothing."""


class FakeGraph(TorchDispatchMode):
    """Records operators, and replays them into the tensors that they gave when they were recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.n_replays = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operator(*args, **(kwargs or {}))
        self.calls.append((operator, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        """Compute everything again, from the present values of the tensors."""
        self.n_replays += 1
        for operator, args, kwargs, result in self.calls:
            again = operator(*args, **kwargs)
            if isinstance(result, torch.Tensor) and result.data_ptr() != again.data_ptr():
                result.copy_(again)


def install(patch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """Replace CUDA's streams and graphs; gives the graphs that are recorded from then on."""
    graphs: list[FakeGraph] = []

    @contextmanager
    def graph(one: FakeGraph, **_: Any) -> Iterator[None]:
        graphs.append(one)
        with one:
            yield

    patch.setattr(torch.cuda, "Stream", FakeStream)
    patch.setattr(torch.cuda, "stream", nullcontext)
    patch.setattr(torch.cuda, "current_stream", FakeStream)
    patch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    patch.setattr(torch.cuda, "graph", graph)
    return graphs
