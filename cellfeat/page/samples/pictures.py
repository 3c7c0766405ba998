"""Pictures and map of the samples of a page, as they are kept beside the feature file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cellfeat.extraction.store import Features
from cellfeat.figures.samples import channel_colours
from cellfeat.page.content import ShardMaker
from cellfeat.page.files.kept_shards import KeptShard
from cellfeat.page.samples.joined_pictures import JoinedSheets, can_join
from cellfeat.text import clean_text
from cellfeat.thumbnails import Thumbnails, find_thumbnails

SHEET = "thumbnails-"
"""What the names of the shards of thumbnails begin with."""

SCRIPTS = "scripts"
"""Folder beside the thumbnails that holds them as the scripts of pages in folders."""

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


def pictures_of(features: Features | None, view: str, fitted: Features | None = None) -> Pictures:
    """Find the thumbnails of samples; none are made here, since that reads every image.

    Parameters
    ----------
    features
        The samples; None for an audit before any extraction.
    view
        The command that makes thumbnails and shows the page.
    fitted
        The fitted samples that follow held-out ones; None without.
    """
    if features is None:
        return Pictures(note="There are no pictures before an extraction: run cellfeat extract.")
    if features.is_imported:
        return Pictures(note="The samples come from a table: there are no images behind them.")
    found = find_thumbnails(features)
    if found is None:
        return Pictures(note=f"No thumbnails were made yet: {view} makes them from the images.")
    return shown(found) if fitted is None else _beside(found, fitted)


def _beside(found: Thumbnails, fitted: Features) -> Pictures:
    """Pictures of held-out samples and of the fitted ones after them."""
    of_fitted = find_thumbnails(fitted)
    if of_fitted is None or not can_join(found, of_fitted):
        return Pictures(note=f"The fitted samples have no such thumbnails: `cellfeat view {fitted.path}` makes them.")
    both = JoinedSheets(found, of_fitted)
    if len(both) > MOST_IN_SHARDS:
        return Pictures(note=f"Pictures of more than {MOST_IN_SHARDS:,} samples are too many for this page.")
    return replace(
        shown(found), shards={f"{SHEET}{number}": partial(both.block, number) for number in range(both.n_blocks)}
    )


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
        shards={f"{SHEET}{number}": _kept(found, number) for number in blocks},
    )


def _kept(found: Thumbnails, number: int) -> KeptShard:
    shows = hashlib.sha256(found.key(number).encode()).hexdigest()[:16]
    return KeptShard(partial(found.block, number), found.folder / SCRIPTS / f"{number}-{shows}.js")


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
