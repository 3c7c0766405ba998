"""Networks compiled by OpenVINO: the same numbers at any place in a batch, in any batch, and no telemetry."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.pooling import StagePooled
from cellfeat.backbones.rewrites.openvino import compile_with_openvino, openvino_is_installed
from cellfeat.backbones.transform import Transform
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.implementations import ComputeMethod, Target, build_module, methods_for

IMAGES = torch.Size((5, 3, 40, 40))
CPU = torch.device("cpu")
SILENT = """
import os, socket, sys

def no_network(*args, **kwargs):
    print("CALLED", args)
    raise OSError("no network in this test")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = no_network
import torch
from cellfeat.backbones.rewrites.openvino import compile_with_openvino
compile_with_openvino(torch.nn.Conv2d(3, 4, 3).eval(), precision="fp32", images=torch.Size((1, 3, 8, 8)))
print("openvino" in sys.modules, os.listdir(os.environ["HOME"]))
"""

pytestmark = pytest.mark.skipif(not openvino_is_installed(), reason="OpenVINO is not installed")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.SiLU(), nn.Conv2d(16, 24, 3, groups=8), nn.ReLU())
    return StagePooled(nn.Sequential(*layers).eval().requires_grad_(False), ("2", "4"))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    x = torch.randn(IMAGES, generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=torch.channels_last)


class FailingRequest:
    """A request that computes, then fails."""

    def __init__(self, request: Any, waited_for: list[Any]) -> None:
        self._request, self._waited_for = request, waited_for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def wait(self) -> None:
        self._request.wait()
        self._waited_for.append(self)
        raise RuntimeError("out of memory")


@torch.inference_mode()
def test_every_piece_is_waited_for_if_one_fails(
    network: nn.Module, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = compile_with_openvino(network, precision="fp32", images=IMAGES)
    waited_for: list[Any] = []
    requests = [FailingRequest(one, waited_for) for one in compiled._compiled_pieces.taken()]
    monkeypatch.setattr(compiled._compiled_pieces, "taken", lambda: requests)
    with pytest.raises(RuntimeError, match="out of memory"):
        compiled(images)
    assert len(requests) > 1
    assert set(waited_for) == set(requests)


@pytest.mark.slow
@torch.inference_mode()
def test_float32_computes_the_same_in_any_layout(network: nn.Module, images: torch.Tensor) -> None:
    compiled = compile_with_openvino(network, precision="fp32", images=IMAGES)
    expected, got = network(images), compiled(images)
    assert (expected - got).abs().max() <= 1e-5 * expected.abs().max()
    torch.testing.assert_close(compiled(images.contiguous()), got, rtol=0, atol=0)


@torch.inference_mode()
def test_a_row_depends_on_no_other_row_and_stays_when_the_next_batch_comes(
    network: nn.Module, images: torch.Tensor
) -> None:
    compiled = compile_with_openvino(network, precision="fp32", images=IMAGES)
    first = compiled(images)
    kept = first.clone()
    beside_zeros = torch.zeros_like(images)
    beside_zeros[3] = images[0]
    torch.testing.assert_close(compiled(beside_zeros)[3], first[0], rtol=0, atol=0)
    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_threads_that_call_it_at_once_get_their_own_rows(network: nn.Module) -> None:
    compiled = compile_with_openvino(network, precision="fp32", images=IMAGES)
    batches = [torch.full(IMAGES, value) for value in torch.linspace(-1, 1, 12)]
    expected = [compiled(batch) for batch in batches]
    with ThreadPoolExecutor(3) as threads:
        got = list(threads.map(compiled, batches))
    assert all(torch.equal(one, other) for one, other in zip(expected, got, strict=True))


@pytest.mark.parametrize("n", [1, 3, 5, 8])
@torch.inference_mode()
def test_batches_of_any_size_are_computed_in_pieces(network: nn.Module, n: int) -> None:
    images = torch.randn((n, *IMAGES[1:]), generator=torch.Generator().manual_seed(2))
    compiled = compile_with_openvino(network, precision="fp32", images=images.shape)
    torch.testing.assert_close(compiled(images), network(images), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_halved_batch_is_compiled_for_its_shape(network: nn.Module, images: torch.Tensor) -> None:
    compiled = compile_with_openvino(network, precision="fp32", images=IMAGES)
    torch.testing.assert_close(compiled(images[:2]), network(images[:2]), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_bfloat16_stays_within_its_tolerance(network: nn.Module, images: torch.Tensor) -> None:
    try:
        compiled = compile_with_openvino(network, precision="bf16", images=IMAGES)
    except BackboneError as error:
        pytest.skip(str(error))
    expected, got = network(images).double(), compiled(images.bfloat16()).double()
    cosine = float(torch.cosine_similarity(expected, got).min())
    assert 0.9995 <= cosine < 1 - 1e-9, "bfloat16 is really used"


@pytest.mark.slow
def test_it_sends_nothing_and_writes_nothing_into_the_home_directory(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key not in ("CI", "TF_BUILD", "JENKINS_URL")}
    env |= {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, env=env, check=True)
    assert ended.stdout.splitlines() == ["True []"]


def loaded(network: nn.Module) -> LoadedBackbone:
    grey = (0.5, 0.5, 0.5)
    transform = Transform(resize=40, crop=40, input_size=40, interpolation="bilinear", mean=grey, std=grey)
    return LoadedBackbone("small", "small", network, transform, 80, "random", "sha256:0")


def test_without_the_package_the_others_remain_and_its_name_says_what_to_install(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = loaded(network)
    assert ComputeMethod("fp32", "openvino") in methods_for(backbone, CPU, ["fp32"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    names = [method.implementation for method in methods_for(backbone, CPU, ["fp32"])]
    assert "openvino" not in names
    assert "folded" in names
    with pytest.raises(BackboneError, match=r"openvino.*pip install openvino"):
        build_module(backbone, ComputeMethod("fp32", "openvino"), Target(CPU, IMAGES))


def test_a_network_that_cannot_be_converted_is_refused() -> None:
    class Unknown(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x[:, 0]).real

    with pytest.raises(BackboneError, match="OpenVINO cannot compile"):
        compile_with_openvino(Unknown(), precision="fp32", images=IMAGES)


def test_nothing_is_built_for_an_unknown_processor(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, build_core: Callable[[list[str]], object]
) -> None:
    monkeypatch.setattr("cellfeat.backbones.rewrites.openvino._core", lambda: build_core(["FP32"]))
    with pytest.raises(BackboneError, match="no fast bf16"):
        compile_with_openvino(network, precision="bf16", images=IMAGES)


@pytest.fixture
def build_core() -> Callable[[list[str]], object]:
    """Makes a stand-in for the processor, which has some capabilities."""
    return lambda able: type("Core", (), {"get_property": lambda *_: able})()


@pytest.mark.slow
def test_ctrl_c_after_networks_are_released_is_an_exception() -> None:
    """Each network had a core of its own, and released in this order the second gave a freed stack back for signals."""
    code = (
        "import faulthandler, gc, signal, torch; faulthandler.enable()\n"
        "from cellfeat.backbones.rewrites.openvino import compile_with_openvino\n"
        "network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())\n"
        "shapes = [torch.Size((1, 3, size, size)) for size in (16, 32)]\n"
        "both = [compile_with_openvino(network.eval(), precision='fp32', images=shape) for shape in shapes]\n"
        "outputs = [one(torch.zeros(shape)) for one, shape in zip(both, shapes)]\n"
        "both.pop(0); gc.collect(); both.pop(0); gc.collect()\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "interrupted\n", (done.returncode, done.stderr)


class _CountsPixels(nn.Module):
    """Does arithmetic with a size, which is a tensor while the module is traced."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(2)[:, :, : round(0.5 * images.shape[-1])].mean(2)


def test_code_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"cannot follow the code of this network: TypeError"):
        compile_with_openvino(_CountsPixels(), precision="fp32", images=IMAGES)
