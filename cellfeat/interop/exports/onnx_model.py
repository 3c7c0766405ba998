"""Format `onnx`: a saved head, alone or with the network that makes its embeddings."""

import json
from importlib.metadata import version
from pathlib import Path

import onnx

from cellfeat.errors import BackboneError
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.interop.exports.export import ModelExport
from cellfeat.interop.exports.onnx_head import head_model
from cellfeat.registry import import_attribute

MOST_BYTES = 2**31 - 1
"""Largest message of Protobuf."""


def write_onnx(export: ModelExport, path: Path) -> None:
    """Write a saved head as an ONNX model, checked before it is written.

    Parameters
    ----------
    export
        The saved head.
    path
        The file.
    """
    model = head_model(export.bundle, metadata_of(export.bundle))
    if export.with_backbone:
        # Imported by name: it needs torch's exporter, and a head alone does not.
        with_network = import_attribute("cellfeat.interop.exports.onnx_network:with_network", "onnx")
        model = with_network(export, model)
    if model.ByteSize() > MOST_BYTES:
        raise BackboneError(
            f"the network is too large for one ONNX file ({model.ByteSize() / 1e9:.1f} GB, the limit is 2 GB); export "
            "the head alone"
        )
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def metadata_of(bundle: Bundle) -> dict[str, str]:
    """Texts that the model keeps, so that it can be used without this package: classes, recipe, scores."""
    columns = bundle.provenance.get("imported", {}).get("columns")
    scores = {key: bundle.scores[key] for key in ("balanced_accuracy", "ci_low", "ci_high") if key in bundle.scores}
    return {
        "cellfeat": version("cellfeat"),
        "head": bundle.head_name,
        "classes": json.dumps(bundle.classes),
        "temperature": repr(bundle.temperature),
        "n_views": str(bundle.n_views),
        "fingerprint": bundle.fingerprint,
        "recipe": json.dumps(bundle.recipe),
        **({"columns": json.dumps(columns)} if columns else {}),
        "out_of_fold_scores": json.dumps(scores),
    }
