"""Backbone and head as one model, against the extraction of the same images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models
from torchvision.transforms import functional
from torchvision.transforms.functional import InterpolationMode

import cellfeat
from cellfeat.config_sources import load_settings
from cellfeat.errors import CellfeatError, WeightsError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.forward.tolerances import MIN_COSINE
from cellfeat.extraction.store import Features, load_features
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.samples.synthetic import write_synthetic_cells

pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
N_SAMPLES, SIZE = 24, 48
NETWORKS: dict[str, dict[str, Any]] = {
    "planes": {"backbone.name": "resnet18"},
    "stages, both, four views": {
        "backbone.name": "convnext_tiny",
        "backbone.pool": "stages",
        "preprocessing.channels_as": "both",
        "extraction.views": 4,
    },
    "side by side": {"backbone.name": "resnet18+convnext_tiny", "preprocessing.channels_as": "separate"},
}


def weights_of(name: str, path: Path) -> Path:
    """Random weights that use every layer: a new ConvNeXt scales what its blocks add by 0.000001."""
    torch.manual_seed(0)
    network = models.get_model(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        elif hasattr(module, "layer_scale"):
            module.layer_scale.data.uniform_(0.1, 1)
    torch.save(network.state_dict(), path)
    return path


def extracted(folder: Path, options: dict[str, Any]) -> Features:
    write_synthetic_cells(folder, n_samples=N_SAMPLES, seed=2, size=40)
    names = options["backbone.name"].split("+")
    files = {name: str(weights_of(name, folder / f"{name}.pth")) for name in names}
    overrides = {
        "images.root": str(folder / "images"),
        "labels.file": str(folder / "labels.csv"),
        "backbone.weights": files,
        "preprocessing.input_size": SIZE,
        "preprocessing.crop": "none",
        "extraction.output": str(folder / "cells.h5"),
        "extraction.device": "cpu",
        "extraction.precision": "fp32",
        "extraction.workers": 0,
    }
    extract(load_settings(overrides=overrides | options))
    return load_features(folder / "cells.h5")


def squares(folder: Path, features: Features) -> np.ndarray:
    """What the network received before it was normalised, made of the files alone: 8 bits, scaled to a square."""
    channels = features.recipe["channels"]
    files = [[f"{int(name):05d}_{channel}.png" for channel in channels] for name in features.samples.ids]
    planes = [[np.asarray(Image.open(folder / "images" / file)) for file in names] for names in files]
    values = torch.from_numpy(np.array(planes, dtype=np.float32)) / 255
    mode = InterpolationMode(features.recipe["transform"]["interpolation"])
    return functional.resize(values, [SIZE, SIZE], mode, antialias=True).numpy()


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Features, Bundle]:
    folder = tmp_path_factory.mktemp("network")
    features = extracted(folder, NETWORKS[request.param])
    bundle, _ = cellfeat.fit(features, "logreg", design=cellfeat.Design(folds=2, groups="none"))
    cellfeat.export_model(bundle, "onnx", folder / "whole.onnx", with_backbone=True)
    return folder, features, bundle


def test_images_give_the_probabilities_of_the_extraction(exported: tuple[Path, Features, Bundle]) -> None:
    folder, features, bundle = exported
    images = squares(folder, features)
    session = runtime.InferenceSession(str(folder / "whole.onnx"), providers=["CPUExecutionProvider"])
    probabilities, label = session.run(["probabilities", "label"], {"images": images})
    expected = bundle.predict_proba(features.embeddings)
    assert np.abs(probabilities - expected).max() < 1e-4
    assert np.array_equal(label, expected.argmax(axis=1))


def test_embeddings_are_within_the_tolerance(exported: tuple[Path, Features, Bundle]) -> None:
    folder, features, _ = exported
    model = onnx.load_model(str(folder / "whole.onnx"))
    names = {name for node in model.graph.node for name in node.output}
    assert "embeddings" in names
    model.graph.output.append(onnx.helper.make_tensor_value_info("embeddings", onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["embeddings"], {"images": squares(folder, features)})
    mine, theirs = (one.astype(np.float64).reshape(N_SAMPLES, -1) for one in (found, features.embeddings))
    lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((mine * theirs).sum(axis=1) / lengths).min() > MIN_COSINE["fp32"]


def test_metadata_tell_what_the_images_are(exported: tuple[Path, Features, Bundle]) -> None:
    folder, features, _ = exported
    texts = {one.key: one.value for one in onnx.load_model(str(folder / "whole.onnx")).metadata_props}
    assert f'"input_size": {SIZE}' in texts["images"]
    assert features.fingerprint == texts["fingerprint"]


def test_other_weights_are_refused(exported: tuple[Path, Features, Bundle], tmp_path: Path) -> None:
    _, features, bundle = exported
    torch.manual_seed(1)
    other = tmp_path / "other.pth"
    *_, name = features.recipe["backbone"]["name"].split("+")
    torch.save(models.get_model(name).state_dict(), other)
    with pytest.raises(WeightsError, match="of the extraction"):
        cellfeat.export_model(bundle, "onnx", tmp_path / "x.onnx", with_backbone=True, weights={name: str(other)})
    lost = {name: str(tmp_path / "none.pth")}
    with pytest.raises(CellfeatError, match=r"none\.pth"):
        cellfeat.export_model(bundle, "onnx", tmp_path / "x.onnx", with_backbone=True, weights=lost)
    assert not (tmp_path / "x.onnx").exists()
