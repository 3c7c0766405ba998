"""A batch of decoded samples becomes embeddings, on the device."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import torch

from cellfeat.backbones.rewrites.openvino import OpenVinoNetwork
from cellfeat.backbones.transform import Transform
from cellfeat.errors import DeviceError
from cellfeat.extraction.forward.implementations import DTYPES
from cellfeat.extraction.forward.passes import Pass
from cellfeat.extraction.forward.pictures import PictureBatches
from cellfeat.extraction.forward.squares import Copies, make_squares
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.timing import Timeline
from cellfeat.types import Float32s

CALLERS = 2
"""Threads that prepare and embed batches where the module has threads of its own: one has pictures ready while the
other fetches its results."""


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


class Submitted:
    """Embeddings of a batch that a thread computes."""

    def __init__(self, embedded: "Future[Embedded]") -> None:
        self._embedded = embedded

    def result(self) -> Float32s:
        """Wait for the embeddings and return them, shape ``(n, n_views, n_passes * embedding_dim)``."""
        return self._embedded.result().result()


class Embedder:
    """Embeds samples in batches of a fixed size.

    A network of OpenVINO has threads of its own. There each batch is prepared and embedded in one of two threads, while
    the caller reads the next samples and keeps the results of the one before.

    The views and passes of a batch of samples go through the module in forward batches of as many pictures. An
    incomplete forward batch is padded: with another size, the device may choose other kernels, which round differently.
    When the device runs out of memory, the batch size is halved and the batch is computed again.

    Parameters
    ----------
    module
        Maps ``(N, 3, H, W)`` to ``(N, embedding_dim)`` on `device`, in the type of the precision.
    inputs
        The pictures of a sample that the module receives.
    device, precision, batch_size
        Where and how it is computed; `batch_size` samples at a time, and as many pictures in a forward.
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
        self._callers = ThreadPoolExecutor(CALLERS, "forward") if isinstance(module, OpenVinoNetwork) else None
        # Times of steps that run beside each other would add up to more than the time: there the wait for the result
        # is recorded alone, by the caller.
        self._timeline = timeline if timeline is not None and self._callers is None else Timeline()
        self._say = say
        self._moments = inputs.transform.moments(device)
        self._copies = Copies(device)
        self._own = threading.local()
        self._halving = threading.Lock()

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

    @torch.inference_mode()
    def repeatable_forward(self, samples: Sequence[Decoded]) -> Callable[[], None]:
        """Make a function that computes one forward of `batch_size` pictures and waits for its end.

        The pictures are made only once, as they are for all views and passes of a batch.
        """
        squares = self._squares(samples[: self.batch_size])
        pictures = next(iter(self._batches().of(squares, self._inputs.passes, self._inputs.n_views))).clone()
        return partial(self._forward, pictures)

    @torch.inference_mode()
    def _forward(self, pictures: torch.Tensor) -> None:
        # The copy of one number waits for the device.
        self.module(pictures)[:1, :1].cpu()

    @property
    def n_in_work(self) -> int:
        """Batches that are computed while the next one is submitted: 1 on a GPU and by OpenVINO, otherwise 0."""
        return 0 if self._copies.stream is None and self._callers is None else 1

    def __call__(self, samples: Sequence[Decoded]) -> Float32s:
        """Embed samples: ``(len(samples), n_views, n_passes * embedding_dim)`` float32."""
        return self._embed(samples).result()

    def submit(self, samples: Sequence[Decoded]) -> Embedded | Submitted:
        """Start to embed samples. A GPU or a thread computes them while the caller reads the next ones.

        An error of a thread is raised where the result is fetched.

        Raises
        ------
        DeviceError
            If the device has not enough memory for one sample.
        """
        if self._callers is None:
            return self._embed(samples)
        return Submitted(self._callers.submit(self._embed, samples))

    def _embed(self, samples: Sequence[Decoded]) -> Embedded:
        while True:
            size = self.batch_size
            try:
                return self._embed_in_chunks(samples, size)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
            # Outside the handler: the error keeps the tensors alive whose memory is needed.
            with self._halving:
                if self.batch_size == size:  # otherwise the other thread has halved it
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
    def _embed_in_chunks(self, samples: Sequence[Decoded], size: int) -> Embedded:
        # At least one chunk: a part that has no readable sample still needs the shape of its rows.
        chunks = [samples[start : start + size] for start in range(0, max(1, len(samples)), size)]
        embedded = torch.cat([self._embed_chunk(chunk) for chunk in chunks])
        with self._timeline.step("forward"):
            return self._to_host(embedded)

    def _embed_chunk(self, samples: Sequence[Decoded]) -> torch.Tensor:
        with self._timeline.step("transfer"):
            squares = self._squares(samples)
        with self._timeline.step("forward"):
            return self._embed_squares(squares)

    def _squares(self, samples: Sequence[Decoded]) -> torch.Tensor:
        """Make the squares of samples, shape ``(n, C, S, S)``, values 0 to 1."""
        side = self._inputs.transform.input_size
        if not samples:
            return torch.zeros(0, self._inputs.n_channels, side, side, device=self._device)
        return make_squares(samples, self._inputs.transform, self._copies)

    def _embed_squares(self, squares: torch.Tensor) -> torch.Tensor:
        """Embed squares: ``(n, C, S, S)`` to ``(n, n_views, n_passes * embedding_dim)`` float32."""
        n_passes, n_views = len(self._inputs.passes), self._inputs.n_views
        rows = self._embed_pictures(squares, n_passes * n_views * len(squares))
        by_sample = rows.view(n_passes, n_views, len(squares), rows.shape[1]).permute(2, 1, 0, 3)
        return by_sample.reshape(len(squares), n_views, n_passes * rows.shape[1])

    def _embed_pictures(self, squares: torch.Tensor, n_pictures: int) -> torch.Tensor:
        """Embed the pictures of squares, in the order of `PictureBatches`: ``(n_pictures, embedding_dim)`` float32."""
        rows: torch.Tensor | None = None
        batches = self._batches().of(squares, self._inputs.passes, self._inputs.n_views)
        for number, batch in enumerate(batches):
            embedded = self.module(batch)
            if rows is None:
                rows = torch.empty(n_pictures, embedded.shape[1], device=self._device)
            # Copied at once, because a module may write its next result into the same memory. The rows that pad the
            # last batch are dropped.
            here = rows[number * len(batch) : (number + 1) * len(batch)]
            here.copy_(embedded[: len(here)])
        assert rows is not None, "there is always one batch"
        return rows

    def _batches(self) -> PictureBatches:
        """The buffer of forward batches of this thread."""
        batches: PictureBatches | None = getattr(self._own, "batches", None)
        if batches is None or batches.size != self.batch_size:
            batches = self._own.batches = PictureBatches(self.batch_size, self._moments, self._dtype)
        return batches

    def _to_host(self, embedded: torch.Tensor) -> Embedded:
        if self._copies.stream is None:
            return Embedded(embedded.cpu())
        host = torch.empty(embedded.shape, dtype=embedded.dtype, pin_memory=True)
        host.copy_(embedded, non_blocking=True)
        # Recorded behind the copy: once it has happened, the numbers are on the host.
        ready = torch.cuda.Event()
        ready.record(torch.cuda.current_stream(self._device))
        return Embedded(host, ready)


def _is_out_of_memory(error: BaseException) -> bool:
    # The CPU allocator and MPS raise a plain RuntimeError.
    text = str(error)
    return isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator" in text or "out of memory" in text
