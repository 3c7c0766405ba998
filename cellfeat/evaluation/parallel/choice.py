"""Choice of where pieces are computed."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeAlias, TypeVar

from cellfeat.errors import ConfigError
from cellfeat.evaluation.parallel.growing import growing
from cellfeat.evaluation.parallel.pieces import Flow
from cellfeat.evaluation.parallel.ray_cluster import RayCluster, ray_workers
from cellfeat.evaluation.parallel.schedule import Schedule
from cellfeat.evaluation.parallel.workers import IN_THIS_PROCESS, Workers, processes

Result = TypeVar("Result")

Jobs: TypeAlias = int | RayCluster | None
"""A number of processes of this machine, 1 for this process itself, or a Ray cluster; None: see `growing`."""


@contextmanager
def parallel_schedule(
    groups: Sequence[Sequence[Flow[Result]]], jobs: Jobs, shared_bytes: int
) -> Iterator[Schedule[Result]]:
    """Prepare to compute groups of flows side by side; what still runs at the end is stopped.

    Parameters
    ----------
    groups
        The flows of each head.
    jobs, shared_bytes
        As for `workers_of`.

    Raises
    ------
    CellfeatError
        As `workers_of`.
    """
    with workers_of(jobs, shared_bytes) as workers, closing(Schedule(groups, workers)) as schedule:
        yield schedule


@contextmanager
def workers_of(jobs: Jobs, shared_bytes: int) -> Iterator[Workers]:
    """Start what computes pieces, and end it afterwards.

    Parameters
    ----------
    jobs
        Where pieces are computed.
    shared_bytes
        Size of the arrays that other processes need.

    Raises
    ------
    ConfigError
        As `check_jobs`.
    CellfeatError
        If the processes or the cluster cannot be used.
    """
    check_jobs(jobs)
    if isinstance(jobs, RayCluster):
        with ray_workers(jobs) as workers:
            yield workers
    elif jobs is None:
        with growing(shared_bytes) as workers:
            yield workers
    elif jobs == 1:
        yield IN_THIS_PROCESS
    else:
        with processes(jobs, shared_bytes) as workers:
            yield workers


def check_jobs(jobs: object) -> None:
    """Refuse what is neither a number of processes nor a cluster.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    is_number = isinstance(jobs, int) and not isinstance(jobs, bool) and jobs >= 1
    if not is_number and jobs is not None and not isinstance(jobs, RayCluster):
        raise ConfigError(f"jobs: expected a number of processes, 1 or more, None or a RayCluster, got {jobs!r}")
