"""Fixtures that many test modules share."""

import os
from pathlib import Path

import pytest

# Several test processes share the cores: one thread each, or they wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, where the machine has it."""
    folder = os.environ.get("CELLFEAT_REAL_DATA")
    if not folder:
        pytest.skip("CELLFEAT_REAL_DATA is not set: no real images on this machine")
    return Path(folder)
