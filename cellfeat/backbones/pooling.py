"""Embeddings from the middle of a network: mean and deviation of each channel over the maps of several stages.

What tells cells apart is texture as much as shape, and a classifier of everyday things has thrown most of it away by
its last layer: on real cells the stages at strides 4, 8 and 16 are worth many points more than what the network's own
classifier is given (``docs/results.md``). Nothing behind the last of these stages is computed.
"""

import copy
from contextlib import ExitStack
from dataclasses import replace

import torch
from torch import nn

from cellfeat.backbones.base import Backbone, LoadedBackbone
from cellfeat.errors import BackboneError

FIRST_STRIDE, LAST_STRIDE = 4, 16


class StagePooled(nn.Module):
    """A network that gives, of each channel of each stage's map, the mean and then the standard deviation.

    Parameters
    ----------
    network
        Maps ``(N, 3, H, W)`` to anything; nothing behind the last stage is needed of it.
    stages
        Names of submodules that give ``(N, C, h, w)``, in the order in which they run.
    """

    def __init__(self, network: nn.Module, stages: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.stages = stages

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, embedding_dim)``: stage by stage, the means and then the deviations."""
        pooled: list[torch.Tensor] = []

        def pool(_stage: nn.Module, _inputs: object, maps: torch.Tensor) -> None:
            pooled.append(mean_and_deviation(maps))

        with ExitStack() as hooks:
            for name in self.stages:
                hooks.callback(self.network.get_submodule(name).register_forward_hook(pool).remove)
            self.network(images)
        return torch.cat(pooled, dim=1)


def mean_and_deviation(maps: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation over the area: ``(N, C, h, w)`` to ``(N, 2 * C)`` float32."""
    # torch.var_mean does both, and takes ten times as long in channels-last layout on a CPU.
    values = maps.float()
    mean = values.mean(dim=(2, 3), keepdim=True)
    deviation = (values - mean).square_().mean(dim=(2, 3)).sqrt_()
    return torch.cat([mean.flatten(1), deviation], dim=1)


def pooled_by_stage(entry: Backbone, loaded: LoadedBackbone) -> LoadedBackbone:
    """Embed by the stages of a loaded network at strides 4, 8 and 16; what lies behind them is cut off.

    Parameters
    ----------
    entry
        Its entry in the table, which names the stages; of a model of timm the model itself does.
    loaded
        The network, which is left as it is.

    Raises
    ------
    BackboneError
        If its stages are not known, or do not give maps.
    """
    stages = entry.stages or _told_by_timm(loaded.module)
    if not stages:
        raise BackboneError(
            f"{entry.name}: pool stages takes the maps of a convolutional network's stages, and those of this network "
            f"are not known; use pool norm, or convnext_base, a resnet, densenet, regnet or efficientnet"
        )
    network = copy.deepcopy(loaded.module)
    _cut_behind(network, stages[-1])
    module = StagePooled(network, stages).eval().requires_grad_(False)
    return replace(loaded, module=module, embedding_dim=_embedding_dim(entry.name, module, loaded.transform.input_size))


def _told_by_timm(module: nn.Module) -> tuple[str, ...]:
    told = getattr(module, "feature_info", None) or ()
    within = [stage for stage in told if FIRST_STRIDE <= stage["reduction"] <= LAST_STRIDE]
    return tuple(dict.fromkeys(stage["module"] for stage in within))


def _cut_behind(network: nn.Module, last: str) -> None:
    """Let every part that would run after the part `last` do nothing."""
    parent, path = network, last.split(".")
    for name in path:
        names = [child for child, _ in parent.named_children()]
        for later in names[names.index(name) + 1 :]:
            if isinstance(parent, nn.Sequential):
                delattr(parent, later)
            else:
                setattr(parent, later, nn.Identity())
        parent = parent.get_submodule(name)


@torch.inference_mode()
def _embedding_dim(name: str, module: StagePooled, input_size: int) -> int:
    try:
        return module(torch.zeros(1, 3, input_size, input_size)).shape[1]
    except (RuntimeError, IndexError, TypeError, AttributeError) as error:
        raise BackboneError(
            f"{name}: the stages {', '.join(module.stages)} cannot be pooled ({error}); use pool norm"
        ) from error
