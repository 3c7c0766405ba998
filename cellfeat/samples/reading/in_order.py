"""Read some samples one after the other; those of an object store are fetched ahead."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.daemon_pool import DaemonPool
from cellfeat.samples.reading.images import Outcome, ReadsSamples
from cellfeat.samples.reading.worker_pool import WorkersReader


def read_in_order(reader: ReadsSamples, rows: Iterable[int]) -> Iterator[Outcome]:
    """Read samples: each as it was read, or the error that says why not.

    Parameters
    ----------
    reader
        Reads them. One of an object store, which takes long to answer, reads many at once; so does one of processes.
    rows
        Their rows.

    Raises
    ------
    ReadError
        If an object store does not answer.
    """
    if isinstance(reader, WorkersReader):
        yield from _several_at_once(reader, rows)
        return
    n_threads = reader.n_threads(1)
    if n_threads == 1:
        yield from (_outcome(reader, row) for row in rows)
        return
    left = iter(rows)
    pool = DaemonPool(n_threads, "fetch")
    try:
        pending: deque[Future[Outcome]] = deque()
        pending.extend(pool.submit(_outcome, reader, row) for row in islice(left, n_threads))
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(_outcome, reader, row) for row in islice(left, 1))
    finally:
        pool.close()


def _several_at_once(reader: WorkersReader, rows: Iterable[int]) -> Iterator[Outcome]:
    left = iter(rows)
    while some := list(islice(left, reader.rows_at_once)):
        yield from reader.read_rows(some)


def _outcome(reader: ReadsSamples, row: int) -> Outcome:
    try:
        return reader.read_sample(row)
    except (ImageError, MissingFileError) as error:
        return error
