"""The embedder when memory runs out, and with 16-bit samples."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cellfeat.backbones.rewrites.openvino import OpenVinoNetwork
from cellfeat.backbones.transform import Transform
from cellfeat.errors import DeviceError
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.read_ahead import Decoded

SIDE = 8


class Hungry(torch.nn.Module):
    """Means over the planes, with memory for a limited number of images."""

    def __init__(self, most: int, error: Callable[[str], RuntimeError]) -> None:
        super().__init__()
        self.most, self.error = most, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return x.mean(dim=(2, 3))


def embedder(module: torch.nn.Module, say: Callable[[str], None] = lambda _: None) -> Embedder:
    transform = Transform(None, None, SIDE, "bilinear", (0.0,) * 3, (1.0,) * 3)
    inputs = Inputs((transform,), tuple(make_passes(["a", "b", "c"], "planes")), 3, 2)
    return Embedder([module], inputs, device=torch.device("cpu"), precision="fp32", batch_size=8, say=say)


class InThreads(OpenVinoNetwork):
    """Any module, taken for one of OpenVINO, which several threads call."""

    def __init__(self, module: torch.nn.Module) -> None:
        torch.nn.Module.__init__(self)
        self.module = module

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.module(images)
        return result


def samples(n: int, dtype: type = np.uint8, top: int = 255) -> list[Decoded]:
    rng = np.random.default_rng(0)
    limits = np.array([[0, top]] * 3, np.float32)
    return [Decoded(i, rng.integers(0, top, (3, SIDE, SIDE), dtype=dtype), limits, "00") for i in range(n)]


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError, RuntimeError])
def test_out_of_memory_halves_the_batch_and_keeps_the_numbers(error: Callable[[str], RuntimeError]) -> None:
    said: list[str] = []
    expected = embedder(Hungry(8, error))(samples(7))
    hungry = embedder(Hungry(3, error), said.append)
    np.testing.assert_array_equal(hungry(samples(7)), expected)
    assert hungry.batch_size == 2
    assert len(said) == 2
    assert all("cpu" in line and f"batches of {n}" in line for line, n in zip(said, (4, 2), strict=True))


def test_too_little_memory_for_one_sample_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"cpu: out of memory with a single sample.*input_size"):
        embedder(Hungry(0, torch.cuda.OutOfMemoryError))(samples(2))


def test_other_errors_are_raised() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        embedder(Broken())(samples(2))


def test_sixteen_bit_samples_are_scaled_by_their_limits() -> None:
    deep = samples(3, np.uint16, 2750)
    embedded = embedder(Hungry(8, RuntimeError))(deep)
    expected = np.stack([sample.pixels.mean(axis=(1, 2)) / 2750 for sample in deep if sample.pixels is not None])
    np.testing.assert_allclose(embedded[:, 0], expected, rtol=1e-5)


def test_no_samples_give_an_empty_array_of_the_right_shape() -> None:
    assert embedder(Hungry(8, RuntimeError))([]).shape == (0, 2, 3)


def test_batches_that_threads_embed_are_those_of_the_caller() -> None:
    batches = [samples(n) for n in (8, 3, 0, 8)]
    beside, plain = embedder(InThreads(Hungry(8, RuntimeError))), embedder(Hungry(8, RuntimeError))
    submitted = [beside.submit(batch) for batch in batches]
    for one, batch in zip(submitted, batches, strict=True):
        np.testing.assert_array_equal(one.result(), plain(batch))
    assert (beside.n_in_work, plain.n_in_work) == (1, 0)


def test_threads_that_run_out_of_memory_halve_the_batch_once() -> None:
    said: list[str] = []
    hungry = embedder(InThreads(Hungry(4, RuntimeError)), said.append)
    expected = embedder(Hungry(8, RuntimeError))(samples(8))
    for one in [hungry.submit(samples(8)) for _ in range(4)]:
        np.testing.assert_array_equal(one.result(), expected)
    assert hungry.batch_size == 4
    assert len(said) == 1


def test_an_error_of_a_thread_is_raised_where_its_result_is_fetched() -> None:
    submitted = embedder(InThreads(Hungry(0, torch.cuda.OutOfMemoryError))).submit(samples(2))
    with pytest.raises(DeviceError, match="single sample"):
        submitted.result()
