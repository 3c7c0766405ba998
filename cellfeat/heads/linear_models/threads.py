"""Threads of one fit, whose results have the same bits for any number of threads."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from cellfeat.processors import usable_processors

Part = TypeVar("Part")
Result = TypeVar("Result")


def n_threads() -> int:
    """Threads that a fit may use: the processors that this process may use, or ``OMP_NUM_THREADS`` where it is less."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    n_processors = usable_processors()
    return max(1, min(n_processors, int(given) if given.isdecimal() else n_processors))


def in_threads(compute: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Compute parts side by side, and give their results in order.

    Parameters
    ----------
    compute
        Computes one part; numpy's products let other threads run meanwhile.
    parts
        Fixed by the data, never by the number of threads.
    """
    if n_threads() == 1 or len(parts) == 1:
        return map(compute, parts)
    return _pool(os.getpid(), n_threads()).map(compute, parts)


@cache
def _pool(_process: int, n_workers: int) -> ThreadPoolExecutor:
    # A forked process has none of the threads of its parent: the process is part of the key.
    return ThreadPoolExecutor(n_workers, thread_name_prefix="cellfeat-fit")
