"""A Ray cluster as a place where pieces are computed, through joblib's interface to Ray."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cellfeat.errors import WorkerError
from cellfeat.evaluation.parallel.pieces import Computes
from cellfeat.evaluation.parallel.workers import JoblibWorkers
from cellfeat.ray_connection import connected, import_ray


@dataclass(frozen=True)
class RayCluster:
    """Where a Ray cluster is.

    Attributes
    ----------
    address
        ``HOST:PORT`` of its head node, or ``auto`` for the cluster that this machine belongs to. None: that of the
        environment variable ``RAY_ADDRESS``, and without it a cluster of this machine alone, which is ended afterwards.
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
        If there is no cluster at the address.
    WorkerError
        If the cluster is lost.
    """
    ray = import_ray()
    from ray.exceptions import RayError

    try:
        with connected(cluster.address), _parallel(_n_processors()) as (parallel, n_workers):
            yield JoblibWorkers(parallel, n_workers, lambda run: Stored(ray.put(run)))
    except RayError as error:
        raise WorkerError(
            f"the Ray cluster lost a worker: {str(error).splitlines()[0]}; finished folds are kept, so start the same "
            "command again to continue"
        ) from None


def _n_processors() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))


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
