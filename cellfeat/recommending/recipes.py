"""The recipes that are compared: what can be chosen, and which of them share their forwards.

All pools of a network, all views of a picture, and planes and single channels are parts of one computation: the recipes
with the same `Source` differ only in what they keep of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from cellfeat.backbones.base import WantedPool
from cellfeat.config import Settings

SIZES = (64, 96, 128, 160, 224)
"""Input sizes that are tried, in pixels. Above 224 the cost grows, and the measured gain on cells was none."""

VIEWS = (1, 4, 8)
"""Numbers of views: each contains the ones before."""

Pool = Literal["norm", "stages", "blocks"]

Crop = Literal["none", "center"]
CROPS: tuple[Crop, ...] = get_args(Crop)

# The layer before the last LayerNorm differs from the one behind it by no more than the head's own scaling.
_POOLS: dict[WantedPool, Pool] = {
    "auto": "stages",
    "norm": "norm",
    "raw": "norm",
    "stages": "stages",
    "blocks": "blocks",
}
"""Pool of a recipe by that of the settings; `norm` takes its place where a network lacks it."""


@dataclass(frozen=True)
class Source:
    """What goes through a network: recipes of one source share its forwards.

    Attributes
    ----------
    backbone
        Name of the network.
    input_size
        Side of its input in pixels.
    crop
        Whether the centre of the image is cut out, as published with the weights, or the whole image is kept.
    """

    backbone: str
    input_size: int
    crop: Crop


@dataclass(frozen=True)
class Recipe:
    """One recipe: a source, and what is kept of its forwards.

    Attributes
    ----------
    source
        The network and its input.
    pool
        As ``backbone.pool``.
    channels_as
        As ``preprocessing.channels_as``.
    views
        As ``extraction.views``.
    """

    source: Source
    pool: Pool
    channels_as: str
    views: int

    def __str__(self) -> str:
        source = self.source
        views = "1 view" if self.views == 1 else f"{self.views} views"
        crop = "whole image" if source.crop == "none" else "centre crop"
        return f"{source.backbone}, {self.pool}, {source.input_size} px, {self.channels_as}, {views}, {crop}"

    def with_views(self, views: int) -> Self:
        """Give the same recipe with another number of views."""
        return replace(self, views=views)

    def n_forwards(self, n_channels: int) -> int:
        """Number of forwards for each sample, given the number of channels."""
        return self.views * len(passes_of(self.channels_as, n_channels))

    def work(self, n_channels: int) -> float:
        """Nominal work for each sample, to order recipes of one network: forwards times pixels.

        It does not depend on measured times, so a choice between recipes of one network can be repeated.
        """
        pool = 0.8 if self.pool == "stages" else 1.0  # the layers after the last stage are left out
        return pool * self.n_forwards(n_channels) * self.source.input_size**2

    def overrides(self) -> dict[str, Any]:
        """The settings of this recipe by dotted key."""
        return {
            "backbone.name": self.source.backbone,
            "backbone.pool": self.pool,
            "preprocessing.input_size": self.source.input_size,
            "preprocessing.crop": self.source.crop,
            "preprocessing.channels_as": self.channels_as,
            "extraction.views": self.views,
        }


def ways_to_show(n_channels: int) -> tuple[str, ...]:
    """List the values of ``channels_as`` that differ for a number of channels."""
    if n_channels == 1:
        return ("planes",)
    return ("planes", "separate", "both") if n_channels == 3 else ("separate",)


def passes_of(channels_as: str, n_channels: int) -> tuple[int, ...]:
    """Number the passes of a way to show channels, among those of `widest`.

    Parameters
    ----------
    channels_as
        One of `ways_to_show`.
    n_channels
        Number of channels.

    Examples
    --------
    >>> passes_of("planes", 3), passes_of("separate", 3), passes_of("separate", 2)
    ((0,), (1, 2, 3), (0, 1))
    """
    if n_channels != 3:
        return tuple(range(n_channels))
    return {"planes": (0,), "separate": (1, 2, 3), "both": (0, 1, 2, 3)}[channels_as]


def widest(n_channels: int) -> str:
    """The value of ``channels_as`` whose passes contain those of all others."""
    return ways_to_show(n_channels)[-1]


def recipes_of(source: Source, pools: Sequence[Pool], n_channels: int) -> Iterator[Recipe]:
    """List the recipes of a source with one view.

    Parameters
    ----------
    source
        The network and its input.
    pools
        Pools that the network has.
    n_channels
        Number of channels.
    """
    for pool in pools:
        for channels_as in ways_to_show(n_channels):
            yield Recipe(source, pool, channels_as, 1)


def given_recipe(settings: Settings, backbone: str, published_size: int, n_channels: int) -> Recipe:
    """The recipe of settings, with another network if theirs is not there: what others are compared with.

    Parameters
    ----------
    settings
        The settings of the user; the defaults where nothing is set.
    backbone
        Name of the network.
    published_size
        Input size published with its weights.
    n_channels
        Number of channels.
    """
    wanted = settings.preprocessing
    channels_as = wanted.channels_as if wanted.channels_as in ways_to_show(n_channels) else widest(n_channels)
    pool = _POOLS[settings.backbone.pool]
    source = Source(backbone, wanted.input_size or published_size, wanted.crop or "center")
    return Recipe(source, pool, channels_as, settings.extraction.views)
