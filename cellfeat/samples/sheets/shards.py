"""A block of thumbnails in bytes: for each channel a length and a grey JPEG, the sheet of the block's samples."""

import struct
from collections.abc import Iterator

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.grey_jpeg import decode_grey_jpeg, encode_grey_jpeg
from cellfeat.samples.sheets.tiles import SIDE
from cellfeat.types import Bytes

PER_BLOCK = 64
"""Samples of a block."""
ACROSS = 8
"""Thumbnails in a row of a sheet."""
QUALITY = 85
MOST_AT_ONCE = 100_000
"""Samples up to which all thumbnails are made at once, and a page holds them; of more, `cellfeat view` makes those that
are looked at."""
_LENGTH = struct.Struct("<I")


def make_shard(tiles: Bytes) -> bytes:
    """Encode the thumbnails of a block.

    Parameters
    ----------
    tiles
        Shape ``(n, C, SIDE, SIDE)``, at most `PER_BLOCK`.
    """
    jpegs = [encode_grey_jpeg(sheet_of(plane), QUALITY) for plane in tiles.swapaxes(0, 1)]
    return b"".join(_LENGTH.pack(len(jpeg)) + jpeg for jpeg in jpegs)


def sheet_of(tiles: Bytes) -> Bytes:
    """Lay thumbnails out, `ACROSS` in a row, from the top left.

    Parameters
    ----------
    tiles
        Shape ``(n, SIDE, SIDE)``.

    Returns
    -------
    ndarray of shape (rows * SIDE, ACROSS * SIDE)
        With as many rows as are needed.
    """
    n_rows = -(-len(tiles) // ACROSS)
    cells = np.zeros((n_rows * ACROSS, SIDE, SIDE), np.uint8)
    cells[: len(tiles)] = tiles
    return cells.reshape(n_rows, ACROSS, SIDE, SIDE).swapaxes(1, 2).reshape(n_rows * SIDE, ACROSS * SIDE)


def sheets_in(shard: bytes) -> list[Bytes]:
    """Decode the sheets of a block, one for each channel: shape ``(rows * SIDE, ACROSS * SIDE)`` each.

    Raises
    ------
    ImageError
        If the bytes are damaged.
    """
    return [decode_grey_jpeg(jpeg) for jpeg in _jpegs_in(shard)]


def _jpegs_in(shard: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(shard):
        if place + _LENGTH.size > len(shard):
            raise ImageError(f"{len(shard)} bytes of thumbnails end within a length")
        (length,) = _LENGTH.unpack_from(shard, place)
        place += _LENGTH.size
        if place + length > len(shard):
            raise ImageError(f"{len(shard)} bytes of thumbnails end within a picture of {length} bytes")
        yield shard[place : place + length]
        place += length
