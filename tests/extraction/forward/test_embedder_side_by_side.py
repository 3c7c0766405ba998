"""Several networks in one embedder: each implementation computes what it does alone; one precision holds for all."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.registry import load_backbone
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward import precision as precision_module
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.implementations import ComputeMethod, Target, build_module, methods_for
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.forward.precision import PrecisionChoice, choose_methods
from cellfeat.extraction.forward.probe import Probe
from cellfeat.extraction.read_ahead import Decoded

CPU = torch.device("cpu")
SIDES = {"convnext_tiny": 32, "mobilenet_v3_small": 48}
BATCH = 3


@pytest.fixture(scope="module")
def load(checkpoint: Callable[[str], Path]) -> Callable[[str], LoadedBackbone]:
    return functools.cache(lambda name: load_backbone(name, weights=str(checkpoint(name)), input_size=SIDES[name]))


@pytest.fixture(scope="module")
def samples() -> list[Decoded]:
    rng = np.random.default_rng(0)
    limits = np.array([[0, 255]] * 2, np.float32)
    return [Decoded(row, rng.integers(0, 256, (2, 40, 40), dtype=np.uint8), limits, "00") for row in range(BATCH)]


def embedder_of(networks: Sequence[LoadedBackbone], methods: Sequence[ComputeMethod]) -> Embedder:
    transforms = tuple(network.transform for network in networks)
    modules = [
        build_module(network, method, Target(CPU, torch.Size((BATCH, 3, side, side))))
        for network, method, side in zip(
            networks, methods, [transform.input_size for transform in transforms], strict=True
        )
    ]
    inputs = Inputs(transforms, tuple(make_passes(["a", "b"], "separate")), 2, 1)
    return Embedder(modules, inputs, device=CPU, precision=methods[0].precision, batch_size=BATCH)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_each_implementation_computes_what_it_does_alone(
    precision: str, load: Callable[[str], LoadedBackbone], samples: list[Decoded]
) -> None:
    networks = [load(name) for name in SIDES]
    methods = [methods_for(network, CPU, [precision]) for network in networks]
    tried = 0
    for pair in zip(methods[0], methods[1][::-1], strict=False):
        if "compiled" in {method.implementation for method in pair}:
            continue
        try:
            together = embedder_of(networks, pair)
        except BackboneError:  # what this processor or this network lacks
            continue
        tried += 1
        found = together(samples).reshape(BATCH, 2, -1)
        moved = together(samples[::-1]).reshape(BATCH, 2, -1)[::-1]
        np.testing.assert_array_equal(moved, found)
        start = 0
        for network, method in zip(networks, pair, strict=True):
            expected = embedder_of([network], [method])(samples).reshape(BATCH, 2, -1)
            np.testing.assert_array_equal(found[..., start : start + expected.shape[2]], expected)
            start += expected.shape[2]
    assert tried


def test_networks_with_equal_preprocessing_receive_the_same_pictures(
    load: Callable[[str], LoadedBackbone], samples: list[Decoded]
) -> None:
    seen: list[torch.Tensor] = []

    class Watching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x.mean(dim=(2, 3))

    transform = load("convnext_tiny").transform
    inputs = Inputs((transform, transform), tuple(make_passes(["a", "b"], "separate")), 2, 1)
    Embedder([Watching(), Watching()], inputs, device=CPU, precision="fp32", batch_size=BATCH)(samples)
    assert [one.data_ptr() for one in seen[::2]] == [one.data_ptr() for one in seen[1::2]]


def test_no_sample_gives_rows_of_all_networks(load: Callable[[str], LoadedBackbone]) -> None:
    networks = [load(name) for name in SIDES]
    plain = [ComputeMethod("fp32", "plain")] * 2
    n_columns = 2 * sum(network.embedding_dim for network in networks)
    assert embedder_of(networks, plain)([]).shape == (0, 1, n_columns)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("bf16", "fp32"), ["fp32", "fp32"]),
        (("fp32", "bf16"), ["fp32", "fp32"]),
        (("bf16", "bf16"), ["bf16", "bf16"]),
    ],
)
def test_networks_that_differ_in_precision_are_computed_in_float32(
    found: tuple[str, str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = [object(), object()]

    def choose(probe: object, precision: str) -> PrecisionChoice:
        chosen = found[probes.index(probe)] if precision == "auto" else precision
        return PrecisionChoice(ComputeMethod(chosen, "plain"), None)  # type: ignore[arg-type]

    monkeypatch.setattr(precision_module, "choose_method", choose)
    as_probes: list[Probe] = probes  # type: ignore[assignment]
    assert [one.method.precision for one in choose_methods(as_probes, "auto")] == expected
