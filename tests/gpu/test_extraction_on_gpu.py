"""Extraction on a GPU: the numbers of the CPU, the same bits in any batch, and nothing lost when it is killed."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from cellfeat.backbones.registry import BACKBONES, load_backbone
from cellfeat.backbones.transform import Transform
from cellfeat.config import Settings
from cellfeat.errors import BackboneError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.forward.capabilities import exact_float32, precisions_of
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.implementations import IMPLEMENTATIONS, ComputeMethod, methods_for
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.forward.probe import build_embedder, min_cosine
from cellfeat.extraction.forward.tolerances import MIN_COSINE
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.store import load_features, parts_folder
from tests.extraction.observers import Disturbed, Lines, contents

pytestmark = pytest.mark.gpu

MakeSettings = Callable[..., Settings]
BuildEmbedder = Callable[[torch.device, str], Embedder]
SIDE = 48
PASSES = tuple(make_passes("abc", "both"))
SECONDS_TO_FIRST_PART = 120


def embeddings(settings: Settings) -> np.ndarray:
    return load_features(extract(settings).path).embeddings[:]


def noise(n: int, shape: tuple[int, int] = (SIDE, SIDE), dtype: type = np.uint8) -> list[Decoded]:
    rng = np.random.default_rng(n)
    top = np.iinfo(dtype).max
    limits = np.array([[0, top]] * 3, np.float32)
    return [Decoded(i, rng.integers(0, top, (3, *shape), dtype=dtype), limits, "00") for i in range(n)]


def recipes(*backbones: str) -> list[tuple[str, str]]:
    """Each backbone with each pooling that it has: torchvision's mobilenets, for one, have no stages in the table."""
    return [(name, pool) for name in backbones for pool in ("norm", *(["stages"] if BACKBONES[name].stages else []))]


@pytest.mark.parametrize(("backbone", "pool"), recipes("mobilenet_v3_small", "resnet18", "convnext_tiny"))
def test_float32_equals_the_cpu(settings_on: MakeSettings, backbone: str, pool: str) -> None:
    recipe = {"backbone__pool": pool, "preprocessing__channels_as": "both"}
    here = embeddings(settings_on("gpu", backbone, **recipe))
    there = embeddings(settings_on("cpu", backbone, **recipe, extraction__device="cpu"))
    assert min_cosine(there, here) >= MIN_COSINE["fp32"]
    np.testing.assert_allclose(here, there, atol=2e-4 * np.abs(there).max())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_close_to_float32(settings_on: MakeSettings, gpu: torch.device, precision: str) -> None:
    if precision not in precisions_of(gpu):
        pytest.skip(f"{gpu.type} here does not support {precision}")
    exact = embeddings(settings_on("fp32", "convnext_tiny"))
    close = embeddings(settings_on(precision, "convnext_tiny", extraction__precision=precision))
    assert min_cosine(exact, close) >= MIN_COSINE[precision]


