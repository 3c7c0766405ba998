"""How many processors this process may use."""

import os


def usable_processors() -> int:
    """Number of processors that this process may use: fewer than the machine's in a job or a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
