"""A probe batch of the user's own images, to measure the speed and the accuracy of a compute method."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.implementations import ComputeMethod, Target, build_module
from cellfeat.extraction.forward.tolerances import MIN_COSINE
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.types import Float32s

LEAST_TIMED_SECONDS = 0.2
MOST_TIMED_FORWARDS = 5


@dataclass(frozen=True)
class Measurement:
    """What was measured of a compute method on the probe batch.

    Attributes
    ----------
    precision, implementation
        The method.
    samples_per_second
        With one forward per sample.
    min_cosine
        Smallest cosine to the float32 embedding over the probe's samples; 0 if an embedding is not finite.
    startup_seconds
        Time until the first batch is done: building, packing, compiling.
    """

    precision: str
    implementation: str
    samples_per_second: float
    min_cosine: float
    startup_seconds: float = 0.0

    @property
    def method(self) -> ComputeMethod:
        """The method that was measured."""
        return ComputeMethod(self.precision, self.implementation)

    @property
    def is_accurate(self) -> bool:
        """Whether its embeddings are close enough to float32."""
        return self.min_cosine >= MIN_COSINE[self.precision]

    def __str__(self) -> str:
        refused = "" if self.is_accurate else ", refused"
        return f"{self.method} {self.samples_per_second:.1f}/s, cosine {self.min_cosine:.5f}{refused}"


class Trial(NamedTuple):
    """A method that was built and run on the probe.

    Attributes
    ----------
    embedder
        Of one view and one pass.
    embedded
        Embeddings of the probe, shape ``(n, 1, embedding_dim)``.
    startup_seconds, samples_per_second
        As in `Measurement`.
    """

    embedder: Embedder
    embedded: Float32s
    startup_seconds: float
    samples_per_second: float


@dataclass(frozen=True)
class Probe:
    """What methods are measured with.

    Attributes
    ----------
    backbone, inputs, device, batch_size
        What is computed, on which pictures, where, and how many samples at a time.
    samples
        At most one batch of the user's own samples.
    n_forwards
        Number of pictures that the run has to compute.
    say
        Receives a line when the batch size is halved.
    """

    backbone: LoadedBackbone
    inputs: Inputs
    device: torch.device
    batch_size: int
    samples: Sequence[Decoded]
    n_forwards: int
    say: Callable[[str], None] = lambda _: None

    def embedder(self, method: ComputeMethod) -> Embedder:
        """Build the embedder of one view and one pass."""
        # Every view and pass takes the same time, so one is enough.
        one_forward = replace(self.inputs, n_views=1, passes=self.inputs.passes[:1])
        return build_embedder(
            self.backbone, one_forward, device=self.device, method=method, batch_size=self.batch_size, say=self.say
        )

    def try_method(self, method: ComputeMethod) -> Trial:
        """Build a method, and embed and time the probe batch with it."""
        began = time.perf_counter()
        embedder = self.embedder(method)
        embedded = embedder(self.samples)
        startup = time.perf_counter() - began
        seconds = seconds_per_call(embedder, self.samples)
        # Batches are padded to their full size, so what was timed is whole batches.
        size = embedder.batch_size
        n_computed = -(-len(self.samples) // size) * size
        return Trial(embedder, embedded, startup, n_computed / seconds)


def build_embedder(
    backbone: LoadedBackbone,
    inputs: Inputs,
    *,
    device: torch.device,
    method: ComputeMethod,
    batch_size: int,
    say: Callable[[str], None] = lambda _: None,
) -> Embedder:
    """Build the embedder of a compute method; the loaded backbone is not changed.

    Parameters
    ----------
    backbone, inputs
        What is computed, and on which pictures.
    device, method, batch_size
        Where and how it is computed.
    say
        Receives a line when the batch size is halved.

    Raises
    ------
    BackboneError
        If the implementation cannot be built for this backbone on this machine.
    """
    side = inputs.transform.input_size
    module = build_module(backbone, method, Target(device, torch.Size((batch_size, 3, side, side))))
    return Embedder(module, inputs, device=device, precision=method.precision, batch_size=batch_size, say=say)


def seconds_per_call(embedder: Embedder, samples: Sequence[Decoded]) -> float:
    """Measure the shortest of a few forwards: other load on the machine can only make them longer.

    Parameters
    ----------
    embedder, samples
        What to time, and on which samples.
    """
    times: list[float] = []
    while len(times) < MOST_TIMED_FORWARDS and sum(times) < LEAST_TIMED_SECONDS:
        began = time.perf_counter()
        embedder(samples)
        times.append(time.perf_counter() - began)
    return min(times)


def min_cosine(reference: np.ndarray, embedded: np.ndarray) -> float:
    """Compute the smallest cosine between embeddings of the same sample and view; 0 if one is not finite.

    Parameters
    ----------
    reference, embedded
        Embeddings, shape ``(n, n_views, embedding_dim)``.
    """
    a, b = (array.reshape(-1, array.shape[-1]).astype(np.float64) for array in (reference, embedded))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(norms, np.finfo(np.float64).tiny)
    return float(np.nan_to_num(cosines, nan=0.0).min())