def test_interrupted_run_continues_to_the_same_bytes(settings_on: MakeSettings) -> None:
    whole = extract(settings_on("whole")).path
    settings = settings_on("parts")
    observer = Disturbed(12, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        extract(settings, observer=observer)
    continued = Lines()
    resumed = extract(settings, observer=continued).path
    assert any("continuing" in line for line in continued.lines)
    assert contents(resumed) == contents(whole)


def test_killed_run_continues_to_the_same_bytes(settings_on: MakeSettings, tmp_path: Path) -> None:
    whole = extract(settings_on("whole", extraction__batch_size=1)).path
    settings = settings_on("killed", extraction__batch_size=1)
    code = """
import sys, time
from cellfeat.config import Settings
from cellfeat.extraction.extract import extract

class Slow:
    def say(self, line): pass
    def advance(self, n_done, n_samples): time.sleep(0.1)

extract(Settings.model_validate_json(sys.argv[1]), observer=Slow())
"""
    process = subprocess.Popen([sys.executable, "-c", code, settings.model_dump_json()])
    parts, deadline = parts_folder(Path(str(settings.extraction.output))), time.monotonic() + SECONDS_TO_FIRST_PART
    while not any(parts.glob("rows-*.h5")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not Path(str(settings.extraction.output)).exists(), "killed before its end"
    assert contents(extract(settings).path) == contents(whole)


class Hungry(torch.nn.Module):
    """Means over the planes; asks for more memory than any device has where a batch is large."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            torch.empty(1 << 50, dtype=torch.uint8, device=x.device)
        return x.mean(dim=(2, 3))


def embedder_of(module: torch.nn.Module, device: torch.device, say: Callable[[str], None] = print) -> Embedder:
    transform = Transform(None, None, SIDE, "bilinear", (0.0,) * 3, (1.0,) * 3)
    inputs = Inputs((transform,), tuple(make_passes("abc", "planes")), 3, 2)
    return Embedder([module], inputs, device=device, precision="fp32", batch_size=8, say=say)


def test_real_shortage_of_memory_halves_the_batch(gpu: torch.device) -> None:
    said: list[str] = []
    expected = embedder_of(Hungry(8), gpu)(noise(7))
    embedder = embedder_of(Hungry(3), gpu, said.append)
    np.testing.assert_allclose(embedder(noise(7)), expected, rtol=1e-6)
    assert (embedder.batch_size, len(said)) == (2, 2)


def test_many_shapes_and_types_in_one_batch(gpu: torch.device) -> None:
    shapes = [(SIDE, SIDE), (31, 77), (120, 40), (1, 9)]
    samples = [one for shape in shapes for dtype in (np.uint8, np.uint16) for one in noise(2, shape, dtype)]
    here, there = (embedder_of(Hungry(8), device)(samples) for device in (gpu, torch.device("cpu")))
    np.testing.assert_allclose(here, there, atol=1e-5)


@pytest.fixture(scope="module")
def lite0_stages(weights_of: Callable[[str], str]) -> BuildEmbedder:
    """Embedder of the stages of efficientnet_lite0 by an implementation, which is built once: compiling takes long."""
    weights = weights_of("efficientnet_lite0")
    backbone = load_backbone("efficientnet_lite0", weights=weights, pool="stages", input_size=SIDE)
    inputs = Inputs((backbone.transform,), PASSES, 3, 2)

    @cache
    def build(device: torch.device, implementation: str) -> Embedder:
        method = ComputeMethod("fp32", implementation)
        if method not in methods_for(backbone, device, ["fp32"]):
            pytest.skip(f"{implementation} does not support efficientnet_lite0 on {device.type}")
        try:
            return build_embedder(backbone, inputs, device=device, method=method, batch_size=8)
        except BackboneError as error:
            pytest.skip(str(error))

    return build


@pytest.mark.parametrize("implementation", list(IMPLEMENTATIONS))
def test_bits_do_not_depend_on_the_batch(gpu: torch.device, lite0_stages: BuildEmbedder, implementation: str) -> None:
    with exact_float32():
        embedder, samples = lite0_stages(gpu, implementation), noise(13)
        together = embedder(samples)
        for n in (1, 3, 8, 13):
            first = embedder.submit(samples[:n])
            embedder(noise(8))
            np.testing.assert_array_equal(first.result(), together[:n])
            np.testing.assert_array_equal(embedder(samples[::-1][:n])[::-1], together[-n:])


@pytest.mark.parametrize("implementation", list(IMPLEMENTATIONS))
def test_every_implementation_gives_the_embeddings_of_the_cpu(
    gpu: torch.device, lite0_stages: BuildEmbedder, implementation: str
) -> None:
    with exact_float32():
        here, there = lite0_stages(gpu, implementation), lite0_stages(torch.device("cpu"), "plain")
        samples = noise(5)
        assert min_cosine(there(samples), here(samples)) >= MIN_COSINE["fp32"]
