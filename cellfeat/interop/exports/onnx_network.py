"""Backbone and head as one ONNX model: from the channels of cells to the probabilities of the classes.

The input is what the network received at extraction before it was normalised: each channel scaled to 0 (black) and 1
(white) by the intensity policy, and made square by the transform; the recipe in the metadata says how. Views, passes
and normalisation are part of the model.
"""

import json
import warnings
from collections.abc import Sequence

import onnx
import onnx.compose
import onnxscript  # noqa: F401, needed by PyTorch, which says so only after minutes of work
import torch
from onnx import ModelProto, helper

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.registry import find_backbone, load_entry
from cellfeat.backbones.transform import Transform
from cellfeat.config import Settings
from cellfeat.errors import BackboneError, WeightsError
from cellfeat.extraction.forward.passes import Pass, make_passes, make_view
from cellfeat.heads.bundle import Bundle, settings_of
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
    module
        Maps ``(N, 3, H, W)`` to ``(N, embedding_dim)``.
    transform
        The preprocessing, for mean and deviation.
    passes
        The passes of a view.
    n_views
        Number of views; the embeddings have an axis of views if there are several.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, module: torch.nn.Module, transform: Transform, passes: Sequence[Pass], n_views: int) -> None:
        super().__init__()
        self.module = module
        self._passes, self._n_views = tuple(passes), n_views
        mean, std = transform.moments(torch.device("cpu"))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, squares: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C, S, S)`` to ``(N, dim)``, or to ``(N, n_views, dim)``."""
        views = [make_view(squares, view) for view in range(self._n_views)]
        pictures = [self._planes(view, one) for view in views for one in self._passes]
        # One forward of all pictures: with one for each, the model would hold the network as often.
        embedded = self.module(torch.cat(pictures))
        by_picture = embedded.reshape(len(pictures), squares.shape[0], embedded.shape[1]).transpose(0, 1)
        if self._n_views == 1:
            return by_picture.reshape(squares.shape[0], -1)
        return by_picture.reshape(squares.shape[0], self._n_views, len(self._passes) * embedded.shape[1])

    def _planes(self, squares: torch.Tensor, one: Pass) -> torch.Tensor:
        planes = torch.stack([squares[:, plane] for plane in one.planes], dim=1)
        return (planes - self.mean) / self.std


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
    loaded = _loaded(bundle, settings, export.weights)
    channels = list(bundle.recipe["channels"])
    passes = make_passes(channels, settings.preprocessing.channels_as)
    transform = _transform(bundle)
    network = Network(loaded.module, transform, passes, bundle.n_views).eval()
    size = transform.input_size
    body = _exported(network, torch.rand(2, len(channels), size, size), bundle)
    head.ir_version = body.ir_version  # merging asks for equal ones
    prefixed = onnx.compose.add_prefix(head, "head/", rename_outputs=False)
    merged: ModelProto = onnx.compose.merge_models(body, prefixed, [(INPUT, f"head/{INPUT}")], producer_name="cellfeat")
    return _with_metadata(merged, head, bundle)


def _loaded(bundle: Bundle, settings: Settings, weights: str | None) -> LoadedBackbone:
    recorded = bundle.recipe["backbone"]
    loaded = load_entry(
        find_backbone(recorded["name"]),
        weights=weights or settings.backbone.weights,
        pool=recorded["pool"],
        input_size=bundle.recipe["transform"]["input_size"],
    )
    if loaded.weights_digest != recorded["weights_digest"]:
        raise WeightsError(
            f"{recorded['name']}: the weights {loaded.weights_name} (digest {loaded.weights_digest}) are not those "
            f"of the extraction ({recorded['weights_digest']}); name the same weights with --weights"
        )
    return loaded


def _transform(bundle: Bundle) -> Transform:
    """The transform of the extraction, which settings may have changed."""
    recorded = bundle.recipe["transform"]
    return Transform(**{**recorded, "mean": tuple(recorded["mean"]), "std": tuple(recorded["std"])})


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
