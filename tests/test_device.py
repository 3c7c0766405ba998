"""The choice of a device by its name, or of the best one."""

import pytest
import torch

from cellfeat.device import choose_device, describe_device, device_model
from cellfeat.errors import DeviceError


@pytest.fixture
def machine(monkeypatch):
    """Pretend that torch finds some GPUs."""

    def make(*, cuda: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


def test_auto_takes_the_first_kind_that_is_available(machine) -> None:
    machine()
    assert choose_device("auto") == torch.device("cpu")
    machine(mps=True)
    assert choose_device("auto") == torch.device("mps")
    assert choose_device("auto", kinds=("cuda", "cpu")) == torch.device("cpu"), "mps is not among the kinds"
    machine(cuda=1, mps=True)
    assert choose_device("auto") == torch.device("cuda")


def test_a_device_by_name_is_never_replaced(machine) -> None:
    machine(cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match=r"--device: 'cuda:2' .* 2 CUDA GPUs.*auto or cpu"):
        choose_device("cuda:2")
    with pytest.raises(DeviceError, match=r"'mps' .* 0 MPS devices"):
        choose_device("mps")


@pytest.mark.parametrize("name", ["", "gpu", "meta", "cuda:-1", "cpu ", "xpu"])
def test_a_name_that_is_no_device_is_refused_with_the_valid_ones(name: str) -> None:
    with pytest.raises(DeviceError, match=f"expected auto, cpu, cuda, cuda:N or mps, got '{name}'"):
        choose_device(name)


def test_only_the_given_kinds_are_valid() -> None:
    with pytest.raises(DeviceError, match="device: expected auto, cpu, cuda or cuda:N, got 'mps'"):
        choose_device("mps", kinds=("cuda", "cpu"), setting="device")


def test_the_cpu_is_described_with_its_threads() -> None:
    cpu = torch.device("cpu")
    assert describe_device(cpu) == f"cpu ({torch.get_num_threads()} threads)"
    assert device_model(cpu) == "cpu"
