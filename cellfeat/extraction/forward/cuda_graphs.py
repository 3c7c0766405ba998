"""A module replayed as a CUDA graph: one launch a batch in place of one launch a kernel.

Small networks on a fast GPU wait for Python and the driver, not for the GPU: a network of 150 layers needs hundreds of
launches a batch. A graph records them once, for one shape, and replays them. It needs no compiler, and computes the
same kernels in the same order, so the bits are those of the module.
"""

import torch
from torch import nn

WARM_UP_FORWARDS = 3
"""Libraries choose kernels and reserve memory in their first forwards, which must not be part of the graph; PyTorch's
documentation of CUDA graphs takes as many."""


class CudaGraphed(nn.Module):
    """Computes a module by replaying its graph.

    The graph is recorded at the first batch, and again where the shape changes, as it does after a batch was halved.

    Parameters
    ----------
    module
        In eval mode, on a CUDA device; it must launch the same kernels for any batch of one shape.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._graph: torch.cuda.CUDAGraph | None = None
        self._input = self._output = torch.empty(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the module for a batch; the result is a tensor of its own."""
        if self._graph is None or self._input.shape != x.shape:
            self._record(x)
        assert self._graph is not None, "recorded above"
        self._input.copy_(x)
        self._graph.replay()
        # The next replay writes into the same memory.
        return self._output.clone()

    def _record(self, x: torch.Tensor) -> None:
        # The old graph keeps the memory of its tensors reserved: it goes before another one is recorded.
        self._graph = None
        self._input = torch.empty_like(x).copy_(x)
        stream = torch.cuda.Stream(x.device)
        stream.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_FORWARDS):
                self.module(self._input)
        torch.cuda.current_stream(x.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may reserve pinned memory meanwhile, which would spoil a recording of all threads.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._output = self.module(self._input)
        self._graph = graph
