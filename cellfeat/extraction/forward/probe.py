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

LEAST_TIMED_SECONDS = 0.1
SHORT_SECONDS = 0.2
MOST_TIMED_FORWARDS = 8
TRUSTED_SECONDS = 1.0
"""A forward of this length is trusted alone."""
TRUSTED_RATIO = 1.15
"""The shortest of several forwards is trusted if another one comes as near to it; otherwise the machine was busy."""


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
    processor_seconds
        Of all processors together, for one sample; 0 where it is not known, or a GPU computes.
    """

    precision: str
    implementation: str
    samples_per_second: float
    min_cosine: float
    startup_seconds: float = 0.0
    processor_seconds: float = 0.0

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


class Timed(NamedTuple):
    """How long a forward takes.

    Attributes
    ----------
    seconds
        By the clock. Other programs stretch it.
    processor_seconds
        Of all processors together, which other programs hardly change.
    """

    seconds: float
    processor_seconds: float = 0.0


class Trial(NamedTuple):
    """A method that was built and run on the probe.

    Attributes
    ----------
    embedder
        Of one view and one pass.
    embedded
        Embeddings of the probe, shape ``(n, 1, embedding_dim)``.
    startup_seconds
        As in `Measurement`.
    timed
        A sample's share of a forward.
    rival
        The same of the embedder that was timed in turn with it; None if there was none.
    """

    embedder: Embedder
    embedded: Float32s
    startup_seconds: float
    timed: Timed
    rival: Timed | None = None


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

    def try_method(
        self,
        method: ComputeMethod,
        rival: Embedder | None = None,
        is_out: Callable[[Float32s], bool] = lambda _: False,
    ) -> Trial:
        """Build a method, and embed and time the probe batch with it.

        Parameters
        ----------
        method
            What to try.
        rival
            An embedder that is timed in turn with it, so that other load on the machine slows both.
        is_out
            Says of the embeddings, shape ``(n, 1, embedding_dim)``, whether they rule the method out: then it is timed
            once, for the record.
        """
        began = time.perf_counter()
        embedder = self.embedder(method)
        embedded = embedder(self.samples)
        startup = time.perf_counter() - began
        if is_out(embedded):
            once = _timed(lambda: embedder(self.samples))
            return Trial(embedder, embedded, startup, _of_a_sample(once, len(self.samples)))
        embedders = [embedder] if rival is None else [embedder, rival]
        times = timed_in_turn(embedders, self.samples)
        shares = [_of_a_sample(one, by.batch_size) for one, by in zip(times, embedders, strict=True)]
        return Trial(embedder, embedded, startup, *shares)


def build_embedder(
    backbone: LoadedBackbone,
    inputs: Inputs,
    *,
    device: torch.device,
    method: ComputeMethod,
    batch_size: int,
    say: Callable[[str], None] = lambda _: None,
) -> Embedder:
    """Build the embedder of a compute method for one network; the loaded backbone is not changed.

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
    (transform,) = inputs.transforms
    side = transform.input_size
    module = build_module(backbone, method, Target(device, torch.Size((batch_size, 3, side, side))))
    return Embedder([module], inputs, device=device, precision=method.precision, batch_size=batch_size, say=say)


def _of_a_sample(timed: Timed, n_samples: int) -> Timed:
    return Timed(max(timed.seconds, 1e-9) / n_samples, timed.processor_seconds / n_samples)


def timed_in_turn(embedders: Sequence[Embedder], samples: Sequence[Decoded]) -> list[Timed]:
    """Measure the shortest of a few forwards of each embedder: other load on the machine can only make them longer.

    Only the forward is timed: pictures are resized once for all views and passes of a sample, in the same way by each
    method. A shortest forward that no other comes near is measured again, because the machine was busy during the
    others.

    Parameters
    ----------
    embedders
        What to time, one forward of each after the other.
    samples
        What they embed; the first batch is taken.

    Returns
    -------
    list of Timed
        Of a whole batch, by embedder: the least seconds of the clock, and the least of the processors.
    """
    forwards = [embedder.repeatable_forward(samples) for embedder in embedders]
    times: list[list[Timed]] = [[] for _ in forwards]
    while not all(_is_trusted([one.seconds for one in own]) for own in times):
        for forward, own in zip(forwards, times, strict=True):
            own.append(_settled(forward))
    return [_least(own) for own in times]


def _least(times: Sequence[Timed]) -> Timed:
    return Timed(*map(min, zip(*times, strict=True)))


def _settled(forward: Callable[[], None]) -> Timed:
    """Time a forward, and a short one once more: threads of the forward before are awake for some milliseconds."""
    first = _timed(forward)
    return first if first.seconds >= SHORT_SECONDS else _least([first, _timed(forward)])


def _timed(forward: Callable[[], object]) -> Timed:
    began, worked = time.perf_counter(), time.process_time()
    forward()
    return Timed(time.perf_counter() - began, time.process_time() - worked)


def _is_trusted(times: Sequence[float]) -> bool:
    if len(times) >= MOST_TIMED_FORWARDS or sum(times) < LEAST_TIMED_SECONDS:
        return len(times) >= MOST_TIMED_FORWARDS
    shortest, *others = sorted(times)
    return shortest >= TRUSTED_SECONDS or (bool(others) and others[0] <= TRUSTED_RATIO * shortest)


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
