"""Load networks of torchvision, cut before the last linear layer of their classifier."""

import re
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

from torch import nn
from torchvision import models
from torchvision.models import WeightsEnum
from torchvision.models.vision_transformer import interpolate_embeddings

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.backbones.transform import Transform
from cellfeat.backbones.weights import (
    State,
    check_named_digest,
    fetch,
    is_weights_file,
    load_state,
    read_state,
    state_digest,
)
from cellfeat.errors import BackboneError, WeightsError
from cellfeat.text import near_names

# With torchvision's weights these networks convert the input to another normalisation first. Auxiliary classifiers are
# used in training only.
_INCEPTION_OPTIONS = {"aux_logits": False, "transform_input": True, "init_weights": False}
_AUXILIARY_PARTS = {"googlenet": ("aux1", "aux2"), "inception": ("AuxLogits",)}
_POSITIONS = "encoder.pos_embedding"
_OLD_DENSENET_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


@dataclass(frozen=True)
class _Source:
    """Where the weights of a network come from: published weights, a file, or random numbers.

    `record` gives the preprocessing; `state` is None for random numbers.
    """

    record: WeightsEnum
    name: str
    state: State | None


def load_torchvision(backbone: Backbone, *, weights: str | None, pool: Pool, input_size: int | None) -> LoadedBackbone:
    """Load a network of torchvision.

    Parameters
    ----------
    backbone
        Its entry.
    weights, pool, input_size
        As for `cellfeat.backbones.registry.load_backbone`; weights None are random.
    """
    _check_pool(backbone, pool)
    source = _find_source(backbone, weights)
    transform = _transform(source.record, input_size or _trained_size(backbone, source))
    module = _build(backbone, transform.input_size)
    parts = cut(module, pool=pool)
    if source.state is not None:
        state = _renamed(backbone, source.state, transform.input_size)
        ignored = [*parts, *_AUXILIARY_PARTS.get(backbone.family, ())]
        load_state(module, state, source=f"{backbone.name}: {source.name}", ignored=ignored)
    module.eval().requires_grad_(False)
    return LoadedBackbone(
        name=backbone.name,
        family=backbone.family,
        module=module,
        transform=transform,
        embedding_dim=_known_dim(backbone),
        weights_name=source.name,
        weights_digest=state_digest(module),
    )


def cut(module: nn.Module, *, pool: Pool = "norm") -> list[str]:
    """Cut a classifier of torchvision so that it returns its embedding.

    The last linear layer, and for `pool` ``raw`` the LayerNorm before it, becomes the identity. SqueezeNet has no
    linear layer: its embedding is the input of its last convolution, averaged over the image.

    Parameters
    ----------
    module
        The classifier; it is changed in place.
    pool
        ``norm``, or ``raw`` for a ConvNeXt.

    Returns
    -------
    list of str
        Names of the parts that were removed.
    """
    if isinstance(module, models.SqueezeNet):
        module.classifier = nn.AdaptiveAvgPool2d(1)
        return ["classifier"]
    last = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)][-1]
    parts = [last, "classifier.0"] if pool == "raw" else [last]
    for part in parts:
        parent, _, name = part.rpartition(".")
        setattr(module.get_submodule(parent), name, nn.Identity())
    return parts


def _known_dim(backbone: Backbone) -> int:
    assert backbone.embedding_dim is not None, "every entry of torchvision has one"
    return backbone.embedding_dim


def _check_pool(backbone: Backbone, pool: Pool) -> None:
    if pool == "raw" and backbone.family != "convnext":
        raise BackboneError(
            f"{backbone.name}: pool raw is a ConvNeXt's pooled features before its last LayerNorm, and this network "
            f"has no such layer; use pool norm"
        )


def _find_source(backbone: Backbone, weights: str | None) -> _Source:
    records = models.get_model_weights(backbone.name)
    default = records[backbone.default_weights]
    if weights is None:
        return _Source(default, "random", None)
    if is_weights_file(weights):
        return _source_of_file(Path(weights), list(records), default)
    record = default if weights == "default" else _named_record(backbone, weights, list(records))
    return _Source(record, record.name, read_state(fetch(record.url)))


def _named_record(backbone: Backbone, name: str, records: list[WeightsEnum]) -> WeightsEnum:
    for record in records:
        if record.name == name:
            return record
    valid = ["default", *(record.name for record in records)]
    raise WeightsError(f"{backbone.name}: no weights and no file are named {name!r}; {near_names(name, valid)}")


def _source_of_file(path: Path, records: list[WeightsEnum], default: WeightsEnum) -> _Source:
    """The source for a file; a file named like published weights must also have their digest."""
    state = read_state(path)
    for record in records:
        if path.name == record.url.rsplit("/", 1)[-1]:
            check_named_digest(path)
            return _Source(record, record.name, state)
    return _Source(default, path.name, state)


def _transform(record: WeightsEnum, input_size: int | None) -> Transform:
    preset: Any = record.transforms()
    own = Transform(
        resize=preset.resize_size[0],
        crop=preset.crop_size[0],
        input_size=preset.crop_size[0],
        interpolation=preset.interpolation.value,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )
    return own.sized(input_size)


def _build(backbone: Backbone, input_size: int) -> nn.Module:
    options: dict[str, Any] = {}
    if backbone.family in _AUXILIARY_PARTS:
        options = dict(_INCEPTION_OPTIONS)
    if backbone.family == "vit":
        _check_patches(backbone, input_size)
        options = {"image_size": input_size}
    module: nn.Module = models.get_model(backbone.name, weights=None, **options)
    return module


def _renamed(backbone: Backbone, state: State, input_size: int) -> State:
    """The state with the names and shapes of the current module of this family."""
    if backbone.family == "densenet":
        # The published files name layers `norm.1`, and PyTorch no longer allows dots in the names of modules.
        return {_OLD_DENSENET_NAME.sub(r"\1\2", name): tensor for name, tensor in state.items()}
    if backbone.family == "vit" and _n_positions_per_side(state) is not None:
        # A copy, because `interpolate_embeddings` changes its argument.
        return interpolate_embeddings(input_size, _patch_size(backbone), state.copy())  # type: ignore[attr-defined]
    return state


def _trained_size(backbone: Backbone, source: _Source) -> int | None:
    """Side in pixels at which a vision transformer's position embeddings were trained; ``None`` for other networks."""
    if backbone.family != "vit" or source.state is None:
        return None
    n_positions = _n_positions_per_side(source.state)
    return None if n_positions is None else n_positions * _patch_size(backbone)


def _n_positions_per_side(state: State) -> int | None:
    """``None`` if the positions are not those of a square and one class token; loading then gives the error."""
    positions = state.get(_POSITIONS)
    if positions is None or positions.ndim != 3:
        return None
    side = isqrt(positions.shape[1] - 1)
    return side if side > 0 and positions.shape[:2] == (1, side * side + 1) else None


def _patch_size(backbone: Backbone) -> int:
    return int(backbone.name.rsplit("_", 1)[-1])  # vit_b_16


def _check_patches(backbone: Backbone, input_size: int) -> None:
    patch = _patch_size(backbone)
    if input_size % patch:
        raise BackboneError(
            f"{backbone.name}: needs images whose side is a multiple of {patch} px, got input_size {input_size}; "
            f"the nearest is {max(1, round(input_size / patch)) * patch}"
        )
