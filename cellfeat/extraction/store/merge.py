"""Rows of a finished file that stay in a new one: copied unchanged, between rows that are new."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cellfeat.extraction.store.format import Rows, RowShape, empty_rows, read_failures, read_range, row_shape
from cellfeat.extraction.store.opening import opened
from cellfeat.storage.url import Location
from cellfeat.types import Integers

NEW = -1


@dataclass(frozen=True)
class Carried:
    """Which rows of a new feature file are rows of a finished one.

    Attributes
    ----------
    path
        The finished file.
    source
        ``(n_samples,)`` int64: for each row of the new file, the row of the finished one; `NEW`: the run's next row.
    samples
        Digest of the new file's ids and file names.
    """

    path: Location
    source: Integers
    samples: str

    def woven(self, read: Callable[[range], Rows], range_size: int) -> Iterator[Rows]:
        """Yield all rows of the new file in order.

        Parameters
        ----------
        read
            Reads some of the run's own rows: the new ones, one after another.
        range_size
            Rows to yield at a time.
        """
        # Before row i of the new file come `n_new_before[i]` new rows, which the run holds one after another.
        n_new_before = np.concatenate([[0], np.cumsum(self.source == NEW)])
        with opened(self.path) as file:
            failures = read_failures(file)
            for start in range(0, len(self.source), range_size):
                stop = min(start + range_size, len(self.source))
                source = self.source[start:stop]
                woven = _Places(start, stop - start, row_shape(file))
                for places, rows in _neighbours(source):
                    woven.put(places, read_range(file, rows, failures))
                new = range(n_new_before[start], n_new_before[stop])
                if new:
                    woven.put(np.flatnonzero(source == NEW), read(new))
                yield woven.rows()


class _Places:
    """Rows that are put in place one after another."""

    def __init__(self, start: int, n: int, shape: RowShape) -> None:
        self._rows = empty_rows(start, n, shape)
        self._failures: dict[int, str] = {}

    def put(self, places: Integers, rows: Rows) -> None:
        """Put rows in their places, counted from the first one, shape ``(n,)``."""
        for mine, given in zip(self._rows.arrays(), rows.arrays(), strict=True):
            mine[places] = given
        start = self._rows.start
        self._failures |= {start + int(places[row - rows.start]): reason for row, reason in rows.failures.items()}

    def rows(self) -> Rows:
        return Rows.from_arrays(self._rows.start, self._rows.arrays(), self._failures)


def _neighbours(source: Integers) -> Iterator[tuple[Integers, range]]:
    """Yield the places of rows that are adjacent in the finished file, and these rows: each is read in one piece."""
    places = np.flatnonzero(source != NEW)
    # In the order of the finished file: rows that are adjacent there are read together, wherever they go.
    places = places[np.argsort(source[places], kind="stable")]
    for piece in np.split(places, np.flatnonzero(np.diff(source[places]) != 1) + 1):
        # Splitting nothing gives one empty piece.
        if len(piece):
            yield piece, range(int(source[piece[0]]), int(source[piece[-1]]) + 1)
