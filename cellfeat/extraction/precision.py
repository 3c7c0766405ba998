"""Which precision and which implementation of the backbone: measured on the user's own images, not looked up.

A candidate is held against float32: every sample of the probe must keep a cosine of at least its precision's least, or
it is out. Of those that pass, the fastest is taken, if it is clearly faster. One whose trial would cost more than a
small share of the time that is left is not tried.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.errors import BackboneError, DeviceError
from cellfeat.extraction.device import fast_precisions_of, precisions_of
from cellfeat.extraction.embedder import Embedder, Inputs
from cellfeat.extraction.implementations import IMPLEMENTATIONS, Plan, Target, build_module, plans_for
from cellfeat.extraction.pipeline import Decoded
from cellfeat.extraction.tolerances import MIN_COSINE
from cellfeat.text import first_line

CLEARLY_FASTER = 1.25
"""Two measurements of one plan differ by up to a fifth on a shared machine, and noise must not decide on the bits."""
TRIAL_SHARE = 0.1
"""The most of the time that is left that all trials together may cost."""
COMPILE_SECONDS = 15.0
"""What a compiler takes, as guessed before it is tried; 8 to 20 were measured on 2 cores."""
LEAST_TIMED_SECONDS = 0.2
MOST_TIMED_FORWARDS = 5


@dataclass(frozen=True)
class Measured:
    """A candidate's figures on the probe batch.

    Attributes
    ----------
    samples_per_second
        Of one forward a sample.
    min_cosine
        The least over the probe's samples; 0 where an embedding is not finite.
    startup_seconds
        From the first line to the first batch: building, packing, compiling.
    """

    precision: str
    implementation: str
    samples_per_second: float
    min_cosine: float
    startup_seconds: float = 0.0

    @property
    def passes(self) -> bool:
        """Whether it is close enough to float32."""
        return self.min_cosine >= MIN_COSINE[self.precision]

    def __str__(self) -> str:
        refused = "" if self.passes else ", refused"
        return (
            f"{self.precision} {self.implementation} {self.samples_per_second:.1f}/s, cosine {self.min_cosine:.5f}"
            f"{refused}"
        )


@dataclass(frozen=True)
class Choice:
    """The plan that was taken, with its module, and what was measured on the way.

    Attributes
    ----------
    plan, embedder
        What was taken, and the embedder of one forward that was measured with it.
    considered
        The candidates that were measured; empty where nothing had to be chosen.
    skipped
        Why each other candidate was not.
    """

    plan: Plan
    embedder: Embedder
    considered: tuple[Measured, ...] = ()
    skipped: tuple[str, ...] = ()

    def record(self) -> list[dict[str, object]]:
        """List the candidates as plain JSON values."""
        return [asdict(candidate) for candidate in self.considered]

    def __str__(self) -> str:
        return f"{self.plan}, of: {'; '.join(map(str, self.considered))}" if self.considered else str(self.plan)


@dataclass(frozen=True)
class Probe:
    """What candidates are measured with.

    Attributes
    ----------
    backbone, inputs, device, batch_size
        What is computed, of what, where, and how many samples at a time.
    samples
        Samples of the user's own, at most one batch.
    n_forwards
        Forwards of one picture that are left to do.
    say
        Told when the batch had to be halved.
    """

    backbone: LoadedBackbone
    inputs: Inputs
    device: torch.device
    batch_size: int
    samples: Sequence[Decoded]
    n_forwards: int
    say: Callable[[str], None] = lambda _: None

    @property
    def is_worth_it(self) -> bool:
        """Whether a second candidate could be tried at all within `TRIAL_SHARE`."""
        return bool(self.samples) and 2 * self.batch_size <= TRIAL_SHARE * self.n_forwards

    def embedder(self, plan: Plan) -> Embedder:
        """Build the embedder of one view and one pass."""
        one_forward = replace(self.inputs, n_views=1, passes=self.inputs.passes[:1])
        return build_embedder(
            self.backbone, one_forward, device=self.device, plan=plan, batch_size=self.batch_size, say=self.say
        )


def build_embedder(
    backbone: LoadedBackbone,
    inputs: Inputs,
    *,
    device: torch.device,
    plan: Plan,
    batch_size: int,
    say: Callable[[str], None] = lambda _: None,
) -> Embedder:
    """Build the embedder of a plan; the loaded backbone itself is left as it is.

    Raises
    ------
    BackboneError
        If the plan's implementation cannot be built for this backbone on this machine.
    """
    side = inputs.transform.input_size
    module = build_module(backbone, plan, Target(device, torch.Size((batch_size, 3, side, side))))
    return Embedder(module, inputs, device=device, precision=plan.precision, batch_size=batch_size, say=say)


def choose_plan(probe: Probe, precision: str) -> Choice:
    """Choose how the forward is computed.

    Parameters
    ----------
    probe
        What candidates are measured with; its samples may be none.
    precision
        ``auto``: the fastest that is close enough to float32. A precision by name is taken even if it drifts, and its
        drift goes on record; only ``int8``, which is never taken but by name, is refused.

    Raises
    ------
    DeviceError
        If the device does not compute in `precision`.
    BackboneError
        If `precision` is ``int8`` and the backbone has no such implementation here, or drifts too far in it.
    """
    available = precisions_of(probe.device)
    if precision not in ("auto", "int8", *available):
        raise DeviceError(
            f"--precision {precision}: {probe.device.type} here computes in {', '.join(available)}; "
            f"try --precision auto"
        )
    wanted = fast_precisions_of(probe.device) if precision == "auto" else (precision,)
    plans = plans_for(probe.backbone, probe.device, wanted)
    if not plans:
        raise BackboneError(
            f"--precision int8: only for torchvision's ConvNeXts on the cpu, not for {probe.backbone.name} on "
            f"{probe.device.type}; try --precision auto"
        )
    if precision == "int8" and not probe.samples:
        raise BackboneError("--precision int8: no sample could be read to hold it against float32 with")
    if precision != "int8" and not probe.is_worth_it:
        return _first_that_builds(probe, plans)
    trials = _Trials(probe)
    if precision not in ("auto", "fp32"):
        trials.set_reference(plans_for(probe.backbone, probe.device, ("fp32",)))
    choice = trials.run(plans)
    if precision == "int8":
        _refuse_drift(choice.considered[0])
    return choice


def _refuse_drift(measured: Measured) -> None:
    if not measured.passes:
        raise BackboneError(
            f"--precision {measured.precision}: keeps a cosine of only {measured.min_cosine:.5f} to float32 on these "
            f"images, and {MIN_COSINE[measured.precision]} is asked for; try --precision auto"
        )


def _first_that_builds(probe: Probe, plans: Sequence[Plan]) -> Choice:
    """Take the first plan that is not compiled: it is the one most often the fastest."""
    reasons = []
    for plan in plans:
        try:
            return Choice(plan, probe.embedder(plan))
        except BackboneError as error:
            reasons.append(f"{plan}: {error}")
    raise BackboneError(f"{probe.backbone.name} cannot be computed here: {'; '.join(reasons)}")


class _Trials:
    """Tries plans one after the other, and keeps the best of them built."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._reference: np.ndarray | None = None
        self._measured: list[Measured] = []
        self._skipped: list[str] = []
        self._best: tuple[Measured, Embedder] | None = None
        self._spent = 0.0  # seconds on all trials but the first, without which nothing can be computed

    def set_reference(self, plans: Sequence[Plan]) -> None:
        """Take the embeddings of the first plan that builds for the ones to hold others against."""
        self._reference = _first_that_builds(self._probe, plans).embedder(self._probe.samples)

    def run(self, plans: Sequence[Plan]) -> Choice:
        """Measure the plans that are worth it, and choose."""
        for plan in plans:
            reason = self._reason_to_skip(plan) or self._try(plan)
            if reason:
                self._skipped.append(f"{plan}: {reason}")
        if self._best is None:
            raise BackboneError(f"{self._probe.backbone.name} cannot be computed here: {'; '.join(self._skipped)}")
        best, embedder = self._best
        plan = Plan(best.precision, best.implementation)
        return Choice(plan, embedder, tuple(self._measured), tuple(self._skipped))

    def _reason_to_skip(self, plan: Plan) -> str | None:
        if self._best is None:
            return None
        best = self._best[0]
        was_tried = any(plan.precision == one.precision for one in self._measured)
        if was_tried and plan.precision != best.precision:
            return f"{best.precision} is faster, or closer to float32"
        compiling = COMPILE_SECONDS if IMPLEMENTATIONS[plan.implementation].is_compiled else 0
        trial = self._spent + 2 * self._probe.batch_size / best.samples_per_second + compiling
        left = self._probe.n_forwards / best.samples_per_second
        return f"trying it costs more than {TRIAL_SHARE:.0%} of the time left" if trial > TRIAL_SHARE * left else None

    def _try(self, plan: Plan) -> str | None:
        """Measure a plan; says why where it cannot be computed."""
        probe, began = self._probe, time.perf_counter()
        if self._reference is None and plan.precision != "fp32":
            return "nothing in float32 to hold it against"
        try:
            embedder = probe.embedder(plan)
            embedded = embedder(probe.samples)
            startup = time.perf_counter() - began
            seconds = _seconds_a_batch(embedder, probe.samples)
        except (BackboneError, RuntimeError) as error:
            return first_line(error)
        self._reference = embedded if self._reference is None else self._reference
        cosine = _min_cosine(self._reference, embedded)
        # Batches are padded to their full size: whole ones were timed.
        size = embedder.batch_size
        speed = -(-len(probe.samples) // size) * size / seconds
        measured = Measured(plan.precision, plan.implementation, speed, cosine, startup)
        self._spent += time.perf_counter() - began if self._measured else 0.0
        self._measured.append(measured)
        self._keep_the_better(measured, embedder)
        return None

    def _keep_the_better(self, measured: Measured, embedder: Embedder) -> None:
        """Keep the fastest; an earlier one, which is safer, if it is not clearly slower: noise must not decide."""
        if self._best is not None:
            best = self._best[0]
            is_faster = measured.samples_per_second > CLEARLY_FASTER * best.samples_per_second
            is_better = measured.passes if measured.passes != best.passes else is_faster
            if not is_better:
                return
        self._best = measured, embedder


def _seconds_a_batch(embedder: Embedder, samples: Sequence[Decoded]) -> float:
    """The least time of a few forwards: what else the machine does can only add to it."""
    times: list[float] = []
    while len(times) < MOST_TIMED_FORWARDS and sum(times) < LEAST_TIMED_SECONDS:
        began = time.perf_counter()
        embedder(samples)
        times.append(time.perf_counter() - began)
    return min(times)


def _min_cosine(reference: np.ndarray, embedded: np.ndarray) -> float:
    """Smallest cosine between embeddings of the same sample and view; 0 where one is not finite."""
    a, b = (array.reshape(-1, array.shape[-1]).astype(np.float64) for array in (reference, embedded))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(norms, np.finfo(np.float64).tiny)
    return float(np.nan_to_num(cosines, nan=0.0).min())
