"""Backbone and head as one ONNX model: from the channels of cells to the probabilities of the classes.

The input is what the network received at extraction before it was normalised: each channel scaled to 0 (black) and 1
(white) by the intensity policy, and made square by the transform; the recipe in the metadata says how. Views, passes
and normalisation are part of the model.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import cast

import onnx
import onnx.compose
import onnxscript  # noqa: F401, needed by PyTorch, which says so only after minutes of work
import torch
from onnx import ModelProto, helper

from cellfeat.backbones.base import LoadedBackbone, WantedPool
from cellfeat.backbones.registry import find_backbone, load_entry
from cellfeat.backbones.side_by_side import Weights, moved_weights, parse_members, weights_by_name
from cellfeat.backbones.transform import Transform
from cellfeat.config import Settings
from cellfeat.errors import BackboneError, WeightsError
from cellfeat.extraction.forward.passes import Pass, make_passes, make_view
from cellfeat.extraction.store import RecordedNetwork, recorded_networks
from cellfeat.heads.saved.bundle import Bundle, settings_of
from cellfeat.interop.exports.export import ModelExport
from cellfeat.interop.exports.onnx_graph import OPSET
from cellfeat.interop.exports.onnx_head import INPUT
from cellfeat.text import first_line

IMAGES = "images"
INPUT_TEXT = "float32 (n_samples, n_channels, height, width): channels scaled to 0 and 1, made square by the transform"
_EXPORT_FAULTS = (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError, AssertionError)


class Network(torch.nn.Module):
    """Squares of all channels to embeddings, as `cellfeat.extraction.forward.embedder` computes them.

    Parameters
    ----------
    modules
        One for each network: maps ``(N, 3, H, W)`` to ``(N, embedding_dim)``.
    transforms
        The preprocessing of each, for mean and deviation.
    passes
        The passes of a view.
    n_views
        Number of views; the embeddings have an axis of views if there are several.
    """

    means: torch.Tensor
    stds: torch.Tensor

    def __init__(
        self,
        modules: Sequence[torch.nn.Module],
        transforms: Sequence[Transform],
        passes: Sequence[Pass],
        n_views: int,
    ) -> None:
        super().__init__()
        self.networks = torch.nn.ModuleList(modules)
        self._passes, self._n_views = tuple(passes), n_views
        moments = [transform.moments(torch.device("cpu")) for transform in transforms]
        for name, place in (("means", 0), ("stds", 1)):
            self.register_buffer(name, torch.stack([pair[place] for pair in moments]))

    def forward(self, squares: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C, S, S)`` to ``(N, dim)``, or to ``(N, n_views, dim)``."""
        views = [make_view(squares, view) for view in range(self._n_views)]
        pictures = [self._planes(view, one) for view in views for one in self._passes]
        # One forward of all pictures: with one for each, the model would hold the network as often.
        together = torch.cat(pictures)
        embedded = torch.cat(
            [module((together - self.means[place]) / self.stds[place]) for place, module in enumerate(self.networks)],
            dim=1,
        )
        by_picture = embedded.reshape(len(pictures), squares.shape[0], embedded.shape[1]).transpose(0, 1)
        if self._n_views == 1:
            return by_picture.reshape(squares.shape[0], -1)
        return by_picture.reshape(squares.shape[0], self._n_views, len(self._passes) * embedded.shape[1])

    def _planes(self, squares: torch.Tensor, one: Pass) -> torch.Tensor:
        return torch.stack([squares[:, plane] for plane in one.planes], dim=1)


def with_network(export: ModelExport, head: ModelProto) -> ModelProto:
    """Put the network in front of a head's model.

    Parameters
    ----------
    export
        The saved head.
    head
        Its model.

    Raises
    ------
    BackboneError
        If the network cannot be exported.
    WeightsError
        If the weights are not those of the extraction.
    """
    bundle, settings = export.bundle, settings_of(export.bundle)
    recorded = recorded_networks(bundle.recipe)
    loaded = _loaded(recorded, _weights(settings, export.weights))
    channels = list(bundle.recipe["channels"])
    passes = make_passes(channels, settings.preprocessing.channels_as)
    transforms = [_transform(one) for one in recorded]
    _check_one_geometry(recorded, transforms)
    network = Network([one.module for one in loaded], transforms, passes, bundle.n_views).eval()
    size = transforms[0].input_size
    body = _exported(network, torch.rand(2, len(channels), size, size), bundle)
    head.ir_version = body.ir_version  # merging asks for equal ones
    prefixed = onnx.compose.add_prefix(head, "head/", rename_outputs=False)
    merged: ModelProto = onnx.compose.merge_models(body, prefixed, [(INPUT, f"head/{INPUT}")], producer_name="cellfeat")
    return _with_metadata(merged, head, bundle)


def _weights(settings: Settings, given: Weights | None) -> dict[str, str]:
    """The weights of each network by its name."""
    return weights_by_name(parse_members(settings.backbone.name), moved_weights(settings.backbone.weights, given))


def _loaded(recorded: Sequence[RecordedNetwork], weights: Mapping[str, str]) -> list[LoadedBackbone]:
    return [_one_loaded(one, weights[one.name]) for one in recorded]


def _one_loaded(recorded: RecordedNetwork, weights: str) -> LoadedBackbone:
    loaded = load_entry(
        find_backbone(recorded.name),
        weights=weights,
        pool=cast("WantedPool", recorded.pool),
        input_size=recorded.transform["input_size"],
    )
    if loaded.weights_digest != recorded.weights_digest:
        raise WeightsError(
            f"{recorded.name}: the weights {loaded.weights_name} (digest {loaded.weights_digest}) are not those "
            f"of the extraction ({recorded.weights_digest}); name the same weights with --weights"
        )
    return loaded


def _transform(recorded: RecordedNetwork) -> Transform:
    """The transform of the extraction, which settings may have changed."""
    one = recorded.transform
    return Transform(**{**one, "mean": tuple(one["mean"]), "std": tuple(one["std"])})


def _check_one_geometry(recorded: Sequence[RecordedNetwork], transforms: Sequence[Transform]) -> None:
    """Refuse networks that take other squares than the first: a model takes its images once."""
    for one, transform in zip(recorded, transforms, strict=True):
        if transform.geometry() != transforms[0].geometry():
            raise BackboneError(
                f"{one.label}: takes images of another size, crop or interpolation than {recorded[0].label}, and a "
                "model with its networks inside takes images once; export the head alone, without --with-backbone"
            )


def _exported(network: Network, images: torch.Tensor, bundle: Bundle) -> ModelProto:
    name = bundle.recipe["backbone"]["name"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about its own parts
            program = torch.onnx.export(
                network, (images,), input_names=[IMAGES], output_names=[INPUT], opset_version=OPSET, dynamo=True,
                dynamic_shapes={"squares": {0: torch.export.Dim("n_samples")}}, verbose=False, optimize=True,
            )  # fmt: skip
    except _EXPORT_FAULTS as error:
        raise BackboneError(f"{name}: PyTorch cannot export this network to ONNX ({first_line(error)})") from error
    assert program is not None
    model: ModelProto = program.model_proto
    return model


def _with_metadata(merged: ModelProto, head: ModelProto, bundle: Bundle) -> ModelProto:
    texts = {entry.key: entry.value for entry in head.metadata_props}
    transform = {"input": INPUT_TEXT, "channels": bundle.recipe["channels"], "transform": bundle.recipe["transform"]}
    # Those of PyTorch's exporter, and of merging, are about its own classes.
    del merged.metadata_props[:]
    helper.set_model_props(merged, texts | {"images": json.dumps(transform)})
    return merged
