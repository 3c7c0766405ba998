"""Load models of timm."""

from difflib import get_close_matches
from math import floor
from pathlib import Path
from typing import Any

import timm
from timm.data import resolve_model_data_config
from timm.models import get_pretrained_cfg
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.backbones.registry import TIMM_PREFIX
from cellfeat.backbones.transform import Transform
from cellfeat.backbones.weights import is_weights_file, load_state, read_state, state_digest
from cellfeat.errors import BackboneError, UnknownNameError, WeightsError
from cellfeat.text import first_line, near_names


def load_timm(backbone: Backbone, *, weights: str | None, pool: Pool, input_size: int | None) -> LoadedBackbone:
    """Load a model of timm.

    Parameters
    ----------
    backbone
        An entry named ``timm:<name>``.
    weights, pool, input_size
        As for `cellfeat.backbones.registry.load_backbone`; weights None are random.
    """
    _check_pool(backbone, pool)
    name = backbone.name.removeprefix(TIMM_PREFIX)
    _check_name(name)
    if weights == "default":
        module = _pretrained(name)
        return _loaded(backbone, module, _tagged_name(module), input_size)
    module = _untrained(name)
    if weights is None:
        return _loaded(backbone, module, "random", input_size)
    return _loaded(backbone, module, _load_file(module, weights, backbone), input_size)


def _loaded(backbone: Backbone, module: nn.Module, weights_name: str, input_size: int | None) -> LoadedBackbone:
    if input_size is not None and _takes_any_patches(module):
        _resize(backbone, module, input_size)
    module.eval().requires_grad_(False)
    return LoadedBackbone(
        name=backbone.name,
        family=backbone.family,
        module=module,
        transform=_transform(backbone, module, input_size),
        embedding_dim=_embedding_dim(module),
        weights_name=weights_name,
        weights_digest=state_digest(module),
    )


def _takes_any_patches(module: Any) -> bool:
    """Whether it is a vision transformer whose position embeddings timm can interpolate to another image size."""
    return hasattr(module, "set_input_size") and hasattr(module, "num_prefix_tokens")


def _resize(backbone: Backbone, module: Any, input_size: int) -> None:
    """Interpolate the position embeddings to another image size, after the weights are loaded."""
    patch = module.patch_embed.patch_size[0]
    if input_size % patch:
        raise BackboneError(
            f"{backbone.name}: needs images whose side is a multiple of {patch} px, got input_size {input_size}; "
            f"the nearest is {max(1, round(input_size / patch)) * patch}"
        )
    module.set_input_size(img_size=(input_size, input_size))


def _embedding_dim(module: Any) -> int:
    """Number of inputs of the last layer: some models widen their features just before it."""
    return int(getattr(module, "head_hidden_size", None) or module.num_features)


def _check_pool(backbone: Backbone, pool: Pool) -> None:
    if pool == "raw":
        raise BackboneError(
            f"{backbone.name}: pool raw exists for torchvision's ConvNeXts only (convnext_base); use pool norm"
        )


def _check_name(name: str) -> None:
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=10, cutoff=0.5)
        raise UnknownNameError(f"timm {timm.__version__} has no model {name!r}; {near_names(name, near)}")
    try:
        get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        architecture = name.split(".", 1)[0]
        valid = timm.list_pretrained(f"{architecture}.*") or [architecture]
        raise UnknownNameError(f"timm {timm.__version__} has no weights {name!r}; {near_names(name, valid)}") from None


def _untrained(name: str) -> nn.Module:
    module: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    return module


def _pretrained(name: str) -> nn.Module:
    try:
        module: nn.Module = timm.create_model(name, pretrained=True, num_classes=0)
    except (OSError, RuntimeError) as error:  # no network, file or disk space; no weights, or damaged ones
        raise WeightsError(
            f"{TIMM_PREFIX}{name}: its weights, {_home(name)}, are unavailable ({first_line(error)}). Download "
            f"them elsewhere and give the file with --weights FILE; --backbone efficientnet_lite0 needs no download. "
            f"The hub retries for most of a minute: without a network, HF_HUB_OFFLINE=1 avoids the wait"
        ) from None
    return module


def _home(name: str) -> str:
    record = get_pretrained_cfg(name)
    return str((record.hf_hub_id or record.url) if record else None)


def _tagged_name(module: nn.Module) -> str:
    record = _record(module)
    return ".".join(filter(None, (record["architecture"], record.get("tag"))))


def _record(module: nn.Module) -> dict[str, Any]:
    record: dict[str, Any] = module.pretrained_cfg  # type: ignore[assignment]
    return record


def _load_file(module: nn.Module, weights: str, backbone: Backbone) -> str:
    if not is_weights_file(weights):
        raise WeightsError(
            f"{backbone.name}: no weights file is named {weights!r}; expected default or a file. The weights of timm "
            f"are selected by the model's name: timm:resnet50.a1_in1k"
        )
    path = Path(weights)
    load_state(module, read_state(path), source=f"{backbone.name}: {path.name}", ignored=_classifiers(module))
    return path.name


def _classifiers(module: nn.Module) -> list[str]:
    classifier = _record(module).get("classifier") or ()
    return [classifier] if isinstance(classifier, str) else list(classifier)


def _transform(backbone: Backbone, module: nn.Module, input_size: int | None) -> Transform:
    config = resolve_model_data_config(module)
    _check_config(backbone, config)
    size = config["input_size"][-1]
    is_fixed = _record(module).get("fixed_input_size") and not _takes_any_patches(module)
    if is_fixed and input_size not in (None, size):
        raise BackboneError(
            f"{backbone.name}: accepts images of {size} px only, got input_size {input_size}; "
            f"leave preprocessing.input_size out"
        )
    # The side to resize to is computed as timm's own transforms do.
    own = Transform(
        resize=floor(size / config["crop_pct"]),
        crop=size,
        input_size=size,
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        squash=config["crop_mode"] == "squash",
    )
    return own.sized(input_size)


def _check_config(backbone: Backbone, config: dict[str, Any]) -> None:
    channels, height, width = config["input_size"]
    if channels != 3 or height != width:
        raise BackboneError(
            f"{backbone.name}: takes {channels} channels of {height} x {width} px; only squares of 3 channels are "
            f"supported"
        )
    if config["crop_mode"] not in ("center", "squash"):
        raise BackboneError(
            f"{backbone.name}: was trained with crop mode {config['crop_mode']!r}; only center and squash are supported"
        )
