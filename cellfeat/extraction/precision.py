"""Which precision and which implementation of the backbone: measured on the user's own images, not looked up.

A candidate is held against float32: every sample of the probe must keep a cosine of at least `MIN_COSINE`, or it is
out. Of those that pass, the fastest is taken, if it is clearly faster.
"""

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from cellfeat.backbones.convnext import rewrite_convnext
from cellfeat.backbones.registry import LoadedBackbone
from cellfeat.errors import DeviceError
from cellfeat.extraction.device import precisions_of
from cellfeat.extraction.embedder import Embedder, Inputs, Plan, prepared
from cellfeat.extraction.pipeline import Decoded

MIN_COSINE = 0.9995
CLEARLY_FASTER = 1.1
PROBE_SAMPLES = 8
MIN_FORWARDS_TO_PROBE = 256
"""Below this many forwards, float32 is finished before a probe would have paid for itself."""


@dataclass(frozen=True)
class Measured:
    """A candidate's figures on the probe batch."""

    precision: str
    implementation: str
    samples_per_second: float
    min_cosine: float

    @property
    def passes(self) -> bool:
        """Whether it is close enough to float32."""
        return self.min_cosine >= MIN_COSINE


@dataclass(frozen=True)
class Choice:
    """The plan that was taken, and what was measured on the way; empty where nothing had to be chosen."""

    plan: Plan
    considered: tuple[Measured, ...] = ()

    def record(self) -> list[dict[str, object]]:
        """List the candidates as plain JSON values."""
        return [asdict(candidate) for candidate in self.considered]

    def __str__(self) -> str:
        taken = f"{self.plan.precision} ({self.plan.implementation})"
        figures = "; ".join(
            f"{c.precision} {c.implementation} {c.samples_per_second:.1f}/s, cosine {c.min_cosine:.5f}"
            for c in self.considered
        )
        return f"{taken}, of: {figures}" if figures else taken


def build_embedder(
    backbone: LoadedBackbone, inputs: Inputs, *, device: torch.device, plan: Plan, batch_size: int
) -> Embedder:
    """Build the embedder of a plan; the loaded backbone itself is left as it is."""
    module = rewrite_convnext(backbone.module) if "rewritten" in plan.implementation else copy.deepcopy(backbone.module)
    return Embedder(prepared(module, device=device, plan=plan), inputs, device=device, plan=plan, batch_size=batch_size)


def choose_plan(
    backbone: LoadedBackbone,
    inputs: Inputs,
    *,
    device: torch.device,
    precision: str,
    probe: Callable[[], Sequence[Decoded]],
    n_forwards: int,
) -> Choice:
    """Choose how the forward is computed.

    Parameters
    ----------
    precision
        ``auto``, or the one that is asked for.
    probe
        Reads the samples that candidates are measured on; called only where there is something to choose.
    n_forwards
        Forwards of one picture that are left to do.

    Raises
    ------
    DeviceError
        If the device does not compute in `precision`.
    """
    available = precisions_of(device)
    if precision not in ("auto", *available):
        raise DeviceError(
            f"--precision {precision}: {device.type} here computes in {', '.join(available)}; try --precision auto"
        )
    plans = candidates(backbone, available if precision == "auto" else (precision,))
    if len(plans) == 1 or n_forwards < MIN_FORWARDS_TO_PROBE:
        return Choice(plans[0])
    samples = probe()[:PROBE_SAMPLES]
    if not samples:
        return Choice(plans[0])
    one_forward = replace(inputs, n_views=1, passes=inputs.passes[:1])
    measured = measure(backbone, one_forward, plans, device=device, samples=samples)
    best = _clearly_fastest([one for one in measured if one.passes])
    return Choice(Plan(best.precision, best.implementation), tuple(measured))


def _clearly_fastest(measured: Sequence[Measured]) -> Measured:
    """Take the fastest; an earlier one, which is safer, if it is not clearly slower: noise must not decide."""
    best = measured[0]
    for one in measured[1:]:
        if one.samples_per_second > CLEARLY_FASTER * best.samples_per_second:
            best = one
    return best


def candidates(backbone: LoadedBackbone, precisions: Iterable[str]) -> list[Plan]:
    """List the plan of each precision, in their order: float32 comes first where there is a choice."""
    # One implementation a precision: it follows from the recipe, so that features made apart fit together.
    implementation = "rewritten" if backbone.family == "convnext" else "plain"
    return [Plan(precision, implementation) for precision in precisions]


def measure(
    backbone: LoadedBackbone,
    inputs: Inputs,
    plans: Sequence[Plan],
    *,
    device: torch.device,
    samples: Sequence[Decoded],
) -> list[Measured]:
    """Measure plans on a probe batch: speed, and the smallest cosine of a sample to its embedding by the first plan."""
    reference: np.ndarray | None = None
    measured = []
    for plan in plans:
        embedder = build_embedder(backbone, inputs, device=device, plan=plan, batch_size=len(samples))
        embedded, seconds = _timed(embedder, samples)
        reference = embedded if reference is None else reference
        speed = len(samples) / seconds
        measured.append(Measured(plan.precision, plan.implementation, speed, _min_cosine(reference, embedded)))
    return measured


def _timed(embedder: Embedder, samples: Sequence[Decoded]) -> tuple[np.ndarray, float]:
    embedder(samples)
    began = time.perf_counter()
    embedded = embedder(samples)
    return embedded, time.perf_counter() - began


def _min_cosine(reference: np.ndarray, embedded: np.ndarray) -> float:
    """Smallest cosine between embeddings of the same sample and view; 0 where one is not finite."""
    a, b = (array.reshape(-1, array.shape[-1]).astype(np.float64) for array in (reference, embedded))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(norms, np.finfo(np.float64).tiny)
    return float(np.nan_to_num(cosines, nan=0.0).min())
