"""Several networks side by side, ``efficientnet_lite0+resnet50``: their names, their weights, and loading them.

Nothing here makes one network of them. An extraction runs each with its own preprocessing and puts their columns one
after the other, so that each network's columns are those of its own extraction.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cellfeat.backbones.base import Backbone, LoadedBackbone, WantedPool
from cellfeat.backbones.registry import BACKBONES, TIMM_PREFIX, find_backbone, load_backbone
from cellfeat.backbones.registry import training_images as training_images_of_one
from cellfeat.backbones.trained_on import UNKNOWN
from cellfeat.errors import BackboneError, WeightsError
from cellfeat.text import first_ten

SEPARATOR = "+"

Weights = str | Mapping[str, str]
"""Weights of one network, or of several by their names; ``default`` for the published ones of all."""

_WITH_SIZE = re.compile(r"(?P<name>.+)@(?P<size>\d{1,5})")


@dataclass(frozen=True)
class Member:
    """One of the networks that a name lists.

    Attributes
    ----------
    entry
        Its entry in the table.
    input_size
        The size of its own in pixels, as in ``resnet50@160``; None for that of the settings.
    """

    entry: Backbone
    input_size: int | None = None

    def __str__(self) -> str:
        return self.entry.name if self.input_size is None else f"{self.entry.name}@{self.input_size}"


def parse_members(text: str) -> tuple[Member, ...]:
    """Read the name of one network, or of several joined by ``+``, each with a size of its own after ``@`` if wanted.

    Raises
    ------
    UnknownNameError
        If there is no backbone of one of the names.
    BackboneError
        If a name is missing, a network is named twice with the same size, or does not take its size.

    Examples
    --------
    >>> [str(member) for member in parse_members("resnet18+resnet50@160")]
    ['resnet18', 'resnet50@160']
    """
    parts = text.split(SEPARATOR)
    if not all(parts):
        raise BackboneError(
            f"backbone {text!r}: expected names joined by {SEPARATOR}, such as efficientnet_lite0{SEPARATOR}resnet50, "
            "and one of them is missing"
        )
    members = tuple(map(_member, parts))
    _check_once(text, list(map(str, members)))
    for member in members:
        member.entry.check_input_size(member.input_size)
    return members


def _member(text: str) -> Member:
    found = _WITH_SIZE.fullmatch(text)
    # A name of the table that ends like a size is that name.
    if found is None or text in BACKBONES:
        return Member(find_backbone(text))
    return Member(find_backbone(found["name"]), int(found["size"]))


def _check_once(text: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BackboneError(
                f"backbone {text!r}: {name} is there twice and would give the same numbers twice; name it once, or "
                f"with two sizes, such as {name.partition('@')[0]}@96{SEPARATOR}{name.partition('@')[0]}@160"
            )


def load_networks(
    name: str, *, weights: Weights = "default", pool: WantedPool = "norm", input_size: int | None = None
) -> tuple[LoadedBackbone, ...]:
    """Load one network, or several to be put side by side, in the order of their names.

    Parameters
    ----------
    name
        As for `parse_members`.
    weights
        As for `load_backbone`; for several networks ``default``, or the weights of each by its name.
    pool
        Asked of each network, as for `load_backbone`; ``auto`` may become another for each.
    input_size
        As for `load_backbone`, of the networks that have no size of their own.

    Raises
    ------
    UnknownNameError, MissingExtraError, BackboneError, MissingFileError, WeightsError
        As for `parse_members` and `load_backbone`, or if weights are not given for each network.
    """
    members = parse_members(name)
    given = weights_by_name(members, weights)
    loaded = tuple(
        load_backbone(
            member.entry.name,
            weights=given[member.entry.name],
            pool=pool,
            input_size=member.input_size or input_size,
        )
        for member in members
    )
    _check_once(name, [f"{one.name}@{one.transform.input_size}" for one in loaded])
    return loaded


def weights_by_name(members: Sequence[Member], weights: Weights) -> dict[str, str]:
    """Give the weights of each network by its name.

    Parameters
    ----------
    members
        The networks.
    weights
        As for `load_networks`.

    Raises
    ------
    WeightsError
        If they are those of one of several networks, of another network, or lack one.
    """
    names = list(dict.fromkeys(member.entry.name for member in members))
    if isinstance(weights, str):
        if weights != "default" and len(names) > 1:
            raise WeightsError(
                f"weights {weights!r}: {len(names)} networks are put side by side, and this does not say whose weights "
                f"they are; name those of each, {_example(names, weights)}"
            )
        return dict.fromkeys(names, weights)
    others = [name for name in weights if name not in names]
    if others:
        raise WeightsError(
            f"weights are given for {first_ten(others)}, and the networks are {first_ten(names)}; name one of these"
        )
    missing = [name for name in names if name not in weights]
    if missing:
        raise WeightsError(
            f"{missing[0]}: weights are given for {first_ten(weights)} and not for this network; add "
            f"--weights {missing[0]}=FILE, or --weights {missing[0]}=default for the published ones"
        )
    return dict(weights)


def moved_weights(before: Weights, now: Weights | None) -> Weights:
    """Say where weights are that may have moved since they were recorded.

    Parameters
    ----------
    before
        As they were recorded.
    now
        Where they are; of several networks, those that have moved are enough. None: where they were.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return {**before, **now}
    return now or before


def _example(names: Sequence[str], weights: str) -> str:
    first, *others = names
    return " ".join([f"--weights {first}={weights}", *(f"--weights {name}=default" for name in others)])


def labels_of(networks: Sequence[LoadedBackbone]) -> list[str]:
    """Name each of loaded networks: with its size only if sizes differ, however they were asked for."""
    sizes = {one.transform.input_size for one in networks}
    return [one.name if len(sizes) == 1 else f"{one.name}@{one.transform.input_size}" for one in networks]


def name_of(networks: Sequence[LoadedBackbone]) -> str:
    """Name loaded networks as a recipe does: by their labels."""
    return SEPARATOR.join(labels_of(networks))


def weights_names(networks: Sequence[LoadedBackbone]) -> str | dict[str, str]:
    """Name the weights of loaded networks: text for one network, a mapping by name for several."""
    if len(networks) == 1:
        return networks[0].weights_name
    return {one.name: one.weights_name for one in networks}


def weights_text(weights: Weights) -> str:
    """Write recorded weights for people: those of several networks with their names."""
    if isinstance(weights, str):
        return weights
    return ", ".join(f"{name}={one}" for name, one in weights.items())


def training_images(name: str, weights: Weights) -> str:
    """Say what networks were trained on, in a few words; once where it is the same for all.

    Parameters
    ----------
    name
        As for `parse_members`; names that only another program had in its table are ``unknown`` here.
    weights
        ``default``, the name of weights, or the names by network.

    Examples
    --------
    >>> training_images("resnet18+resnet50", "default")
    'ImageNet-1k (photographs of everyday objects)'
    """
    names = list(dict.fromkeys(map(_without_size, name.split(SEPARATOR))))
    by_name = dict.fromkeys(names, weights) if isinstance(weights, str) else weights
    told = {one: training_images_of_one(one, by_name[one]) if one in by_name else UNKNOWN for one in names}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{one}: {text}" for one, text in told.items())


def _without_size(text: str) -> str:
    found = _WITH_SIZE.fullmatch(text)
    is_known = found is not None and (found["name"] in BACKBONES or found["name"].startswith(TIMM_PREFIX))
    return found["name"] if found is not None and is_known else text
