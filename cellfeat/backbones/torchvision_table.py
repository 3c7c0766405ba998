"""The classifiers of torchvision, as entries of the table of backbones; importing this module imports no torch."""

from collections.abc import Iterator

from cellfeat.backbones.base import Backbone
from cellfeat.backbones.trained_on import trained_on

_EMBEDDING_DIMS = {
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
"""Length of the embedding of each network, by family. A test compares it with torchvision."""

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
"""`min_size` of torchvision's weights, by family; for swin the stride of the network, not its training size."""
_FIXED_INPUT_SIZE = {"maxvit": 224}
_STAGES = {
    "convnext": ("features.1", "features.3", "features.5"),
    "densenet": ("features.denseblock1", "features.denseblock2", "features.denseblock3"),
    "efficientnet": ("features.2", "features.3", "features.4", "features.5"),
    "efficientnet_v2": ("features.2", "features.3", "features.4", "features.5"),
    "regnet": ("trunk_output.block1", "trunk_output.block2", "trunk_output.block3"),
    "resnet": ("layer1", "layer2", "layer3"),
}
"""Modules at strides of 4, 8 and 16 pixels by family, for `pool` ``stages``. A test compares them with the networks."""
_DEFAULT_WEIGHTS = {"vit_h_14": "IMAGENET1K_SWAG_E2E_V1", "regnet_y_128gf": "IMAGENET1K_SWAG_E2E_V1"}


def torchvision_entries() -> Iterator[Backbone]:
    """One entry for each classifier of torchvision, family by family."""
    for family, members in _EMBEDDING_DIMS.items():
        for name, embedding_dim in members.items():
            weights = _DEFAULT_WEIGHTS.get(name, "IMAGENET1K_V1")
            yield Backbone(
                name=name,
                family=family,
                embedding_dim=embedding_dim,
                default_weights=weights,
                build="cellfeat.backbones.torchvision:load_torchvision",
                min_input_size=_MIN_INPUT_SIZE.get(family, 1),
                fixed_input_size=_FIXED_INPUT_SIZE.get(family),
                stages=_STAGES.get(family, ()),
                trained_on=trained_on(weights),
            )
