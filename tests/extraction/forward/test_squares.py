"""Squares: decoded samples scaled and resized, each shape at once."""

import numpy as np
import pytest
import torch

from cellfeat.backbones.transform import Transform
from cellfeat.extraction.forward import squares as module
from cellfeat.extraction.forward.squares import Copies, make_squares
from cellfeat.extraction.read_ahead import Decoded

CPU = torch.device("cpu")
TRANSFORM = Transform(None, None, 12, "bilinear", (0.0,) * 3, (1.0,) * 3)


def sample(row: int, shape: tuple[int, int] = (8, 8), dtype: type = np.uint8) -> Decoded:
    pixels = np.random.default_rng(row).integers(0, 200, (2, *shape)).astype(dtype)
    return Decoded(row, pixels, np.array([[row, 200 + row], [0, 255]], np.float32))


def test_samples_of_many_shapes_keep_their_order_and_bits() -> None:
    shapes = [(8, 8), (10, 6), (8, 8), (6, 10), (10, 6)]
    mixed = [sample(row, shape) for row, shape in enumerate(shapes)] + [sample(5, dtype=np.uint16)]
    together = make_squares(mixed, TRANSFORM, Copies(CPU))
    alone = torch.cat([make_squares([one], TRANSFORM, Copies(CPU)) for one in mixed])
    assert torch.equal(together, alone)


def test_pixels_of_the_sample_stay_as_they_are() -> None:
    one = sample(3, dtype=np.float32)
    assert one.pixels is not None
    before = one.pixels.copy()
    make_squares([one], TRANSFORM, Copies(CPU))
    np.testing.assert_array_equal(one.pixels, before)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[np.dtype]:
    """The types of the arrays that go to the device."""
    types: list[np.dtype] = []
    to_device = module.Copies.to_device

    def counting(self: Copies, array: np.ndarray) -> torch.Tensor:
        types.append(array.dtype)
        return to_device(self, array)

    monkeypatch.setattr(module.Copies, "to_device", counting)
    return types


def test_a_batch_of_one_shape_is_copied_once_as_bytes(counted: list[np.dtype]) -> None:
    make_squares([sample(row) for row in range(7)], TRANSFORM, Copies(CPU))
    assert counted == [np.float32, np.uint8]  # limits, pixels


class FakeStreams:
    """The part of `torch.cuda` that copies use, recording what waits for what."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def stream(self, _: object) -> "FakeStreams":
        return self

    def __enter__(self) -> None:
        self.done.append("enter")

    def __exit__(self, *_: object) -> None:
        self.done.append("leave")

    def current_stream(self, _: object) -> "FakeStreams":
        return self

    def wait_stream(self, _: object) -> None:
        self.done.append("wait")


def test_the_forward_waits_for_a_copy_on_the_other_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, copies = FakeStreams(), Copies(CPU)
    copies.stream = streams  # type: ignore[assignment]
    monkeypatch.setattr(torch.cuda, "stream", streams.stream)
    monkeypatch.setattr(torch.cuda, "current_stream", streams.current_stream)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: streams.done.append("pin") or self)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda _, __: streams.done.append("record"))
    array = np.arange(4, dtype=np.uint8)
    assert copies.to_device(array).tolist() == array.tolist()
    assert streams.done == ["enter", "pin", "leave", "wait", "record"]
