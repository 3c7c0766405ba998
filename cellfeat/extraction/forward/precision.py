"""Choose the precision and the implementation of the backbone by measuring them on the user's own images.

A candidate is compared with float32: if the cosine of any sample of the probe falls below the limit of its precision,
the candidate is refused. The fastest of the others is chosen, if it is clearly faster. It is timed in turn with the
best so far, so that other load on the machine slows both. A candidate is not tried if its trial would take more than a
small share of the remaining time.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from cellfeat.errors import BackboneError, DeviceError
from cellfeat.extraction.forward.capabilities import fast_precisions_of, precisions_of
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.forward.implementations import IMPLEMENTATIONS, ComputeMethod, methods_for
from cellfeat.extraction.forward.probe import Measurement, Probe, Timed, Trial, min_cosine
from cellfeat.extraction.forward.tolerances import MIN_COSINE
from cellfeat.text import first_line
from cellfeat.types import Float32s

CLEARLY_FASTER = 1.15
"""Noise must not decide about the bits. Timed in turn, two methods are known to within `probe.TRUSTED_RATIO`."""
LEAST_BATCHES = 20
"""A run of fewer batches ends before measuring pays."""


@dataclass(frozen=True)
class PrecisionChoice:
    """The compute method that was chosen, and what was measured.

    Attributes
    ----------
    method, embedder
        The choice, and the embedder of one view and one pass that was built for it.
    considered
        Measurements of the candidates; empty if there was nothing to choose.
    skipped
        Why each other candidate was not measured.
    """

    method: ComputeMethod
    embedder: Embedder
    considered: tuple[Measurement, ...] = ()
    skipped: tuple[str, ...] = ()

    def record(self) -> list[dict[str, object]]:
        """The measurements as plain JSON values."""
        return [asdict(candidate) for candidate in self.considered]

    def __str__(self) -> str:
        return f"{self.method}, of: {'; '.join(map(str, self.considered))}" if self.considered else str(self.method)


def choose_method(probe: Probe, precision: str) -> PrecisionChoice:
    """Choose how the forward is computed.

    Parameters
    ----------
    probe
        What candidates are measured with; it may have no samples.
    precision
        ``auto``: the fastest that is close enough to float32. A precision by name is chosen even if it is not, and its
        cosine is recorded; only ``int8``, which ``auto`` never chooses, is refused then.

    Raises
    ------
    DeviceError
        If the device does not support `precision`.
    BackboneError
        If `precision` is ``int8`` and the backbone has no such implementation here, or is too far from float32 in it.
    """
    methods = _candidates(probe, precision)
    if precision == "int8" and not probe.samples:
        raise BackboneError("--precision int8: no sample could be read to compare it with float32; check the images")
    if precision != "int8" and not _pays(probe):
        return _first_that_builds(probe, methods)
    trials = _Trials(probe)
    if precision not in ("auto", "fp32"):
        trials.set_reference(methods_for(probe.backbone, probe.device, ("fp32",)))
    choice = trials.run(methods)
    if precision == "int8":
        _check_accuracy(choice.considered[0])
    return choice


def choose_methods(probes: Sequence[Probe], precision: str) -> list[PrecisionChoice]:
    """Choose how the forward of each network is computed, in one precision for all.

    Parameters
    ----------
    probes
        One for each network.
    precision
        As for `choose_method`. Where ``auto`` gives the networks different ones, all are computed in float32, the only
        one that is close enough for each.

    Raises
    ------
    DeviceError, BackboneError
        As for `choose_method`.
    """
    choices = [choose_method(probe, precision) for probe in probes]
    if len({choice.method.precision for choice in choices}) == 1:
        return choices
    return [
        choice if choice.method.precision == "fp32" else choose_method(probe, "fp32")
        for probe, choice in zip(probes, choices, strict=True)
    ]


def _pays(probe: Probe) -> bool:
    return bool(probe.samples) and probe.n_forwards >= LEAST_BATCHES * probe.batch_size


def _candidates(probe: Probe, precision: str) -> list[ComputeMethod]:
    available = precisions_of(probe.device)
    if precision not in ("auto", "int8", *available):
        raise DeviceError(
            f"--precision {precision}: {probe.device.type} on this machine supports {', '.join(available)}; "
            f"try --precision auto"
        )
    wanted = fast_precisions_of(probe.device) if precision == "auto" else (precision,)
    methods = methods_for(probe.backbone, probe.device, wanted)
    if not methods:
        raise BackboneError(
            f"--precision int8: only for torchvision's ConvNeXts on the cpu, not for {probe.backbone.name} on "
            f"{probe.device.type}; try --precision auto"
        )
    return methods


def _check_accuracy(measured: Measurement) -> None:
    if not measured.is_accurate:
        raise BackboneError(
            f"--precision {measured.precision}: the smallest cosine to float32 on these images is "
            f"{measured.min_cosine:.5f}; expected at least {MIN_COSINE[measured.precision]}: try --precision auto"
        )


def _first_that_builds(probe: Probe, methods: Sequence[ComputeMethod]) -> PrecisionChoice:
    """Choose without measuring: of the methods that start at once, the first one listed is usually the fastest."""
    reasons = []
    for method in sorted(methods, key=lambda method: IMPLEMENTATIONS[method.implementation].startup_seconds):
        try:
            return PrecisionChoice(method, probe.embedder(method))
        except BackboneError as error:
            reasons.append(f"{method}: {error}")
    raise _none_builds(probe, reasons)


def _none_builds(probe: Probe, reasons: Sequence[str]) -> BackboneError:
    return BackboneError(f"{probe.backbone.name} cannot be computed on this machine: {'; '.join(reasons)}")


class _Trials:
    """Tries methods one after the other, and keeps the module of the best one."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._reference: np.ndarray | None = None
        self._measured: list[Measurement] = []
        self._skipped: list[str] = []
        self._best: tuple[Measurement, Embedder] | None = None
        self._spent = 0.0  # seconds of all trials but the first, which is needed in any case

    def set_reference(self, methods: Sequence[ComputeMethod]) -> None:
        """Take the embeddings of the first method that can be built as the reference."""
        self._reference = _first_that_builds(self._probe, methods).embedder(self._probe.samples)

    def run(self, methods: Sequence[ComputeMethod]) -> PrecisionChoice:
        """Measure the methods that are worth it, and choose."""
        for method in methods:
            reason = self._reason_to_skip(method) or self._try(method)
            if reason:
                self._skipped.append(f"{method}: {reason}")
        if self._best is None:
            raise _none_builds(self._probe, self._skipped)
        best, embedder = self._best
        return PrecisionChoice(best.method, embedder, tuple(self._measured), tuple(self._skipped))

    def _reason_to_skip(self, method: ComputeMethod) -> str | None:
        if self._best is None:
            return None
        best, implementation = self._best[0], IMPLEMENTATIONS[method.implementation]
        tried = [one for one in self._measured if one.precision == method.precision]
        if method.precision != best.precision and any(not one.is_accurate for one in tried):
            return f"{method.precision} is too far from float32"
        if tried and implementation.is_fallback:
            return "a faster form of the same network was measured"
        # A compiler has kernels of its own, in which another precision may win.
        if tried and method.precision != best.precision and not implementation.startup_seconds:
            return f"{best.precision} is faster"
        # A trial embeds the probe at least three times: to start up, to be timed, and to time the best so far.
        forwards = 3 * self._probe.batch_size / best.samples_per_second
        left = self._probe.n_forwards / best.samples_per_second
        if self._spent + forwards + implementation.startup_seconds <= implementation.trial_share * left:
            return None
        return f"a trial takes more than {implementation.trial_share:.0%} of the remaining time"

    def _try(self, method: ComputeMethod) -> str | None:
        """Measure a method; return the reason if it cannot be computed."""
        if self._reference is None and method.precision != "fp32":
            return "there is no float32 method to compare it with"
        began = time.perf_counter()
        try:
            trial = self._probe.try_method(
                method, None if self._best is None else self._best[1], partial(self._is_out, method.precision)
            )
        except (BackboneError, RuntimeError) as error:
            return first_line(error)
        measured = self._measure(method, trial)
        self._spent += time.perf_counter() - began if self._measured else 0.0
        if trial.rival is not None:
            self._time_best_again(trial.rival)
        self._measured.append(measured)
        if self._is_better(measured):
            self._best = measured, trial.embedder
        return None

    def _is_out(self, precision: str, embedded: Float32s) -> bool:
        """Whether embeddings are too far from float32, and the best so far is not: no speed makes up for that."""
        if self._best is None or self._reference is None or not self._best[0].is_accurate:
            return False
        return min_cosine(self._reference, embedded) < MIN_COSINE[precision]

    def _time_best_again(self, timed: Timed) -> None:
        """Take the shorter times of the best so far: what was measured before may have met a busy machine."""
        if self._best is None:
            return
        best, embedder = self._best
        again = replace(
            best,
            samples_per_second=max(best.samples_per_second, 1 / timed.seconds),
            processor_seconds=min(best.processor_seconds, timed.processor_seconds),
        )
        self._measured[self._measured.index(best)] = again
        self._best = again, embedder

    def _measure(self, method: ComputeMethod, trial: Trial) -> Measurement:
        self._reference = trial.embedded if self._reference is None else self._reference
        cosine = min_cosine(self._reference, trial.embedded)
        return Measurement(
            precision=method.precision,
            implementation=method.implementation,
            samples_per_second=1 / trial.timed.seconds,
            min_cosine=cosine,
            startup_seconds=trial.startup_seconds,
            processor_seconds=trial.timed.processor_seconds if self._probe.device.type == "cpu" else 0.0,
        )

    def _is_better(self, measured: Measurement) -> bool:
        """Whether it replaces the best so far, which is tried earlier because it is safer: noise must not decide."""
        if self._best is None:
            return True
        best = self._best[0]
        if measured.is_accurate != best.is_accurate:
            return measured.is_accurate
        if measured.samples_per_second > CLEARLY_FASTER * best.samples_per_second:
            return True
        is_lighter = CLEARLY_FASTER * measured.processor_seconds < best.processor_seconds
        return is_lighter and measured.samples_per_second >= best.samples_per_second
