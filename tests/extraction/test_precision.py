"""The choice of precision: drift keeps a candidate out, noise does not decide, and what is not there is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cellfeat.backbones.registry import LoadedBackbone, load_backbone
from cellfeat.errors import DeviceError
from cellfeat.extraction import precision
from cellfeat.extraction.embedder import Inputs, Plan
from cellfeat.extraction.passes import make_passes
from cellfeat.extraction.pipeline import Decoded
from cellfeat.extraction.precision import Measured, candidates, choose_plan, measure

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone(checkpoint: Callable[[str], Path]) -> LoadedBackbone:
    return load_backbone("convnext_tiny", weights=str(checkpoint("convnext_tiny")), input_size=32)


@pytest.fixture(scope="module")
def inputs(backbone: LoadedBackbone) -> Inputs:
    return Inputs(backbone.transform, tuple(make_passes(["a", "b", "c"], "planes")), 3, 1)


@pytest.fixture(scope="module")
def samples() -> list[Decoded]:
    rng = np.random.default_rng(0)
    limits = np.array([[0, 255]] * 3, np.float32)
    return [Decoded(row, rng.integers(0, 256, (3, 32, 32), dtype=np.uint8), limits, "00") for row in range(4)]


def choose(backbone: LoadedBackbone, inputs: Inputs, wanted: str, samples: list[Decoded], n_forwards: int = 10_000):
    return choose_plan(
        backbone, inputs, device=CPU, precision=wanted, probe=lambda: samples, n_forwards=n_forwards
    )  # fmt: skip


def test_every_candidate_is_held_against_float32(
    backbone: LoadedBackbone, inputs: Inputs, samples: list[Decoded]
) -> None:
    measured = measure(backbone, inputs, candidates(backbone, ["fp32", "bf16"]), device=CPU, samples=samples)
    assert [one.precision for one in measured] == ["fp32", "bf16"]
    assert measured[0].min_cosine == pytest.approx(1, abs=1e-12)
    assert all(0.99 < one.min_cosine < 1 - 1e-9 for one in measured[1:])


def figures(*speeds_and_cosines: tuple[float, float]) -> Callable[..., list[Measured]]:
    return lambda *_, **__: [
        Measured(precision, "plain", speed, cosine)
        for precision, (speed, cosine) in zip(("fp32", "bf16"), speeds_and_cosines, strict=True)
    ]


CHOICES = {
    "the fastest": (((10, 1.0), (30, 0.9999)), "bf16"),
    "not one that drifts": (((10, 1.0), (30, 0.9994)), "fp32"),
    "the safer of two alike": (((10, 1.0), (10.9, 0.9999)), "fp32"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_auto_takes(
    name: str, backbone: LoadedBackbone, inputs: Inputs, samples: list[Decoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, expected = CHOICES[name]
    monkeypatch.setattr(precision, "measure", figures(*measured))
    assert choose(backbone, inputs, "auto", samples).plan == Plan(expected, "plain")


def test_a_short_run_is_not_worth_a_probe(backbone: LoadedBackbone, inputs: Inputs) -> None:
    choice = choose(backbone, inputs, "auto", [], n_forwards=100)
    assert (choice.plan.precision, choice.considered) == ("fp32", ())


def test_a_precision_that_the_device_lacks_is_refused(backbone: LoadedBackbone, inputs: Inputs) -> None:
    with pytest.raises(DeviceError, match="cpu here computes in fp32, bf16"):
        choose(backbone, inputs, "fp16", [])


def test_an_embedding_that_is_not_finite_has_no_cosine() -> None:
    reference = np.ones((2, 1, 3))
    overflowed = reference.copy()
    overflowed[1, 0, 0] = np.nan
    assert precision._min_cosine(reference, overflowed) == 0
