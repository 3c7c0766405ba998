"""A Ray cluster as a place where pieces are computed, through joblib's interface to Ray."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cellfeat.errors import ConfigError, WorkerError
from cellfeat.evaluation.parallel.pieces import Computes
from cellfeat.evaluation.parallel.workers import JoblibWorkers
from cellfeat.registry import import_attribute

CONNECT_SECONDS = 5
"""How long to wait for the head of a cluster to answer."""


@dataclass(frozen=True)
class RayCluster:
    """Where a Ray cluster is.

    Attributes
    ----------
    address
        ``HOST:PORT`` of its head node, or ``auto`` for the cluster that this machine belongs to. None starts one on
        this machine, and ends it afterwards.
    """

    address: str | None = None


@dataclass(frozen=True)
class Stored:
    """What computes a head, in Ray's object store: a node fetches it once, and its processes map it."""

    reference: Any

    def get(self) -> Computes:
        """Fetch it."""
        import ray

        run: Computes = ray.get(self.reference)
        return run


def check_ray() -> None:
    """Refuse to go on without Ray.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    # Ray reads these when it is imported: no report of usage, and no remark about its next version.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import_attribute("ray:init", extra="ray")


@contextmanager
def ray_workers(cluster: RayCluster) -> Iterator[JoblibWorkers]:
    """Use all processors of a cluster.

    Parameters
    ----------
    cluster
        Where it is.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    ConfigError
        If the address is not one.
    WorkerError
        If no cluster answers there, or it is lost.
    """
    check_ray()
    import ray
    from ray.exceptions import RayError

    was_connected = ray.is_initialized()
    if not was_connected:
        _connect(cluster.address)
    try:
        with _parallel(int(ray.cluster_resources().get("CPU", 0))) as (parallel, n_workers):
            yield JoblibWorkers(parallel, n_workers, lambda run: Stored(ray.put(run)))
    except RayError as error:
        raise WorkerError(
            f"the Ray cluster lost a worker: {str(error).splitlines()[0]}; finished folds are kept, so start the same "
            "command again to continue"
        ) from None
    finally:
        if not was_connected:
            ray.shutdown()


@contextmanager
def _parallel(n_workers: int) -> Iterator[tuple[Any, int]]:
    from joblib import Parallel, parallel_config
    from joblib.parallel import register_parallel_backend
    from ray.util.joblib import register_ray
    from ray.util.joblib.ray_backend import RayBackend

    if n_workers < 1:
        raise WorkerError("the Ray cluster has no processors; add a node with: ray start --address=HOST:PORT")

    class StreamingRayBackend(RayBackend):
        """Ray's backend, which gives each result as soon as it is there: joblib asks for this flag."""

        supports_return_generator = True

    register_ray()
    register_parallel_backend("ray", StreamingRayBackend)
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    options = {"num_cpus": 1, "runtime_env": {"env_vars": environment}}
    with (
        parallel_config(backend="ray", ray_remote_args=options),
        Parallel(n_workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs") as parallel,
    ):
        yield parallel, n_workers


def _connect(address: str | None) -> None:
    import ray

    if address is None:
        # "local" starts one, also where this machine belongs to the cluster of somebody else.
        ray.init("local", log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
        return
    if address != "auto":
        _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise WorkerError(
            f"no Ray cluster answers at {address}: {str(error).splitlines()[0]}; start one with: ray start --head"
        ) from None


def _check_answers(address: str) -> None:
    """Try to connect, because Ray itself waits for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ConfigError(
            f"address: expected auto or HOST:PORT of a Ray cluster, such as 10.0.0.1:6379, got {address!r}"
        )
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise WorkerError(
            f"no Ray cluster answers at {address}: {error}; start one there with: ray start --head --port={port}"
        ) from None
