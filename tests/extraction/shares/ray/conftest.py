"""A Ray cluster of this machine, small and silent, and what happens on its workers on purpose."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cellfeat.config import Settings

SMALL = {"extraction__part_size": 4, "extraction__batch_size": 2, "preprocessing__input_size": 32}
STORE_BYTES = 80 * 2**20


@pytest.fixture(scope="module")
def local_cluster() -> Iterator[None]:
    """Connect this process to a cluster of two CPUs, which its extractions use."""
    pytest.importorskip("ray")
    from cellfeat.ray_connection import import_ray

    ray = import_ray()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=STORE_BYTES)
    yield
    ray.shutdown()


@pytest.fixture
def cluster_with(tmp_path: Path) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Connect to a cluster of two CPUs, in whose processes a function runs before anything else."""
    pytest.importorskip("ray")
    from cellfeat.ray_connection import import_ray

    ray = import_ray()

    def connect(hook: Callable[[], None]) -> None:
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=STORE_BYTES,
            runtime_env={"worker_process_setup_hook": hook},
        )

    yield connect
    ray.shutdown()


@pytest.fixture
def undisturbed(finished: Callable[..., Path]) -> dict[str, Any]:
    """The contents of the file that one process makes with the settings `SMALL`."""
    from tests.extraction.observers import contents

    return contents(finished(**SMALL))


@pytest.fixture
def small(settings_for: Callable[..., Settings]) -> Settings:
    """The settings of `undisturbed`, for the folder of the test."""
    os.environ.pop("RAY_ADDRESS", None)
    return settings_for(**SMALL)
