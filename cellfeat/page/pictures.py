"""Pictures and map of the samples of a page, as they are kept beside the feature file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cellfeat.extraction.store import Features
from cellfeat.figures.samples import channel_colours
from cellfeat.page.content import ShardMaker
from cellfeat.text import clean_text
from cellfeat.thumbnails import Thumbnails, find_thumbnails

SHEET = "thumbnails-"
"""What the names of the shards of thumbnails begin with."""

MOST_IN_SHARDS = 100_000
"""Samples up to which a page holds thumbnails itself; of more, only `cellfeat view` shows pictures."""


@dataclass(frozen=True)
class Pictures:
    """What a page has of pictures.

    Attributes
    ----------
    channels
        The channels, as the page's JSON lists them.
    thumbnails
        The entry ``thumbnails`` of the page's JSON; None without pictures.
    note
        Why there are no pictures, and what to do; ``""`` where there are.
    shards
        What makes each sheet of thumbnails.
    """

    channels: list[dict[str, Any]] = field(default_factory=list)
    thumbnails: dict[str, Any] | None = None
    note: str = ""
    shards: Mapping[str, ShardMaker] = field(default_factory=dict)


def pictures_of(features: Features | None, view: str) -> Pictures:
    """Find the thumbnails of samples; none are made here, since that reads every image.

    Parameters
    ----------
    features
        The samples; None for an audit before any extraction.
    view
        The command that makes thumbnails and shows the page.
    """
    if features is None:
        return Pictures(note="There are no pictures before an extraction: run cellfeat extract.")
    if features.is_imported:
        return Pictures(note="The samples come from a table: there are no images behind them.")
    found = find_thumbnails(features)
    if found is None:
        return Pictures(note=f"No thumbnails were made yet: {view} makes them from the images.")
    return shown(found)


def shown(found: Thumbnails) -> Pictures:
    """Give thumbnails as a page shows them; those of very many samples only with `cellfeat view`, which adds shards."""
    channels = [clean_text(channel.name) for channel in found.channels]
    is_large = len(found) > MOST_IN_SHARDS
    blocks = () if is_large else range(found.n_blocks)
    return Pictures(
        channels=[
            {"name": name, "colour": _hex(colour), "start": channel.start, "end": channel.end}
            for name, colour, channel in zip(channels, channel_colours(channels), found.channels, strict=True)
        ],
        thumbnails={
            "side": found.side,
            "perBlock": found.per_block,
            "across": found.across,
            "from": "server" if is_large else "shards",
        },
        shards={f"{SHEET}{number}": partial(found.block, number) for number in blocks},
    )


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
