"""Workers of a Ray cluster that cannot be used, or that end: told, replaced, and never a wrong byte."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellfeat.config import Settings
from cellfeat.errors import BitsError, DeviceError, WorkerError
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.ray.engine import RayOptions, extract_on_ray
from cellfeat.extraction.store import parts_folder, read_summary
from tests.extraction.observers import Lines, contents

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
MakeSettings = Callable[..., Settings]
Connect = Callable[[Callable[[], None]], None]
SMALL = {"extraction__part_size": 4, "extraction__batch_size": 2, "preprocessing__input_size": 32}


def test_worker_with_other_bits_is_refused_and_the_other_one_goes_on(
    cluster_with: Connect, small: Settings, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    taken = tmp_path / "taken"

    def flip_a_bit_in_one_process() -> None:
        import numpy as np

        from cellfeat.extraction.forward.embedder import Embedder

        embed = Embedder._embed

        def other_bits(self: Embedder, samples: Any) -> Any:
            embedded = embed(self, samples)
            try:
                os.close(os.open(taken, os.O_CREAT | os.O_EXCL))
                taken.write_text(str(os.getpid()))
            except FileExistsError:
                pass
            if taken.read_text() == str(os.getpid()):
                embedded.result().view(np.uint32)[0, 0, 0] ^= 1
            return embedded

        Embedder._embed = other_bits  # type: ignore[method-assign]

    plan_extraction(small)
    cluster_with(flip_a_bit_in_one_process)
    observer = Lines()
    assert contents(extract_on_ray(small, RayOptions(n_workers=2), observer=observer).path) == undisturbed
    (refused,) = [line for line in observer.lines if "is not used" in line]
    assert "other numbers" in refused
    assert len(read_summary(small.extraction.output).provenance["machines"]) == 1


def test_no_worker_with_the_bits_of_the_plan_is_an_error(cluster_with: Connect, small: Settings) -> None:
    def flip_a_bit() -> None:
        import numpy as np

        from cellfeat.extraction.forward.embedder import Embedder

        embed = Embedder._embed

        def other_bits(self: Embedder, samples: Any) -> Any:
            embedded = embed(self, samples)
            embedded.result().view(np.uint32)[0, 0, 0] ^= 1
            return embedded

        Embedder._embed = other_bits  # type: ignore[method-assign]

    plan_extraction(small)
    cluster_with(flip_a_bit)
    with pytest.raises(BitsError, match=r"no worker can be used.*other numbers"):
        extract_on_ray(small, RayOptions(n_workers=2))
    assert not list(parts_folder(small.extraction.output).glob("rows-*.h5"))


def test_memory_that_is_short_on_a_worker_ends_the_run(cluster_with: Connect, small: Settings) -> None:
    def no_memory_for_parts() -> None:
        from cellfeat.extraction.forward.embedder import Embedder

        def raises(*_: object) -> None:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")

        Embedder._embed_chunk = raises  # type: ignore[method-assign]

    plan_extraction(small)
    cluster_with(no_memory_for_parts)
    with pytest.raises(DeviceError, match=r"worker 1 on .*out of memory"):
        extract_on_ray(small, RayOptions(n_workers=1))


def test_part_that_ends_every_worker_ends_the_run(
    cluster_with: Connect, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_in_a_part() -> None:
        import signal

        from cellfeat.extraction.shares.worker import ShareWorker

        def dies(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        ShareWorker.make = dies  # type: ignore[method-assign,assignment]

    plan_extraction(small)
    cluster_with(die_in_a_part)
    monkeypatch.setattr("cellfeat.extraction.shares.ray.foreman.MOST_DEATHS", 2)
    observer = Lines()
    with pytest.raises(WorkerError, match=r"2 workers have ended.*rows \d+ to \d+.*--engine-workers"):
        extract_on_ray(small, RayOptions(n_workers=2), observer=observer)
    assert any("was lost: its process was killed or crashed" in line for line in observer.lines)


def test_machine_without_cellfeat_is_told(cluster_with: Connect, small: Settings) -> None:
    def hide_cellfeat() -> None:
        import sys

        class Hidden:
            def find_spec(self, name: str, *_: object) -> None:
                if name == "cellfeat":
                    raise ModuleNotFoundError("No module named 'cellfeat'", name="cellfeat")

        for name in [name for name in sys.modules if name.partition(".")[0] == "cellfeat"]:
            del sys.modules[name]
        sys.meta_path.insert(0, Hidden())  # type: ignore[arg-type]

    cluster_with(hide_cellfeat)
    with pytest.raises(WorkerError, match=r"cannot import cellfeat \(\d.*pip install 'cellfeat\[ray\]=="):
        extract_on_ray(small, RayOptions(n_workers=1))


def test_worker_without_the_gpu_that_ray_promises_is_refused(settings_for: MakeSettings) -> None:
    from cellfeat.ray_connection import import_ray

    ray = import_ray()
    ray.init(address="local", num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        with pytest.raises(DeviceError, match=r"no worker can be used.*'cuda'"):
            extract_on_ray(settings_for(**SMALL, extraction__device="auto"))
    finally:
        ray.shutdown()
