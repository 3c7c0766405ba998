import numpy as np
import pytest

from cellfeat.page.samples.joined_pictures import JoinedSheets, can_join
from cellfeat.samples.sheets.files import Channel
from cellfeat.samples.sheets.shards import make_shard, sheets_in


class Made:
    """Thumbnails in memory: the picture of sample n has the grey value n in both channels."""

    side, per_block, across, is_complete = 64, 64, 8, True

    def __init__(self, values, end=255):
        self.values, self.channels = values, [Channel("dna", 0, end), Channel("er", 0, end)]

    def __len__(self):
        return len(self.values)

    def block(self, number):
        values = self.values[64 * number : 64 * (number + 1)]
        return make_shard(np.stack([np.full((2, 64, 64), value, np.uint8) for value in values]))


def shown(sheets, row):
    block, within = divmod(row, 64)
    plane = sheets_in(sheets.block(block))[1]
    return plane[within // 8 * 64 + 32, within % 8 * 64 + 32]


def test_fitted_samples_follow_held_out_ones():
    both = JoinedSheets(Made(range(70)), Made(range(100, 180)))
    assert (len(both), both.n_blocks) == (150, 3)
    for row, value in ((0, 0), (69, 69), (70, 100), (128, 158), (149, 179)):
        assert shown(both, row) == pytest.approx(value, abs=2)


def test_pictures_take_the_window_of_the_held_out_ones():
    both = JoinedSheets(Made([10], end=100), Made([50], end=200))
    assert shown(both, 1) == pytest.approx(100, abs=2)


def test_other_channels_are_not_joined():
    other = Made([1])
    other.channels = other.channels[:1]
    assert can_join(Made([1]), Made([2]))
    assert not can_join(Made([1]), other)
    assert not can_join(Made([1]), None)
