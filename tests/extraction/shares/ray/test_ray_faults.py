"""Extractions on a Ray cluster of three machines, of which some, or the driver, are killed at random moments.

CELLFEAT_RAY_KILLS says how many machines are killed, 4 by default, and CELLFEAT_RAY_DRIVER_KILLS how many drivers, 2.
`make torture` kills 30 and 10.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.ray.engine import RayOptions, extract_on_ray
from cellfeat.extraction.store import parts_folder, read_summary, verify_features
from tests.extraction.observers import Disturbed, Lines, contents
from tests.extraction.processes import processes_of

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kills processes by /proc")]

MakeSettings = Callable[..., Settings]
RecordProperty = Callable[[str, object], None]
N_MACHINES = 3
N_KILLS = int(os.environ.get("CELLFEAT_RAY_KILLS", "4"))
N_DRIVER_KILLS = int(os.environ.get("CELLFEAT_RAY_DRIVER_KILLS", "2"))
STORE_BYTES = 80 * 2**20
# Eight views of each sample, so that a run lasts longer than its start.
LONG = {
    "extraction__part_size": 1,
    "extraction__batch_size": 1,
    "extraction__views": 8,
    "preprocessing__input_size": 256,
}
DRIVER = """
import sys
from cellfeat.commands.output.console import ConsoleObserver
from cellfeat.config import Settings
from cellfeat.extraction.shares.ray.engine import RayOptions, extract_on_ray
settings, options = Settings.model_validate_json(sys.argv[1]), RayOptions(address=sys.argv[2] or None)
with ConsoleObserver() as observer:
    extract_on_ray(settings, options, observer=observer)
