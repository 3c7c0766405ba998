"""Fixtures that many test modules share."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Several test processes share the cores: one thread each, or they wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell starts programs in the background so that they ignore Ctrl-C, and the commands of tests would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Restore what answers Ctrl-C and SIGTERM: a command that was interrupted leaves the answer that ends a process.

    Around fixtures too: those of a module may run commands.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    result = yield
    for number, handler in before.items():
        signal.signal(number, handler)
    return result


@pytest.fixture(scope="session")
def bf16_kernels() -> None:
    """Skip where the processor lacks oneDNN's kernels for bfloat16, which ConvNeXt in 8 bits needs as well."""
    # Not at the top of the module: torch reads the number of threads as it is imported.
    import torch
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    from cellfeat.backbones.rewrites.onednn import quantised_convnext
    from cellfeat.errors import BackboneError

    try:
        quantised_convnext(ConvNeXt([CNBlockConfig(512, None, 2)]).eval(), images=torch.Size((1, 3, 32, 32)))
    except BackboneError as error:
        pytest.skip(str(error))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB, which can be filled, or made read-only: chmod does not bind root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted only by root, on Linux, where the system lets it")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, where the machine has it."""
    folder = os.environ.get("CELLFEAT_REAL_DATA")
    if not folder:
        pytest.skip("CELLFEAT_REAL_DATA is not set: no real images on this machine")
    return Path(folder)
