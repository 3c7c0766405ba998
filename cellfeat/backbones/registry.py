"""`BACKBONES`: the table of networks by name, and `load_backbone`.

Listing the table does not import torch; the module that loads a network is imported when one is loaded.
"""

from dataclasses import replace

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool, WantedPool
from cellfeat.backbones.torchvision_table import torchvision_entries
from cellfeat.backbones.trained_on import IMAGENET, UNKNOWN, trained_on
from cellfeat.errors import BackboneError
from cellfeat.registry import Registry, import_attribute

TIMM_PREFIX = "timm:"

_POOLED: dict[Pool, str] = {
    "stages": "cellfeat.backbones.pooling:pooled_by_stage",
    "blocks": "cellfeat.backbones.blocks:pooled_by_block",
}
"""Functions that pool a loaded network, as ``"module:function"``."""

BACKBONES: Registry[Backbone] = Registry("backbone", "cellfeat.backbones")
for _entry in torchvision_entries():
    BACKBONES.add(_entry)
for _name, _weights, _extra in (
    ("efficientnet_lite0", "efficientnet-lite0-57934424", "lite"),
    ("efficientnet_lite1", "efficientnet-lite1-77cc7160", "lite1"),
    ("efficientnet_lite2", "efficientnet-lite2-9656183e", "lite2"),
):
    BACKBONES.add(
        Backbone(
            name=_name,
            family="efficientnet_lite",
            embedding_dim=1280,
            default_weights=_weights,
            build="cellfeat.backbones.efficientnet_lite:load_efficientnet_lite",
            extra=_extra,
            stages=("blocks.1", "blocks.2", "blocks.3", "blocks.4"),
            trained_on=IMAGENET,
        )
    )

BACKBONES.add(
    Backbone(
        name="pixel_statistics",
        family="pixel_statistics",
        embedding_dim=63,
        default_weights="none",
        build="cellfeat.backbones.pixel_statistics:load_pixel_statistics",
        min_input_size=8,
        trained_on="nothing: it measures pixels, and has no weights",
    )
)


def find_backbone(name: str) -> Backbone:
    """Find the entry of `name`; ``timm:<name>`` gives an entry for any model of timm.

    Raises
    ------
    UnknownNameError
        If the table has no `name`. Whether timm has a model is checked when it is loaded.

    Examples
    --------
    >>> find_backbone("convnext_base").embedding_dim
    1024
    """
    if name.startswith(TIMM_PREFIX):
        return Backbone(
            name=name,
            family="timm",
            embedding_dim=None,
            default_weights="default",
            build="cellfeat.backbones.timm:load_timm",
            extra="timm",
            trained_on=trained_on(name),
        )
    return BACKBONES[name]


def training_images(name: str, weights: str) -> str:
    """Say what a network was trained on, in a few words; ``unknown`` where nothing tells.

    Parameters
    ----------
    name
        As for `find_backbone`; a name that only another program had in its table is ``unknown`` here.
    weights
        ``default``, or the name of weights.

    Examples
    --------
    >>> training_images("resnet18", "default")
    'ImageNet-1k (photographs of everyday objects)'
    """
    if name not in BACKBONES and not name.startswith(TIMM_PREFIX):
        return UNKNOWN
    entry = find_backbone(name)
    return entry.trained_on if weights in ("default", entry.default_weights) else trained_on(weights)


def load_backbone(
    name: str, *, weights: str = "default", pool: WantedPool = "norm", input_size: int | None = None
) -> LoadedBackbone:
    """Load a frozen network, with the preprocessing that its weights were trained with.

    The embedding is the input of the last linear layer of the network's own classifier, unless `pool` says otherwise.

    Parameters
    ----------
    name
        A name of `BACKBONES`, or ``timm:<name>``.
    weights
        Name of published weights (``IMAGENET1K_V2``), which are downloaded unless they are in torch's cache; a file
        with a state dict (``.pth``, ``.pt``, ``.bin``, ``.safetensors``); or ``default``.
    pool
        ``norm``; ``raw`` for a ConvNeXt's pooled features before its last LayerNorm; ``stages`` for means and standard
        deviations over the maps of the middle stages, see `cellfeat.backbones.pooling`; ``blocks`` for the tokens of
        several blocks of a vision transformer, see `cellfeat.backbones.blocks`; or ``auto`` for ``stages`` where the
        network has them, else ``norm``.
    input_size
        Side in pixels of the input images; ``None`` for that of the published weights. A vision transformer's position
        embeddings are interpolated to it.

    Raises
    ------
    UnknownNameError
        If there is no such backbone.
    MissingExtraError
        If a package from an extra is not installed.
    BackboneError
        If the network cannot take `input_size`, or has no such `pool`.
    MissingFileError
        If `weights` is a file that does not exist.
    WeightsError
        If there are no weights of that name, or they cannot be downloaded, are damaged or do not fit.
    """
    return load_entry(find_backbone(name), weights=weights, pool=pool, input_size=input_size)


def load_entry(entry: Backbone, *, weights: str | None, pool: WantedPool, input_size: int | None) -> LoadedBackbone:
    """Load the network of a table entry and apply its pooling; errors are those of `load_backbone`.

    Parameters
    ----------
    entry
        An entry of the table, see `find_backbone`.
    weights
        As for `load_backbone`; with ``None`` the weights are random, which is enough to see the shapes.
    pool, input_size
        As for `load_backbone`.
    """
    if pool in ("norm", "raw"):
        return replace(entry.load(weights=weights, pool=pool, input_size=input_size), pool=pool)
    loaded = entry.load(weights=weights, pool="norm", input_size=input_size)
    if pool != "auto":
        return _pooled(entry, loaded, pool)
    try:
        return _pooled(entry, loaded, "stages")
    except BackboneError:
        return loaded


def _pooled(entry: Backbone, loaded: LoadedBackbone, pool: Pool) -> LoadedBackbone:
    # Imported by name, because it imports torch and listing the table must not.
    pooled: LoadedBackbone = import_attribute(_POOLED[pool])(entry, loaded)
    return pooled
