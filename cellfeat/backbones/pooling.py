"""Embeddings from the middle of a network: mean and standard deviation of each channel at several stages.

Cells differ in texture as much as in shape, and the last layers of a classifier of everyday objects discard most of the
texture. On real cells the stages at strides 4, 8 and 16 score many points higher than the input of the network's own
classifier (``docs/studies/defaults.md``). The layers after the last of these stages are not computed.
"""

import copy
from dataclasses import replace

import torch
from torch import fx, nn

from cellfeat.backbones.base import Backbone, LoadedBackbone
from cellfeat.errors import BackboneError
from cellfeat.text import first_line

FIRST_STRIDE, LAST_STRIDE = 4, 16


class StagePooled(nn.Module):
    """A network that returns the mean and standard deviation of each channel of the maps of its stages.

    The pooled stages are the output of one graph, without hooks. Compilers and converters therefore see the whole
    forward, and what runs after the last stage is not part of it.

    Parameters
    ----------
    network
        Takes ``(N, 3, H, W)``; its own output is not used. Its modules are shared, not copied.
    stages
        Names of submodules that return ``(N, C, h, w)``, in the order in which they run.

    Raises
    ------
    BackboneError
        If the network's own code cannot be followed to its stages.
    """

    def __init__(self, network: nn.Module, stages: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.stages = stages
        self._pooled = fx.GraphModule(network, _pooling_graph(network, stages))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, embedding_dim)``: stage by stage, means before deviations."""
        embedded: torch.Tensor = self._pooled(images)
        return embedded


class _PathToStages(fx.Tracer):
    """Follows the code of the modules that contain a stage; any other module, the stages included, stays one call."""

    def __init__(self, stages: tuple[str, ...]) -> None:
        super().__init__()
        self._stages = stages

    def is_leaf_module(self, _module: nn.Module, name: str) -> bool:
        return not any(stage.startswith(f"{name}.") for stage in self._stages)


class StagesAndOutput(nn.Module):
    """A whole network that returns what `StagePooled` gives, and then its own output.

    Parameters
    ----------
    network
        Maps ``(N, 3, H, W)`` to ``(N, embedding_dim)``. Its modules are shared, not copied.
    stages
        As for `StagePooled`.

    Raises
    ------
    BackboneError
        If the network's own code cannot be followed to its stages, or returns no single tensor.
    """

    def __init__(self, network: nn.Module, stages: tuple[str, ...]) -> None:
        super().__init__()
        self._both = fx.GraphModule(network, _graph_with_output(network, stages))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, n_columns)`` float32: the pooled stages, then the output."""
        embedded: torch.Tensor = self._both(images)
        return embedded


def _graph_with_output(network: nn.Module, stages: tuple[str, ...]) -> fx.Graph:
    graph, maps = _path_to_stages(network, stages)
    (end,) = (node for node in graph.nodes if node.op == "output")
    if not isinstance(end.args[0], fx.Node):
        raise BackboneError(f"{type(network).__name__} returns more than one tensor")
    pooled = _pooled_at_once(graph, maps)
    with graph.inserting_before(end):
        columns = [*pooled, graph.call_method("float", (end.args[0],))]
        end.args = (graph.call_function(torch.cat, (columns, 1)),)
    return graph


def _pooling_graph(network: nn.Module, stages: tuple[str, ...]) -> fx.Graph:
    graph, maps = _path_to_stages(network, stages)
    nodes = list(graph.nodes)
    for node in reversed(nodes[nodes.index(maps[-1]) + 1 :]):
        graph.erase_node(node)
    graph.output(graph.call_function(torch.cat, (_pooled_at_once(graph, maps), 1)))
    return graph


def _path_to_stages(network: nn.Module, stages: tuple[str, ...]) -> tuple[fx.Graph, list[fx.Node]]:
    """Give the graph of a network, and its nodes that return the maps of the stages."""
    try:
        graph = _PathToStages(stages).trace(network)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:  # fx.proxy.TraceError is a ValueError
        raise BackboneError(
            f"{type(network).__name__}: pool stages cannot follow its code to {', '.join(stages)} "
            f"({first_line(error)}); use pool norm"
        ) from error
    wanted = [network.get_submodule(name) for name in stages]
    maps = [node for node in graph.nodes if node.op == "call_module" and network.get_submodule(node.target) in wanted]
    if not maps:
        raise BackboneError(f"{type(network).__name__}: pool stages finds none of {', '.join(stages)}; use pool norm")
    return graph, maps


def _pooled_at_once(graph: fx.Graph, maps: list[fx.Node]) -> list[fx.Node]:
    """Pool maps where they are made: a later layer may change them in place."""
    pooled = []
    for node in maps:
        with graph.inserting_after(node):
            pooled.append(graph.call_function(mean_and_deviation, (node,)))
    return pooled


def mean_and_deviation(maps: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation over the area: ``(N, C, h, w)`` to ``(N, 2 * C)`` float32."""
    # torch.var_mean computes both, but takes ten times as long in channels-last layout on a CPU.
    values = maps.float()
    mean = values.mean(dim=(2, 3), keepdim=True)
    deviation = (values - mean).square_().mean(dim=(2, 3)).sqrt_()
    return torch.cat([mean.flatten(1), deviation], dim=1)


def pooled_by_stage(entry: Backbone, loaded: LoadedBackbone) -> LoadedBackbone:
    """Make a network that embeds by the stages at strides 4, 8 and 16; later layers are removed.

    Parameters
    ----------
    entry
        The entry in the table, which names the stages; a model of timm names its own.
    loaded
        The loaded network; it is not changed.

    Raises
    ------
    BackboneError
        If the stages are unknown or do not return maps.
    """
    stages = entry.stages or _stages_of_timm(loaded.module)
    if not stages:
        raise BackboneError(
            f"{entry.name}: pool stages needs the maps of a convolutional network's stages, which are unknown for this "
            f"network; use pool auto or norm, or convnext_base, a resnet, densenet, regnet or efficientnet"
        )
    network = copy.deepcopy(loaded.module)
    _cut_after(network, stages[-1])
    module = StagePooled(network, stages).eval().requires_grad_(False)
    dim = _embedding_dim(entry.name, module, loaded.transform.input_size)
    return replace(loaded, module=module, embedding_dim=dim, pool="stages")


def _stages_of_timm(module: nn.Module) -> tuple[str, ...]:
    stages = getattr(module, "feature_info", None) or ()
    within = [stage["module"] for stage in stages if FIRST_STRIDE <= stage["reduction"] <= LAST_STRIDE]
    # Some models name things that are no modules of theirs, because timm finds their maps in another way.
    known = {name for name, _ in module.named_modules()}
    return tuple(dict.fromkeys(within)) if known.issuperset(within) else ()


def _cut_after(network: nn.Module, last: str) -> None:
    """Remove every module that would run after the module `last`, or replace it by the identity."""
    parent, path = network, last.split(".")
    for name in path:
        names = [child for child, _ in parent.named_children()]
        for later in names[names.index(name) + 1 :]:
            # A Sequential runs the layers that it has; other modules refer to their layers by name.
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
