"""A batch of decoded samples becomes embeddings, on the device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from cellfeat.backbones.transform import Transform
from cellfeat.errors import DeviceError
from cellfeat.extraction.forward.implementations import DTYPES
from cellfeat.extraction.forward.passes import Pass, make_view
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.timing import Timeline
from cellfeat.types import Float32s

_DEVICE_TYPES = {np.dtype(np.uint8), np.dtype(np.float32)}


@dataclass(frozen=True)
class Inputs:
    """The pictures of a sample that the backbone receives: resized and normalised, one for each pass of each view."""

    transform: Transform
    passes: tuple[Pass, ...]
    n_channels: int
    n_views: int


class Embedded:
    """Embeddings of a batch, which the device may still be computing.

    Parameters
    ----------
    host
        Memory of the host for the result, shape ``(n, n_views, n_passes * embedding_dim)`` float32.
    ready
        Event of the device after which `host` is filled; None if it is filled already.
    """

    def __init__(self, host: torch.Tensor, ready: torch.cuda.Event | None = None) -> None:
        self._host = host
        self._ready = ready

    def result(self) -> Float32s:
        """Wait for the embeddings and return them, shape ``(n, n_views, n_passes * embedding_dim)``."""
        if self._ready is not None:
            self._ready.synchronize()
        return self._host.numpy()


class Embedder:
    """Embeds samples in batches of a fixed size.

    An incomplete batch is padded: with another size, the device may choose other kernels, which round differently.
    When the device runs out of memory, the batch size is halved and the batch is computed again.

    Parameters
    ----------
    module
        Maps ``(N, 3, H, W)`` to ``(N, embedding_dim)`` on `device`, in the type of the precision.
    inputs
        The pictures of a sample that the module receives.
    device, precision, batch_size
        Where and how it is computed.
    timeline
        Records the time of each step.
    say
        Receives a line when the batch size is halved.
    halves
        Whether the batch size is halved where memory is short. Halving changes the last bits, so a process that shares
        an extraction with others ends with an error instead.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        inputs: Inputs,
        *,
        device: torch.device,
        precision: str,
        batch_size: int,
        timeline: Timeline | None = None,
        say: Callable[[str], None] = lambda _: None,
        halves: bool = True,
    ) -> None:
        self.module = module
        self.precision = precision
        self._halves = halves
        self.batch_size = batch_size
        self._inputs = inputs
        self._device = device
        self._dtype = DTYPES[precision]
        self._timeline = timeline or Timeline()
        self._say = say
        self._mean, self._std = inputs.transform.moments(device)
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None

    @property
    def n_channels(self) -> int:
        """Channels of a sample."""
        return self._inputs.n_channels

    @property
    def input_size(self) -> int:
        """Side of the network's input."""
        return self._inputs.transform.input_size

    def of_one_forward(self) -> "Embedder":
        """Make the embedder of the first view and pass alone, with the same module and batch size."""
        return Embedder(
            self.module,
            replace(self._inputs, n_views=1, passes=self._inputs.passes[:1]),
            device=self._device,
            precision=self.precision,
            batch_size=self.batch_size,
            say=self._say,
            halves=self._halves,
        )

    @property
    def n_in_work(self) -> int:
        """Batches that the device computes while the next one is submitted: 1 on a GPU, 0 on the CPU."""
        return 0 if self._copies is None else 1

    def __call__(self, samples: Sequence[Decoded]) -> Float32s:
        """Embed samples: ``(len(samples), n_views, n_passes * embedding_dim)`` float32."""
        return self.submit(samples).result()

    def submit(self, samples: Sequence[Decoded]) -> Embedded:
        """Start to embed samples. A GPU computes them while the caller reads the next ones.

        Raises
        ------
        DeviceError
            If the device has not enough memory for one sample.
        """
        while True:
            try:
                return self._submit(samples)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
            # Outside the handler: the error keeps the tensors alive whose memory is needed.
            self._halve()

    def _halve(self) -> None:
        if not self._halves:
            raise DeviceError(
                f"{self._device}: out of memory with the {self.batch_size} samples a batch of the plan. Smaller "
                f"batches would change the last bits: give this process more memory, or plan again with --batch-size "
                f"{max(1, self.batch_size // 2)} and another --output"
            )
        if self.batch_size == 1:
            raise DeviceError(
                f"{self._device}: out of memory with a single sample; choose a smaller backbone, a smaller "
                f"preprocessing.input_size, or --device cpu"
            )
        self.batch_size //= 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self._say(f"{self._device} is out of memory: continuing with batches of {self.batch_size}")

    @torch.inference_mode()
    def _submit(self, samples: Sequence[Decoded]) -> Embedded:
        size = self.batch_size
        # At least one chunk: a part that has no readable sample still needs the shape of its rows.
        chunks = [samples[start : start + size] for start in range(0, max(1, len(samples)), size)]
        embedded = torch.cat([self._embed_chunk(chunk) for chunk in chunks])
        with self._timeline.step("forward"):
            return self._to_host(embedded)

    def _embed_chunk(self, samples: Sequence[Decoded]) -> torch.Tensor:
        with self._timeline.step("transfer"):
            squares = self._squares(samples)
        with self._timeline.step("forward"):
            embedded = [self._embed_view(make_view(squares, view)) for view in range(self._inputs.n_views)]
            # The slice drops the rows that fill up an incomplete batch.
            return torch.stack(embedded, dim=1)[: len(samples)].float()

    def _squares(self, samples: Sequence[Decoded]) -> torch.Tensor:
        """Scale and resize samples to the fixed batch shape ``(batch_size, C, S, S)``, values 0 to 1."""
        size = self._inputs.transform.input_size
        batch = torch.zeros(self.batch_size, self._inputs.n_channels, size, size, device=self._device)
        for indices in _by_shape(samples):
            # One by one: indexing with a list would wait for the list to reach the device.
            for i, square in zip(indices, self._resized([samples[i] for i in indices]), strict=True):
                batch[i] = square
        return batch

    def _resized(self, samples: Sequence[Decoded]) -> torch.Tensor:
        limits = self._to_device(_stack([sample.limits for sample in samples]))
        low, high = limits[:, :, 0, None, None], limits[:, :, 1, None, None]
        values = self._to_device(_stack([sample.pixels for sample in samples])).to(torch.float32)
        return self._inputs.transform.square(((values - low) / (high - low)).clamp_(0, 1))

    def _to_device(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self._copies is None:
            return tensor.to(self._device)
        # Pinned memory and a separate stream let the copy run beside the forward of the previous batch.
        with torch.cuda.stream(self._copies):
            moved = tensor.pin_memory().to(self._device, non_blocking=True)
        # The forward waits for the copy. The allocator, which knows only the stream of the copies, must not give the
        # memory away before the forward has used it.
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._copies)
        moved.record_stream(current)
        return moved

    def _to_host(self, embedded: torch.Tensor) -> Embedded:
        if self._copies is None:
            return Embedded(embedded.cpu())
        host = torch.empty(embedded.shape, dtype=embedded.dtype, pin_memory=True)
        host.copy_(embedded, non_blocking=True)
        # Recorded behind the copy: once it has happened, the numbers are on the host.
        ready = torch.cuda.Event()
        ready.record(torch.cuda.current_stream(self._device))
        return Embedded(host, ready)

    def _embed_view(self, squares: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._embed_pass(squares, one) for one in self._inputs.passes], dim=1)

    def _embed_pass(self, squares: torch.Tensor, one: Pass) -> torch.Tensor:
        planes = torch.stack([squares[:, plane] for plane in one.planes], dim=1)
        normalised = ((planes - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        embedded: torch.Tensor = self.module(normalised.to(self._dtype))
        return embedded


def _is_out_of_memory(error: BaseException) -> bool:
    # The CPU allocator and MPS raise a plain RuntimeError.
    text = str(error)
    return isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator" in text or "out of memory" in text


def _by_shape(samples: Sequence[Decoded]) -> list[list[int]]:
    """Group the positions of samples by shape and type of their pixels: only equal ones can be stacked."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, sample in enumerate(samples):
        assert sample.pixels is not None, "samples that failed must be removed before"
        groups.setdefault((sample.pixels.shape, sample.pixels.dtype), []).append(i)
    return list(groups.values())


def _stack(arrays: Sequence[np.ndarray | None]) -> np.ndarray:
    stacked = np.stack([array for array in arrays if array is not None])
    # Devices support few integer types; float32 represents every uint16 exactly, and is the next step anyway.
    return stacked if stacked.dtype in _DEVICE_TYPES else stacked.astype(np.float32)
