"""Forward batches: the pictures of samples, gathered in one buffer."""

import pytest
import torch

from cellfeat.extraction.forward import pictures
from cellfeat.extraction.forward.passes import make_passes, make_view
from cellfeat.extraction.forward.pictures import PictureBatches

SIDE, N_VIEWS = 6, 5
MOMENTS = (torch.tensor([0.2, 0.4, 0.6])[:, None, None], torch.tensor([0.3, 0.5, 0.7])[:, None, None])
PASSES = make_passes(["a", "b", "c"], "both")


def squares(n: int) -> torch.Tensor:
    return torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def one_by_one(images: torch.Tensor) -> torch.Tensor:
    """Each picture made alone: turned first, then normalised."""
    mean, std = MOMENTS
    views = [(one, make_view(images, view)) for one in PASSES for view in range(N_VIEWS)]
    return torch.cat([(turned[:, list(one.planes)] - mean) / std for one, turned in views])


def gathered(n: int, size: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    batches = PictureBatches(size, MOMENTS, dtype)
    return [batch.clone() for batch in batches.of(squares(n), PASSES, N_VIEWS)]


@pytest.mark.parametrize(("n", "size"), [(4, 4), (3, 4), (1, 4), (5, 4), (2, 64)])
def test_pictures_have_the_bits_of_those_made_one_by_one(n: int, size: int) -> None:
    batches = gathered(n, size)
    expected = one_by_one(squares(n))
    assert len(batches) == -(-len(expected) // size)
    assert torch.equal(torch.cat(batches)[: len(expected)], expected)
    assert not torch.cat(batches)[len(expected) :].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    assert torch.equal(torch.cat(gathered(4, 4, dtype)), one_by_one(squares(4)).to(dtype))


def test_a_device_moves_tensors_as_a_cpu_moves_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = gathered(3, 4)
    monkeypatch.setattr(pictures, "_moved_alone", lambda tensor: tensor)
    assert all(map(torch.equal, gathered(3, 4), expected))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_batch_is_one_channels_last_buffer(dtype: torch.dtype) -> None:
    addresses = set()
    for batch in PictureBatches(4, MOMENTS, dtype).of(squares(6), PASSES, N_VIEWS):
        addresses.add(batch.data_ptr())
        assert batch.shape == (4, 3, SIDE, SIDE)
        assert batch.dtype == dtype
        assert batch.is_contiguous(memory_format=torch.channels_last)
    assert len(addresses) == 1


def test_no_samples_give_one_batch_of_zeros() -> None:
    (batch,) = gathered(0, 4)
    assert not batch.any()
