"""Which GPU a process takes among several on one machine. The GPUs are only counted, so they are played."""

import pytest
import torch

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.extraction.shares.local_gpu import on_local_gpu


def on(device: str) -> Settings:
    return load_settings(overrides={"extraction.device": device})


@pytest.mark.parametrize(
    ("n_gpus", "device", "rank", "expected"),
    [
        (4, "auto", 3, "cuda:3"),
        (4, "cuda", 1, "cuda:1"),
        (4, "cuda:2", 1, "cuda:2"),
        (4, "cpu", 1, "cpu"),
        (4, "auto", None, "auto"),
        (1, "auto", 1, "cuda:0"),
        (0, "auto", 1, "auto"),
        (0, "cuda", 1, "cuda"),
    ],
)
def test_gpu_of_a_rank(
    n_gpus: int, device: str, rank: int | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    environ = {} if rank is None else {"LOCAL_RANK": str(rank)}
    assert on_local_gpu(on(device), environ).extraction.device == expected