"""


class Machines:
    """A cluster of machines with one CPU each, and a head without."""

    def __init__(self) -> None:
        from cellfeat.ray_connection import import_ray

        import_ray()
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes = [self._start() for _ in range(N_MACHINES)]

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def _start(self) -> Any:
        return self._cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)

    def kill(self, number: int) -> None:
        self._cluster.remove_node(self._nodes[number], allow_graceful=False)

    def replace(self, number: int) -> None:
        self._nodes[number] = self._start()

    def wait_for(self, number: int, seconds: float = 60) -> None:
        """Wait until so many machines have joined, the head counted."""
        with suppress(TimeoutError):
            self._cluster.wait_for_nodes(seconds)
        count = (
            f"import ray; ray.init({self.address!r}, log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
        )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            seen = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True).stdout.split()
            if seen and int(seen[-1]) >= number:
                return

    def stop(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    cluster = Machines()
    yield cluster
    cluster.stop()


@pytest.fixture
def expected(settings_for: MakeSettings, tmp_path: Path) -> dict[str, Any]:
    """What one process makes of a plan that is kept, because another one may choose another implementation."""
    settings = settings_for(**LONG, extraction__output=tmp_path / "one.h5")
    plan_extraction(settings)
    shutil.copytree(parts_folder(settings.extraction.output), tmp_path / "plan")
    return contents(extract(settings).path)


@pytest.fixture
def long(expected: dict[str, Any], settings_for: MakeSettings, tmp_path: Path) -> Settings:
    settings = settings_for(**LONG, extraction__output=tmp_path / "killed" / "features.h5")
    begin(settings)
    return settings


def begin(settings: Settings) -> None:
    """Begin the run with the plan of `expected`, and nothing else."""
    folder = settings.extraction.output.parent
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(folder.parent / "plan", parts_folder(settings.extraction.output))


def driver(settings: Settings, address: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DRIVER, settings.model_dump_json(), address]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return "ended"


def wait_for_end_of(session: int, seconds: float = 60, but: tuple[str, ...] = ()) -> None:
    """Wait until no process of a session is left, but those whose command begins in these ways."""
    deadline = time.monotonic() + seconds
    while left := [name for name in map(_command_of, processes_of(session)) if not name.startswith(("ended", *but))]:
        assert time.monotonic() < deadline, f"processes are left: {left}"
        time.sleep(0.2)


def kept_parts(settings: Settings) -> set[str]:
    return {path.name for path in parts_folder(settings.extraction.output).glob("rows-*.h5")}


@pytest.mark.timeout(120)
def test_three_machines_give_the_bytes_of_one(machines: Machines, long: Settings, expected: dict[str, Any]) -> None:
    observer = Lines()
    extract_on_ray(long, RayOptions(address=machines.address), observer=observer)
    assert contents(long.extraction.output) == expected
    assert any("3 workers with 1 CPU thread each" in line for line in observer.lines)


@pytest.mark.timeout(300 + 40 * N_KILLS)
def test_machines_killed_at_random_moments_change_no_byte(
    machines: Machines, long: Settings, expected: dict[str, Any], record_property: RecordProperty
) -> None:
    rng, n_killed, output, said = np.random.default_rng(0), 0, long.extraction.output, ""
    while n_killed < N_KILLS:
        process = driver(long, machines.address)
        while process.poll() is None and n_killed < N_KILLS:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, 12))
                break
            number = int(rng.integers(N_MACHINES))
            machines.kill(number)
            n_killed += 1
            machines.replace(number)
        said += process.communicate()[1]
        assert process.returncode == 0, said
        assert contents(output) == expected
        assert [path.name for path in output.parent.iterdir()] == ["features.h5"]
        begin(long)
    record_property("faults", n_killed)
    assert "was lost" in said


@pytest.mark.timeout(300 + 60 * N_DRIVER_KILLS)
def test_driver_killed_at_random_moments_is_continued(
    machines: Machines, long: Settings, expected: dict[str, Any], record_property: RecordProperty
) -> None:
    rng, n_killed, output = np.random.default_rng(1), 0, long.extraction.output
    began = time.monotonic()
    assert driver(long, machines.address).wait() == 0
    duration = time.monotonic() - began
    begin(long)
    while n_killed < N_DRIVER_KILLS:
        before = kept_parts(long)
        process = driver(long, machines.address)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.2, 1) * duration)
        if process.poll() is None:
            process.kill()
            n_killed += 1
        wait_for_end_of(process.pid)
        if output.exists():
            verify_features(output)
            assert contents(output) == expected
            begin(long)
        else:
            assert before <= kept_parts(long), "what was finished stays"
    assert driver(long, machines.address).wait() == 0
    assert contents(output) == expected
    record_property("faults", n_killed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.timeout(180)
def test_command_that_is_interrupted_leaves_no_process_and_is_continued(
    number: signal.Signals, long: Settings, expected: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "settings.json"
    config.write_text(long.model_dump_json(include={"images", "labels", "preprocessing", "backbone", "extraction"}))
    command = [sys.executable, "-c", "from cellfeat.commands import main; main()", "extract", f"--config={config}"]
    engine = ["--engine=ray", "--engine-workers=1"]
    process = subprocess.Popen([*command, *engine], stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not kept_parts(long) and process.poll() is None:
        time.sleep(0.05)
    # As a terminal does: all processes of the group receive it.
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    # Ray's own processes end by SIGTERM, too; where its library notices that first, it ends this process with 1.
    is_ended_by_ray = number == signal.SIGTERM and process.returncode == 1
    assert is_ended_by_ray or process.returncode == 128 + number, stderr
    assert "Traceback" not in stderr
    wait_for_end_of(process.pid)
    if not long.extraction.output.exists():
        assert kept_parts(long)
        assert is_ended_by_ray or "parts are done, and kept" in stderr
    subprocess.run([*command, *engine], check=True, capture_output=True)
    assert contents(long.extraction.output) == expected


@pytest.mark.timeout(120)
def test_driver_of_a_local_cluster_that_is_killed_leaves_no_worker(long: Settings, expected: dict[str, Any]) -> None:
    process = driver(long, "")
    while not kept_parts(long) and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    # Two helpers of Ray itself, which do no work, may outlive a driver that had no time to end them.
    wait_for_end_of(process.pid, but=("ray::DashboardAgent", "ray::RuntimeEnvAgent"))
    for left in processes_of(process.pid):
        with suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    assert driver(long, "").wait() == 0
    assert contents(long.extraction.output) == expected


@pytest.mark.timeout(180)
def test_machine_that_does_not_see_the_output_is_refused_and_others_go_on(
    machines: Machines, long: Settings, expected: dict[str, Any], tmp_path: Path
) -> None:
    """One machine more, on which another disk lies over the folder of the test."""
    hidden = tmp_path / "killed"
    start = f"{Path(sys.executable).with_name('ray')} start --block --num-cpus=1 --address={machines.address}"
    options = f"--object-store-memory={STORE_BYTES} --disable-usage-stats"
    blind = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs {hidden} && exec {start} {options}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        machines.wait_for(N_MACHINES + 2)
        if blind.poll() is not None:
            pytest.skip("a machine of its own disks needs root, and Linux")
        observer = Lines()
        extract_on_ray(long, RayOptions(address=machines.address, n_workers=4), observer=observer)
        assert contents(long.extraction.output) == expected
        refusals = [line for line in observer.lines if "is not used" in line]
        if not refusals:
            pytest.skip("the others had made all parts before the machine was asked")
        (refused,) = refusals
        assert "does not see the plan" in refused
    finally:
        with suppress(ProcessLookupError):
            os.killpg(blind.pid, signal.SIGTERM)
        blind.wait()


@pytest.mark.timeout(120)
def test_lost_machine_is_told_with_what_is_left(machines: Machines, long: Settings, expected: dict[str, Any]) -> None:
    observer = Disturbed(3, lambda: machines.kill(0))
    extract_on_ray(long, RayOptions(address=machines.address), observer=observer)
    machines.replace(0)
    assert contents(long.extraction.output) == expected
    assert any("was lost: its machine" in line and "2 workers left" in line for line in observer.lines)
    assert read_summary(long.extraction.output).n_samples == 24
