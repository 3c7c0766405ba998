"""Channels that are constant or saturated."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cellfeat.near_copies.pictures import ChannelRange

SATURATED_SHARE = 0.05
"""An image is saturated where more than this share of its pixels has its highest value, and that value is the ceiling.

The ceiling of a channel is the highest value at which any of its images has so many pixels: a camera of 12 bits
saturates at 4,095 of a file's 65,535, even if a single hot pixel of another image is higher. A value below the median
of the images' highest values is no ceiling: few grey levels in the dark are not saturation.
"""


class BadChannel(NamedTuple):
    """A channel of one sample that is constant or saturated."""

    row: int
    finding: str
    detail: str


def bad_channels(ranges: Sequence[ChannelRange]) -> Iterator[BadChannel]:
    """Find the channels that are constant or saturated."""
    ceilings = _ceilings(ranges)
    for one in ranges:
        if one.is_constant:
            yield BadChannel(one.row, "constant channel", f"{one.channel}: every pixel is {one.highest:g}")
        elif _is_piled_up(one) and one.highest == ceilings.get(one.channel):
            detail = f"{one.channel}: {one.share_at_highest:.0%} of the pixels are {one.highest:g}"
            yield BadChannel(one.row, "saturated channel", detail)


def _is_piled_up(one: ChannelRange) -> bool:
    """Whether more pixels have the highest value than in an image that is not saturated."""
    return one.share_at_highest > SATURATED_SHARE


def _ceilings(ranges: Sequence[ChannelRange]) -> dict[str | int, float]:
    """The value at which each channel saturates; channels that do not are left out."""
    highest: dict[str | int, list[float]] = defaultdict(list)
    piled_up: dict[str | int, list[float]] = defaultdict(list)
    for one in ranges:
        if not one.is_constant:
            highest[one.channel].append(one.highest)
            piled_up[one.channel] += [one.highest] if _is_piled_up(one) else []
    return {
        channel: max(values)
        for channel, values in piled_up.items()
        if values and max(values) >= np.median(highest[channel])
    }
