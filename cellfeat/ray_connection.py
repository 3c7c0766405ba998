"""Connect to a Ray cluster, or start one on this machine for the time of a command."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cellfeat.errors import ConfigError, MissingExtraError, WorkerError
from cellfeat.processors import usable_processors

if TYPE_CHECKING:
    from types import ModuleType

SECONDS_TO_ANSWER = 5.0
"""How long a machine may take to accept a connection."""
SECONDS_TO_CONNECT = 20.0
"""How long a cluster may take to let a process join."""
MOST_PORTS = 65535
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray prints the logs of its own processes to stdout, which is for the name of the feature file.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
_PROBE = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR'); print('joined')"


def import_ray() -> "ModuleType":
    """Import ray, with its messages off.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "--engine ray needs the package ray; install it: pip install 'cellfeat[ray]'"
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


@contextmanager
def connected(address: str | None, *, store_bytes: int | None = None) -> Iterator[None]:
    """Join a cluster, and leave it after the block.

    A connection that this process has already is used, and kept.

    Parameters
    ----------
    address
        ``auto`` for a cluster that runs on this machine, ``HOST:PORT``, or ``ray://HOST:PORT``; None: the environment
        variable ``RAY_ADDRESS``, and without it a cluster of this machine alone, which is ended after the block.
    store_bytes
        Memory of the object store of a cluster of this machine alone; None: as much as Ray takes.

    Raises
    ------
    MissingExtraError
        If ray is not installed.
    ConfigError
        If there is no cluster at the address.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    wanted = (os.environ.get("RAY_ADDRESS") or "local") if address is None else address
    if wanted != "local":
        _check_answers(wanted)
    with _signals_kept():
        _join(wanted, store_bytes)
    try:
        yield
    finally:
        ray.shutdown()


def _join(address: str, store_bytes: int | None) -> None:
    import ray

    if address != "local":
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        return
    try:
        ray.init(
            address="local",
            num_cpus=_n_usable_cpus(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=store_bytes,
        )
    except (RuntimeError, OSError, ray.exceptions.RayError) as error:
        raise WorkerError(f"--engine ray: Ray cannot start on this machine: {error}") from error


def _n_usable_cpus() -> int | None:
    """Number of CPUs that this process may use; None where they are all, and Ray counts them itself."""
    n_usable = usable_processors()
    return None if n_usable == os.cpu_count() else n_usable


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restore what answers SIGTERM: Ray replaces it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_answers(address: str) -> None:
    """Check that there is a cluster: ray itself waits for more than a minute, and ends this process."""
    if address != "auto":
        _check_port(address)
    probe = [sys.executable, "-c", _PROBE, address]
    try:
        ended = subprocess.run(
            probe, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS_TO_CONNECT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"--address {address}: something answers there, and it lets no process join within "
            f"{SECONDS_TO_CONNECT:.0f} s; is it the address of a Ray cluster that runs? Its machines say so: ray status"
        ) from error
    if ended.returncode or "joined" not in ended.stdout:
        raise ConfigError(f"--address {address}: {_why(ended.stderr)}. {_how_to_start(address)}")


def _check_port(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or int(port) > MOST_PORTS:
        raise ConfigError(f"--address {address}: expected auto, HOST:PORT (as in head:6379) or ray://HOST:10001")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ConfigError(f"--address {address}: nothing answers there ({error}). {_how_to_start(address)}") from error


def _why(stderr: str) -> str:
    """The last line of an exception, without its type."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line] or lines or ["Ray could not connect"]
    return errors[-1].rpartition("Error: ")[2].rstrip(".")


def _how_to_start(address: str) -> str:
    if address.startswith("ray://"):
        return "The head of the cluster serves it with: ray start --head --ray-client-server-port=10001"
    return (
        "Start the cluster with ray start --head --port=6379 on one machine and ray start --address=HEAD:6379 on the "
        "others; or leave out --address to use this machine alone"
    )
