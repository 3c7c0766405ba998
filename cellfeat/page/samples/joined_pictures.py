"""Thumbnails of held-out samples and, after them, of those that were fitted: sheets of both, in one window."""

from functools import lru_cache

import numpy as np

from cellfeat.samples.sheets.files import Channel
from cellfeat.samples.sheets.shards import make_shard, sheets_in
from cellfeat.thumbnails import Thumbnails
from cellfeat.types import Bytes

KEPT_BLOCKS = 4


class JoinedSheets:
    """Blocks of the thumbnails of two sets of samples, one set after the other.

    Parameters
    ----------
    first, second
        The thumbnails; the pictures of the second take the windows of the first.
    """

    def __init__(self, first: Thumbnails, second: Thumbnails) -> None:
        self._sets = (first, second)
        tables = [_table(*pair) for pair in zip(second.channels, first.channels, strict=True)]
        self._tables = (None, np.stack(tables))
        # A block of the page reaches into two blocks of the second set: they are decoded once.
        self._tiles = lru_cache(KEPT_BLOCKS)(self._decoded)

    def __len__(self) -> int:
        return sum(map(len, self._sets))

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return -(-len(self) // self._sets[0].per_block)

    def block(self, number: int) -> bytes:
        """Make a block in the form of `cellfeat.thumbnails.Thumbnails.block`.

        Raises
        ------
        ReadError
            If a block of one of the sets is missing or damaged.
        """
        per_block = self._sets[0].per_block
        rows = range(number * per_block, min((number + 1) * per_block, len(self)))
        return make_shard(np.stack([self._tile(row) for row in rows]))

    def _tile(self, row: int) -> Bytes:
        n_first = len(self._sets[0])
        which, place = (0, row) if row < n_first else (1, row - n_first)
        block, within = divmod(place, self._sets[which].per_block)
        return self._tiles(which, block)[within]

    def _decoded(self, which: int, number: int) -> Bytes:
        """The thumbnails of a block of one set, shape ``(n, C, side, side)``."""
        found, table = self._sets[which], self._tables[which]
        planes = []
        for channel, sheet in enumerate(sheets_in(found.block(number))):
            side, across = found.side, found.across
            tiles = sheet.reshape(-1, side, across, side).swapaxes(1, 2).reshape(-1, side, side)
            planes.append(tiles if table is None else table[channel][tiles])
        return np.stack(planes, axis=1)


def can_join(first: Thumbnails | None, second: Thumbnails | None) -> bool:
    """Whether the thumbnails of two sets are complete and of the same channels.

    Parameters
    ----------
    first, second
        The thumbnails; None where there are none.
    """
    if first is None or second is None or not (first.is_complete and second.is_complete):
        return False
    names = [[channel.name for channel in one.channels] for one in (first, second)]
    shapes = [(one.side, one.per_block, one.across) for one in (first, second)]
    return names[0] == names[1] and shapes[0] == shapes[1]


def _table(source: Channel, target: Channel) -> Bytes:
    """Values of a thumbnail in the window of another set, by its own values; shape ``(256,)``."""
    values = source.start + np.arange(256) / 255 * (source.end - source.start)
    span = (target.end - target.start) or 1.0
    return np.clip(np.rint((values - target.start) / span * 255), 0, 255).astype(np.uint8)
