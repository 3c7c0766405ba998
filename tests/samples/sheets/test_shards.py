"""A block of thumbnails in bytes."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from cellfeat.errors import ImageError
from cellfeat.samples.sheets.shards import make_shard, sheets_in
from cellfeat.samples.sheets.tiles import SIDE


def flat(n: int, n_channels: int) -> np.ndarray:
    """Thumbnails of one grey value each: 3 times the number of the sample, and 40 more for each channel."""
    grey = 3 * np.arange(n)[:, np.newaxis] + 40 * np.arange(n_channels)
    return np.broadcast_to(grey[:, :, np.newaxis, np.newaxis], (n, n_channels, SIDE, SIDE)).astype(np.uint8)


def test_shard_holds_a_grey_jpeg_a_channel() -> None:
    shard = make_shard(flat(20, 2))
    (length,) = struct.unpack_from("<I", shard)
    first = Image.open(io.BytesIO(shard[4 : 4 + length]))
    assert (first.format, first.mode, first.size) == ("JPEG", "L", (8 * SIDE, 3 * SIDE))
    (second,) = struct.unpack_from("<I", shard, 4 + length)
    assert len(shard) == 8 + length + second


@pytest.mark.parametrize(("n", "n_channels"), [(1, 1), (8, 3), (9, 9), (64, 2)])
def test_thumbnails_fill_rows_from_the_top_left(n: int, n_channels: int) -> None:
    tiles = flat(n, n_channels)
    sheets = sheets_in(make_shard(tiles))
    assert [sheet.shape for sheet in sheets] == [(-(-n // 8) * SIDE, 8 * SIDE)] * n_channels
    for number in range(n):
        top, left = number // 8 * SIDE, number % 8 * SIDE
        found = [sheet[top : top + SIDE, left : left + SIDE].mean() for sheet in sheets]
        assert found == pytest.approx(tiles[number].mean(axis=(1, 2)), abs=2)


@pytest.mark.parametrize("cut", [2, 30])
def test_cut_shard_is_refused(cut: int) -> None:
    with pytest.raises(ImageError):
        sheets_in(make_shard(flat(3, 1))[:cut])
