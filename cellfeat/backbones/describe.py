"""Describe the parts of a backbone, for ``cellfeat inspect convnext_base``."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone, WantedPool
from cellfeat.backbones.registry import find_backbone, load_entry, training_images
from cellfeat.backbones.side_by_side import parse_members
from cellfeat.backbones.transform import Transform

_HEADER = ("stage", "type", "parameters", "output")


@dataclass(frozen=True)
class Stage:
    """One part of a network.

    Attributes
    ----------
    name
        Its name in the module.
    type
        The class of the part.
    n_parameters
        Number of its parameters.
    output_shape
        Shape of its output for one image, ``(1, …)``; ``None`` if the forward pass does not call it, or it returns no
        tensor.
    """

    name: str
    type: str
    n_parameters: int
    output_shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Description:
    """Parts and properties of a backbone; converted to text it is a table."""

    name: str
    family: str
    weights_name: str
    stages: tuple[Stage, ...]
    n_parameters: int
    embedding_dim: int
    transform: Transform
    trained_on: str

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.name} ({self.family}), weights: {self.weights_name}",
                "",
                *_aligned([_HEADER, *map(_cells, self.stages)]),
                "",
                f"parameters     {self.n_parameters:,}",
                f"embedding      {self.embedding_dim} numbers",
                f"trained on     {self.trained_on}",
                f"preprocessing  {_preprocessing(self.transform)}",
            ]
        )


def describe_networks(name: str) -> list[Description]:
    """Describe the network of a name, or each of several that it joins, as `describe_backbone` does.

    Raises
    ------
    BackboneError, UnknownNameError, MissingExtraError
        As for `cellfeat.backbones.side_by_side.parse_members`.
    """
    return [_described(member.entry, member.input_size) for member in parse_members(name)]


def describe_backbone(name: str) -> Description:
    """Describe a backbone by name; it needs neither the weights nor a network connection.

    Raises
    ------
    UnknownNameError, MissingExtraError
        As for `cellfeat.backbones.registry.load_backbone`.

    Examples
    --------
    >>> [stage.name for stage in describe_backbone("squeezenet1_1").stages][-2:]
    ['features.12', 'classifier']
    """
    return _described(find_backbone(name), None)


def _described(entry: Backbone, input_size: int | None) -> Description:
    untrained = load_entry(entry, weights=None, pool="norm", input_size=input_size)
    return describe_loaded(replace(untrained, weights_name=entry.default_weights))


def build_untrained(name: str, *, pool: WantedPool = "norm", input_size: int | None = None) -> LoadedBackbone:
    """Build a backbone with random weights, to see its shapes.

    Parameters
    ----------
    name, pool, input_size
        As for `cellfeat.backbones.registry.load_backbone`.
    """
    return load_entry(find_backbone(name), weights=None, pool=pool, input_size=input_size)


def describe_loaded(loaded: LoadedBackbone) -> Description:
    """Describe a loaded backbone, by one forward pass of a black image."""
    return Description(
        name=loaded.name,
        family=loaded.family,
        weights_name=loaded.weights_name,
        stages=tuple(_stages(loaded)),
        n_parameters=_n_parameters(loaded.module),
        embedding_dim=loaded.embedding_dim,
        transform=loaded.transform,
        trained_on=training_images(loaded.name, loaded.weights_name),
    )


def _stages(loaded: LoadedBackbone) -> Iterator[Stage]:
    parts = dict(_parts(loaded.module))
    shapes = _output_shapes(loaded.module, parts, loaded.transform.input_size)
    for name, part in parts.items():
        yield Stage(name, type(part).__name__, _n_parameters(part), shapes.get(name))


def _parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The top-level parts, and the parts of `features` in its place."""
    for name, part in module.named_children():
        if name == "features":
            yield from ((f"{name}.{inner}", child) for inner, child in part.named_children())
        else:
            yield name, part


@torch.inference_mode()
def _output_shapes(module: nn.Module, parts: dict[str, nn.Module], input_size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def remember(name: str) -> Any:
        def hook(_part: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                shapes[name] = tuple(output.shape)

        return hook

    with ExitStack() as hooks:
        for name, part in parts.items():
            hooks.callback(part.register_forward_hook(remember(name)).remove)
        module(torch.zeros(1, 3, input_size, input_size))
    return shapes


def _n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _cells(stage: Stage) -> tuple[str, ...]:
    shape = "–" if stage.output_shape is None else " × ".join(map(str, stage.output_shape[1:]))
    return stage.name, stage.type, f"{stage.n_parameters:,}", shape


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths) for row in rows]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    name, kind, n_parameters, shape = row
    return f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {n_parameters:>{widths[2]}}  {shape}"


def _preprocessing(transform: Transform) -> str:
    mean, std = (" ".join(f"{value:g}" for value in values) for values in (transform.mean, transform.std))
    return f"{_geometry(transform)}, {transform.interpolation}, mean {mean}, std {std}"


def _geometry(transform: Transform) -> str:
    if transform.crop is None:
        return f"whole image, longer side to {transform.input_size} px, padded"
    sides = "both sides" if transform.squash else "shorter side"
    return f"{sides} to {transform.resize} px, central {transform.crop} px"
