"""The choice of precision: inaccurate candidates are refused, and noise does not decide."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.registry import load_backbone
from cellfeat.errors import BackboneError, DeviceError
from cellfeat.extraction.forward import precision
from cellfeat.extraction.forward import probe as probe_module
from cellfeat.extraction.forward.capabilities import fast_precisions_of
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.implementations import IMPLEMENTATIONS, ComputeMethod, Implementation
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.forward.precision import PrecisionChoice, choose_method
from cellfeat.extraction.forward.probe import Probe, Timed, min_cosine
from cellfeat.extraction.read_ahead import Decoded

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone(checkpoint: Callable[[str], Path]) -> LoadedBackbone:
    return load_backbone("convnext_tiny", weights=str(checkpoint("convnext_tiny")), input_size=32)


@pytest.fixture(scope="module")
def probe(backbone: LoadedBackbone) -> Probe:
    rng = np.random.default_rng(0)
    limits = np.array([[0, 255]] * 3, np.float32)
    samples = [Decoded(row, rng.integers(0, 256, (3, 32, 32), dtype=np.uint8), limits, "00") for row in range(4)]
    inputs = Inputs((backbone.transform,), tuple(make_passes(["a", "b", "c"], "planes")), 3, 1)
    return Probe(backbone, inputs, CPU, batch_size=4, samples=samples, n_forwards=20_000)


@pytest.mark.slow
def test_every_candidate_is_compared_with_float32(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    # Enough forwards for every candidate, but for the compiler that takes half a minute.
    monkeypatch.setitem(IMPLEMENTATIONS, "compiled", replace(IMPLEMENTATIONS["compiled"], startup_seconds=1e9))
    considered = choose_method(replace(probe, n_forwards=100_000), "auto").considered
    cosines = {precision: [one.min_cosine for one in considered if one.precision == precision] for precision in
               ("fp32", "bf16")}  # fmt: skip
    assert considered[0].precision == "fp32"
    assert {one.precision for one in considered} == set(fast_precisions_of(CPU))
    assert len(considered) > len(fast_precisions_of(CPU)), "one of them in more than one way"
    assert all(cosine > 1 - 5e-9 for cosine in cosines["fp32"])
    assert all(0.99 < cosine < 1 - 5e-9 for cosine in cosines["bf16"])


def stand_ins(
    monkeypatch: pytest.MonkeyPatch, probe: Probe, figures: dict[str, tuple[float, float]]
) -> Callable[..., PrecisionChoice]:
    """Plans by name with the speed and the cosine that they shall be measured with; names in capitals are compiled."""
    methods = [ComputeMethod(*name.lower().split()) for name in figures]
    by_method = {str(method): value for method, value in zip(methods, figures.values(), strict=True)}
    compiled = {str(method): name.isupper() for method, name in zip(methods, figures, strict=True)}
    monkeypatch.setattr(precision, "methods_for", lambda *_: methods)
    monkeypatch.setattr(precision, "IMPLEMENTATIONS", _Table(compiled))
    monkeypatch.setattr(Probe, "embedder", lambda self, method: _StandIn(method, *by_method[str(method)]))
    monkeypatch.setattr(
        probe_module, "timed_in_turn", lambda embedders, _: [Timed(one.batch_size / one.speed) for one in embedders]
    )
    return lambda wanted="auto", **changes: choose_method(replace(probe, **changes), wanted)


class _Table(dict[str, object]):
    def __missing__(self, name: str) -> object:
        is_compiled = self.get(f"bf16 {name}", False) or self.get(f"fp32 {name}", False)
        startup = 15.0 if is_compiled else 0.0
        return Implementation(lambda *_: None, startup_seconds=startup, is_fallback=name == "fallback")


class _StandIn(Embedder):
    """Returns embeddings of a given cosine to the reference."""

    batch_size = 4

    def __init__(self, method: ComputeMethod, speed: float, cosine: float) -> None:
        self.method, self.speed, self.cosine = method, speed, cosine

    def __call__(self, samples: object) -> np.ndarray:
        return np.array([[[self.cosine, (1 - self.cosine**2) ** 0.5]]])


CHOICES = {
    "the fastest": ({"fp32 a": (10, 1.0), "bf16 a": (30, 0.9999)}, "bf16 a"),
    "not an inaccurate one": ({"fp32 a": (10, 1.0), "bf16 a": (30, 0.9994)}, "fp32 a"),
    "the earlier of two alike": ({"fp32 a": (10, 1.0), "bf16 a": (11, 0.9999)}, "fp32 a"),
    "the better of two implementations": ({"fp32 a": (10, 1.0), "fp32 b": (13, 1.0)}, "fp32 b"),
    "not an inaccurate float32": ({"fp32 a": (10, 1.0), "fp32 b": (30, 0.9999)}, "fp32 a"),
    "nothing before float32": ({"bf16 a": (30, 1.0), "fp32 a": (10, 1.0)}, "fp32 a"),
    "a compiled one that pays": ({"fp32 a": (10, 1.0), "FP32 C": (20, 1.0)}, "fp32 c"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_auto_chooses(name: str, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    figures, expected = CHOICES[name]
    choice = stand_ins(monkeypatch, probe, figures)()
    assert str(choice.method) == expected
    assert len(choice.considered) + len(choice.skipped) == len(figures)


def test_a_compiler_that_does_not_pay_is_not_started(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0), "FP32 C": (20, 1.0)})
    choice = choose(n_forwards=1_000)
    assert str(choice.method) == "fp32 a"
    assert choice.skipped == ("fp32 c: a trial takes more than 2% of the remaining time",)


def test_only_the_fastest_precision_is_tried_further(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"fp32 a": (10, 1.0), "bf16 a": (20, 0.9), "fp32 b": (11, 1.0), "bf16 b": (99, 0.9), "FP32 C": (20, 1.0)}
    choice = stand_ins(monkeypatch, probe, figures)()
    assert str(choice.method) == "fp32 c"
    assert choice.skipped == ("bf16 b: bf16 is too far from float32",)


def test_a_method_that_is_too_far_from_float32_is_not_timed_in_turn(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0), "bf16 a": (30, 0.99)})
    timed: list[str] = []

    def timed_in_turn(embedders: Sequence[_StandIn], _: object) -> list[Timed]:
        timed.extend(str(one.method) for one in embedders)
        return [Timed(0.1) for _ in embedders]

    monkeypatch.setattr(probe_module, "timed_in_turn", timed_in_turn)
    choice = choose()
    assert timed == ["fp32 a"]
    assert [one.is_accurate for one in choice.considered] == [True, False]


@pytest.mark.slow
def test_trials_together_cost_no_more_than_their_share(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"fp32 a": (10, 1.0), "fp32 b": (10, 1.0), "fp32 c": (10, 1.0)}
    choose = stand_ins(monkeypatch, probe, figures)
    monkeypatch.setattr(
        probe_module, "timed_in_turn", lambda embedders, _: time.sleep(0.5) or [Timed(0.4) for _ in embedders]
    )
    choice = choose(n_forwards=800)  # 80 seconds, of which 1.6 may be spent; a trial is guessed at 1.2 and takes 0.5
    assert [one.implementation for one in choice.considered] == ["a", "b"]
    assert choice.skipped == ("fp32 c: a trial takes more than 2% of the remaining time",)


def test_a_forward_that_met_a_busy_machine_is_timed_again(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    durations = iter([0.5, 0.3, 0.12, 0.115, 0.12, 0.13])
    slept: list[float] = []

    embedder = SimpleNamespace(repeatable_forward=lambda _: lambda: slept.append(next(durations)))
    clock = SimpleNamespace(perf_counter=lambda: sum(slept), process_time=lambda: 0.1 * len(slept))
    monkeypatch.setattr(probe_module, "time", clock)
    assert probe_module.timed_in_turn([embedder], probe.samples) == [pytest.approx((0.115, 0.1))]


def test_the_best_is_timed_again_beside_each_candidate(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0), "fp32 b": (20, 1.0)})
    # The first was measured while the machine was busy: beside the second it is nearly as fast.
    rates = iter([[Timed(4 / 10)], [Timed(4 / 20), Timed(4 / 18)]])
    monkeypatch.setattr(probe_module, "timed_in_turn", lambda *_: next(rates))
    choice = choose()
    assert str(choice.method) == "fp32 a"
    assert [one.samples_per_second for one in choice.considered] == pytest.approx([18, 20])


@pytest.mark.parametrize(
    ("clock", "chosen"),
    [(1.08, "fp32 b"), (0.9, "fp32 a")],
    ids=["as fast by the clock", "slower by the clock"],
)
def test_on_a_busy_machine_less_work_decides_between_methods_that_look_alike(
    clock: float, chosen: str, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0), "fp32 b": (10, 1.0)})
    first, second = Timed(0.4, 0.8), Timed(0.4 / clock, 0.4)
    times = iter([[first], [second, first]])
    monkeypatch.setattr(probe_module, "timed_in_turn", lambda *_: next(times))
    choice = choose()
    assert str(choice.method) == chosen
    assert [one.processor_seconds for one in choice.considered] == pytest.approx([0.2, 0.1])


def test_a_fallback_is_not_tried_beside_a_faster_form(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0), "fp32 fallback": (30, 1.0)})()
    assert str(choice.method) == "fp32 a"
    assert choice.skipped == ("fp32 fallback: a faster form of the same network was measured",)


def test_a_compiler_is_tried_in_a_precision_that_was_slower(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"fp32 a": (10, 1.0), "bf16 a": (9, 0.9999), "FP32 C": (20, 1.0), "BF16 C": (40, 0.9999)}
    assert str(stand_ins(monkeypatch, probe, figures)().method) == "bf16 c"


@pytest.mark.slow
def test_a_candidate_that_cannot_be_built_is_skipped_with_its_reason(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Probe.embedder

    def embedder(self: Probe, method: ComputeMethod) -> Embedder:
        if method.implementation == "fused":
            raise BackboneError("no such kernels here")
        return built(self, method)

    monkeypatch.setattr(Probe, "embedder", embedder)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    # On a slow machine a compiler would pay, and take its time here.
    monkeypatch.setitem(IMPLEMENTATIONS, "compiled", replace(IMPLEMENTATIONS["compiled"], startup_seconds=1e9))
    choice = choose_method(replace(probe, n_forwards=5_000), "fp32")
    assert choice.method.implementation in ("rewritten", "plain", "openvino")
    assert "fp32 fused: no such kernels here" in choice.skipped


def test_an_accurate_implementation_of_a_named_precision_is_preferred(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0), "bf16 a": (30, 0.9), "bf16 b": (29, 0.9999)})
    methods = [ComputeMethod("bf16", "a"), ComputeMethod("bf16", "b")]
    monkeypatch.setattr(
        precision, "methods_for", lambda *asked: methods if asked[-1] == ("bf16",) else [ComputeMethod("fp32", "a")]
    )
    assert choose("bf16").method == ComputeMethod("bf16", "b")


def test_a_halved_batch_is_counted_in_the_speed(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = stand_ins(monkeypatch, probe, {"fp32 a": (10, 1.0)})
    monkeypatch.setattr(_StandIn, "batch_size", 1)
    [measured] = choose().considered
    assert measured.samples_per_second == pytest.approx(10), "a forward of its own batch was timed"


def test_a_short_run_measures_nothing(probe: Probe) -> None:
    choice = choose_method(replace(probe, n_forwards=60), "auto")
    assert (choice.method.precision, choice.considered) == ("fp32", ())


def test_a_precision_that_the_device_lacks_is_refused(probe: Probe) -> None:
    with pytest.raises(DeviceError, match=r"--precision fp16: cpu .*fp32, bf16"):
        choose_method(probe, "fp16")


@pytest.mark.slow
def test_a_precision_by_name_is_chosen_and_its_cosine_recorded(probe: Probe) -> None:
    choice = choose_method(replace(probe, n_forwards=5_000), "bf16")
    assert choice.method.precision == "bf16"
    assert all(0.99 < one.min_cosine < 1 - 1e-9 for one in choice.considered)


@pytest.mark.usefixtures("bf16_kernels")
def test_int8_is_measured_however_short_the_run(probe: Probe) -> None:
    choice = choose_method(replace(probe, n_forwards=4), "int8")
    assert choice.method == ComputeMethod("int8", "quantised")
    assert 0.999 <= choice.considered[0].min_cosine < 1 - 1e-9


def test_int8_without_a_readable_sample_is_refused(probe: Probe) -> None:
    with pytest.raises(BackboneError, match=r"int8: no sample .*float32"):
        choose_method(replace(probe, samples=[]), "int8")


@pytest.mark.usefixtures("bf16_kernels")
def test_inaccurate_int8_is_refused(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(precision.MIN_COSINE, "int8", 1.0)
    with pytest.raises(BackboneError, match=r"int8: .*cosine .*0\.99\d+; expected at least 1\.0"):
        choose_method(probe, "int8")


def test_int8_for_another_network_is_refused(probe: Probe) -> None:
    other = replace(probe.backbone, family="mobilenet", name="mobilenet_v3_small")
    with pytest.raises(BackboneError, match=r"int8: .*ConvNeXts on the cpu.*mobilenet_v3_small"):
        choose_method(replace(probe, backbone=other), "int8")


def test_an_embedding_that_is_not_finite_has_no_cosine() -> None:
    reference = np.ones((2, 1, 3))
    overflowed = reference.copy()
    overflowed[1, 0, 0] = np.nan
    assert min_cosine(reference, overflowed) == 0
