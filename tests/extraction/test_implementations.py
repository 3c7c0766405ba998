"""Every implementation computes what the plain network does, in each of its precisions, at any place in a batch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.registry import load_backbone
from cellfeat.errors import BackboneError
from cellfeat.extraction.embedder import Inputs
from cellfeat.extraction.implementations import IMPLEMENTATIONS, Plan, Target, build_module, plans_for
from cellfeat.extraction.passes import make_passes
from cellfeat.extraction.pipeline import Decoded
from cellfeat.extraction.precision import build_embedder
from cellfeat.extraction.tolerances import MIN_COSINE

CPU = torch.device("cpu")
NETWORKS = ("convnext_tiny", "mobilenet_v3_small")
SIDE = 32
PRECISIONS = ("fp32", "bf16", "int8")


def plans_of(name: str) -> list[Plan]:
    family = "convnext" if "convnext" in name else "mobilenet"
    return [
        Plan(precision, key)
        for precision in PRECISIONS
        for key, implementation in IMPLEMENTATIONS.items()
        if implementation.fits(family, "cpu", precision)
    ]


def cases() -> Iterator[object]:
    for name in NETWORKS:
        for plan in plans_of(name):
            marks = [pytest.mark.slow] if IMPLEMENTATIONS[plan.implementation].is_compiled else []
            yield pytest.param(name, plan, id=f"{name}-{plan.precision}-{plan.implementation}", marks=marks)


@pytest.fixture(scope="module")
def load(checkpoint: Callable[[str], Path]) -> Callable[[str], LoadedBackbone]:
    return lambda name: load_backbone(name, weights=str(checkpoint(name)), input_size=SIDE)


@pytest.fixture(scope="module")
def samples() -> list[Decoded]:
    rng = np.random.default_rng(0)
    limits = np.array([[0, 255]] * 3, np.float32)
    return [Decoded(row, rng.integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8), limits, "00") for row in range(6)]


def embed(backbone: LoadedBackbone, plan: Plan, *batches: list[Decoded]) -> list[np.ndarray]:
    inputs = Inputs(backbone.transform, tuple(make_passes(["a", "b", "c"], "planes")), 3, 1)
    embedder = build_embedder(backbone, inputs, device=CPU, plan=plan, batch_size=len(batches[0]))
    return [embedder(batch)[:, 0].astype(np.float64) for batch in batches]


@pytest.mark.parametrize(("name", "plan"), list(cases()))
def test_it_computes_what_the_plain_network_does_at_any_place_in_any_batch(
    name: str, plan: Plan, load: Callable[[str], LoadedBackbone], samples: list[Decoded]
) -> None:
    backbone = load(name)
    # MobileNet does not bear bf16, and extraction refuses it there.
    least = 0.99 if (name, plan.precision) == ("mobilenet_v3_small", "bf16") else MIN_COSINE[plan.precision]
    [expected] = embed(backbone, Plan("fp32", "plain"), samples)
    turned = [samples[i] for i in (3, 4, 5, 0, 1, 2)]
    try:
        in_order, moved, alone = embed(backbone, plan, samples, turned, samples[:1])
    except BackboneError as error:
        if "unavailable here" in str(error) or "no convolution feeds a batch norm" in str(error):
            pytest.skip(str(error))
        raise
    assert expected.std() > 1e-3, "the embeddings say something"
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(in_order, axis=1)
    assert ((expected * in_order).sum(axis=1) / norms).min() >= least
    if plan.precision == "fp32":
        assert np.abs(in_order - expected).max() <= 1e-4 * np.abs(expected).max()
    np.testing.assert_array_equal(moved[[3, 4, 5, 0, 1, 2]], in_order)
    np.testing.assert_array_equal(alone[0], in_order[0])


def test_the_likeliest_of_each_precision_comes_first_and_compiled_plans_last(
    load: Callable[[str], LoadedBackbone],
) -> None:
    plans = plans_for(load("convnext_tiny"), CPU, ["fp32", "bf16"])
    assert plans[:2] == [Plan("fp32", "fused"), Plan("bf16", "fused")]
    assert [plan.implementation for plan in plans[-2:]] == ["compiled", "compiled"]
    assert {plan.precision for plan in plans} == {"fp32", "bf16"}


def test_integers_are_for_convnexts_on_the_cpu_alone(load: Callable[[str], LoadedBackbone]) -> None:
    assert plans_for(load("convnext_tiny"), CPU, ["int8"]) == [Plan("int8", "quantised")]
    assert plans_for(load("mobilenet_v3_small"), CPU, ["int8"]) == []
    assert plans_for(load("convnext_tiny"), torch.device("cuda"), ["int8"]) == []


@pytest.mark.parametrize("plan", [Plan("int8", "fused"), Plan("fp32", "quantised")], ids=str)
def test_a_plan_that_no_one_has_is_refused(plan: Plan, load: Callable[[str], LoadedBackbone]) -> None:
    target = Target(CPU, torch.Size((1, 3, SIDE, SIDE)))
    with pytest.raises(BackboneError, match=f"'{plan}' is not for convnext_tiny on cpu"):
        build_module(load("convnext_tiny"), plan, target)


def test_an_implementation_of_another_version_is_refused(load: Callable[[str], LoadedBackbone]) -> None:
    target = Target(CPU, torch.Size((1, 3, SIDE, SIDE)))
    with pytest.raises(BackboneError, match="no implementation is named 'xla'"):
        build_module(load("mobilenet_v3_small"), Plan("fp32", "xla"), target)


@pytest.mark.parametrize(
    "plan",
    [plan for plan in plans_of("convnext_tiny") if not IMPLEMENTATIONS[plan.implementation].is_compiled],
    ids=str,
)
def test_every_implementation_can_be_pooled_by_stage(
    plan: Plan, checkpoint: Callable[[str], Path], samples: list[Decoded]
) -> None:
    backbone = load_backbone("convnext_tiny", weights=str(checkpoint("convnext_tiny")), input_size=SIDE, pool="stages")
    [expected] = embed(backbone, Plan("fp32", "plain"), samples)
    try:
        [got] = embed(backbone, plan, samples)
    except BackboneError as error:
        pytest.skip(str(error))
    assert got.shape == (len(samples), backbone.embedding_dim)
    cosines = (got * expected).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > MIN_COSINE[plan.precision]
    assert plan.precision != "fp32" or np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_compiled_network_is_not_pooled_by_stage(checkpoint: Callable[[str], Path]) -> None:
    backbone = load_backbone("convnext_tiny", weights=str(checkpoint("convnext_tiny")), input_size=SIDE, pool="stages")
    with pytest.raises(BackboneError, match="no stages to look at"):
        build_module(backbone, Plan("fp32", "compiled"), Target(CPU, torch.Size((2, 3, SIDE, SIDE))))
