"""A batch of decoded samples becomes embeddings, on the device: of one network, or of several side by side."""

import threading
from collections.abc import Callable, Mapping, Sequence
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
    """The pictures of a sample that networks receive: resized and normalised, one for each pass of each view.

    Attributes
    ----------
    transforms
        How images are resized and normalised, for each network.
    passes, n_channels, n_views
        Which pictures are made, and of how many channels.
    """

    transforms: tuple[Transform, ...]
    passes: tuple[Pass, ...]
    n_channels: int
    n_views: int

    def of_network(self, number: int) -> "Inputs":
        """The pictures of one of the networks, by its number from 0."""
        return replace(self, transforms=(self.transforms[number],))


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

    Several networks are computed one after the other, each as it would be alone. A pass of a view has the columns of
    the first network, then those of the second.

    A network of OpenVINO has threads of its own. There each batch is prepared and embedded in one of two threads, while
    the caller reads the next samples and keeps the results of the one before.

    The views and passes of a batch of samples go through a module in forward batches of as many pictures. An
    incomplete forward batch is padded: with another size, the device may choose other kernels, which round differently.
    When the device runs out of memory, the batch size is halved and the batch is computed again.

    Parameters
    ----------
    modules
        One for each network: maps ``(N, 3, H, W)`` to ``(N, embedding_dim)`` on `device`, in the type of the precision.
    inputs
        The pictures of a sample that the modules receive.
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
        modules: Sequence[torch.nn.Module],
        inputs: Inputs,
        *,
        device: torch.device,
        precision: str,
        batch_size: int,
        timeline: Timeline | None = None,
        say: Callable[[str], None] = lambda _: None,
        halves: bool = True,
    ) -> None:
        self.modules = tuple(modules)
        self.precision = precision
        self._halves = halves
        self.batch_size = batch_size
        self._inputs = inputs
        self._device = device
        self._dtype = DTYPES[precision]
        has_threads = any(isinstance(module, OpenVinoNetwork) for module in self.modules)
        self._callers = ThreadPoolExecutor(CALLERS, "forward") if has_threads else None
        # Times of steps that run beside each other would add up to more than the time: there the wait for the result
        # is recorded alone, by the caller.
        self._timeline = timeline if timeline is not None and self._callers is None else Timeline()
        self._say = say
        self._copies = Copies(device)
        self._receivers = _receivers(inputs.transforms)
        self._own = threading.local()
        self._halving = threading.Lock()

    @property
    def n_channels(self) -> int:
        """Channels of a sample."""
        return self._inputs.n_channels

    @property
    def input_size(self) -> int:
        """Side of the networks' input; of the largest, where they differ."""
        return max(transform.input_size for transform in self._inputs.transforms)

    def of_one_forward(self) -> "Embedder":
        """Make the embedder of the first view and pass alone, with the same modules and batch size."""
        return Embedder(
            self.modules,
            replace(self._inputs, n_views=1, passes=self._inputs.passes[:1]),
            device=self._device,
            precision=self.precision,
            batch_size=self.batch_size,
            say=self._say,
            halves=self._halves,
        )

    @torch.inference_mode()
    def repeatable_forward(self, samples: Sequence[Decoded]) -> Callable[[], None]:
        """Make a function that computes one forward of `batch_size` pictures by each network and waits for its end.

        The pictures are made only once, as they are for all views and passes of a batch.
        """
        squares = self._squares(samples[: self.batch_size])
        pictures = {
            transform: next(self._batches(transform).of(made, self._inputs.passes, self._inputs.n_views)).clone()
            for transform, made in squares.items()
        }
        return partial(self._forward, pictures)

    @torch.inference_mode()
    def _forward(self, pictures: Mapping[Transform, torch.Tensor]) -> None:
        for module, transform in zip(self.modules, self._inputs.transforms, strict=True):
            # The copy of one number waits for the device.
            module(pictures[transform])[:1, :1].cpu()

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
            return self._embed_squares(squares, len(samples))

    def _squares(self, samples: Sequence[Decoded]) -> dict[Transform, torch.Tensor]:
        """Make the squares of samples by transform, shape ``(n, C, S, S)``, values 0 to 1: once for each geometry."""
        geometries = dict.fromkeys(transform.geometry() for transform in self._receivers)
        made = {geometry: self._squares_of(samples, geometry) for geometry in geometries}
        return {transform: made[transform.geometry()] for transform in self._receivers}

    def _squares_of(self, samples: Sequence[Decoded], geometry: Transform) -> torch.Tensor:
        side = geometry.input_size
        if not samples:
            return torch.zeros(0, self._inputs.n_channels, side, side, device=self._device)
        return make_squares(samples, geometry, self._copies)

    def _embed_squares(self, squares: Mapping[Transform, torch.Tensor], n: int) -> torch.Tensor:
        """Embed the squares of `n` samples: ``(n, n_views, n_passes * embedding_dim)`` float32."""
        n_passes, n_views = len(self._inputs.passes), self._inputs.n_views
        by_network: dict[int, torch.Tensor] = {}
        for transform, numbers in self._receivers.items():
            found = self._embed_pictures(squares[transform], transform, n_passes * n_views * n)
            for number, rows in zip(numbers, found, strict=True):
                by_network[number] = rows.view(n_passes, n_views, n, rows.shape[1]).permute(2, 1, 0, 3)
        by_pass = torch.cat([by_network[number] for number in range(len(self.modules))], dim=3)
        return by_pass.reshape(n, n_views, n_passes * by_pass.shape[3])

    def _embed_pictures(self, squares: torch.Tensor, transform: Transform, n_pictures: int) -> list[torch.Tensor]:
        """Embed the pictures of squares, in the order of `PictureBatches`, by each network that receives them.

        Each gives a tensor of shape ``(n_pictures, embedding_dim)`` float32.
        """
        modules = [self.modules[number] for number in self._receivers[transform]]
        found: list[torch.Tensor] = []
        batches = self._batches(transform).of(squares, self._inputs.passes, self._inputs.n_views)
        for number, batch in enumerate(batches):
            for place, module in enumerate(modules):
                embedded = module(batch)
                if place == len(found):
                    found.append(torch.empty(n_pictures, embedded.shape[1], device=self._device))
                # Copied at once, because a module may write its next result into the same memory. The rows that pad
                # the last batch are dropped.
                here = found[place][number * len(batch) : (number + 1) * len(batch)]
                here.copy_(embedded[: len(here)])
        return found

    def _batches(self, transform: Transform) -> PictureBatches:
        """The buffer of this thread for forward batches of a transform."""
        own: dict[Transform, PictureBatches] | None = getattr(self._own, "batches", None)
        if own is None:
            own = self._own.batches = {}
        if transform not in own or own[transform].size != self.batch_size:
            own[transform] = PictureBatches(self.batch_size, transform.moments(self._device), self._dtype)
        return own[transform]

    def _to_host(self, embedded: torch.Tensor) -> Embedded:
        if self._copies.stream is None:
            return Embedded(embedded.cpu())
        host = torch.empty(embedded.shape, dtype=embedded.dtype, pin_memory=True)
        host.copy_(embedded, non_blocking=True)
        # Recorded behind the copy: once it has happened, the numbers are on the host.
        ready = torch.cuda.Event()
        ready.record(torch.cuda.current_stream(self._device))
        return Embedded(host, ready)


def _receivers(transforms: Sequence[Transform]) -> dict[Transform, list[int]]:
    """Numbers of the networks that receive the same pictures, by their transform."""
    receivers: dict[Transform, list[int]] = {}
    for number, transform in enumerate(transforms):
        receivers.setdefault(transform, []).append(number)
    return receivers


def _is_out_of_memory(error: BaseException) -> bool:
    # The CPU allocator and MPS raise a plain RuntimeError.
    text = str(error)
    return isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator" in text or "out of memory" in text
