"""How many processors this process may use."""

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
"""The control groups that this process is in; Linux alone has it."""
CONTROL_GROUPS = Path("/sys/fs/cgroup")
"""Where the control groups are mounted; a container sees its own at the top."""


def usable_processors() -> int:
    """Number of processors that this process may use: fewer than the machine's in a job or a container.

    A job is bound to some processors. A container has all of them, and a quota of their time, such as
    ``resources.limits.cpu`` of Kubernetes or ``docker run --cpus``; parts of a processor count as one.
    """
    return math.ceil(min(bound_processors(), _least_quota()))


def bound_processors() -> int:
    """Number of processors that this process may run on, whatever part of their time it may take."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _least_quota() -> float:
    """Quota of this process; read once, because fits ask at each pass over the samples."""
    return min(processor_quotas(), default=math.inf)


def processor_quotas(membership: Path = MEMBERSHIP, mounted: Path = CONTROL_GROUPS) -> Iterator[float]:
    """Yield each quota of processor time that a control group of this process, or one above it, has.

    Parameters
    ----------
    membership
        File that names the control groups of this process.
    mounted
        Folder of all control groups.

    Yields
    ------
    Processors whose time may be taken, such as 1.5.
    """
    for root, group in _groups(membership, mounted):
        own = root / group
        # Not all of them are there: a container sees its own group as the root, under whatever name it has outside.
        for folder in (own, *own.parents):
            yield from _quota(folder)
            if folder == root:
                break


def _groups(membership: Path, mounted: Path) -> Iterator[tuple[Path, str]]:
    """Yield where the groups that limit processors are mounted, and this process's own, in both versions of cgroups."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield mounted, group.lstrip("/")
        elif "cpu" in controllers.split(","):
            yield mounted / "cpu", group.lstrip("/")


def _quota(folder: Path) -> Iterator[float]:
    """Yield the quota that one group sets, if it sets one."""
    try:
        if (folder / "cpu.max").exists():
            allowed, period = (folder / "cpu.max").read_text().split()
        else:
            allowed, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        # "max" and -1 are no limit.
        if allowed != "max" and int(allowed) > 0:
            yield int(allowed) / int(period)
    except (OSError, ValueError):
        return
