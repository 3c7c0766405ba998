from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cellfeat
from cellfeat.errors import HeadError
from cellfeat.heads.preprocessing.scaling import RobustScaling
from cellfeat.heads.registry import HEADS, head_inputs, make_head
from cellfeat.heads.saved.bundle import Bundle

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

N_SAMPLES, DIM = 90, 24
HEAD_SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("mlp", {"hidden": 8, "epochs": 3}),
    "deep mlp, whitened": (
        "mlp",
        {"hidden": [16, 8], "epochs": 3, "feature_transform": "whiten", "feature_components": 10},
    ),
    "logreg": ("logreg", {}),
    "logreg, l2": ("logreg", {"feature_transform": "l2"}),
    "logreg, power": ("logreg", {"feature_transform": "power"}),
    "linear_relu": ("linear_relu", {"epochs": 3}),
}


def embeddings_of(n_views: int) -> np.ndarray:
    """Columns of very different scales, far from 0; and a row of zeros."""
    rng = np.random.default_rng(0)
    codes = np.arange(N_SAMPLES) % 3
    values = rng.standard_normal((N_SAMPLES, n_views, DIM)) + 2 * np.eye(DIM)[codes][:, None]
    values = values * rng.uniform(0.01, 50, DIM) + rng.uniform(-1000, 1000, DIM)
    values[-1] = 0
    return values.astype(np.float32)


def bundle_of(
    name: str, settings: dict[str, Any], n_views: int, inputs: np.ndarray | None = None, **more: Any
) -> tuple[Bundle, np.ndarray]:
    embeddings = embeddings_of(n_views)
    inputs = embeddings if inputs is None else inputs
    labels = np.array(["a", "b", "c"])[np.arange(N_SAMPLES) % 3]
    head = make_head(name, settings, n_views=n_views, random_state=0).fit(head_inputs(name, inputs), labels)
    empty: dict[str, Any] = {"recipe": {}, "settings": {}, "scores": {}, "provenance": {}}
    given = {"classes": ["a", "b", "c"]} | more
    if "scaling" in more:
        empty["recipe"] = {"scaling": "robust"}
    bundle = Bundle(
        head=head, head_name=name, fingerprint="sha256:0", n_views=n_views, embedding_dim=DIM, **empty, **given
    )
    return bundle, embeddings


def run(path: Path, embeddings: np.ndarray) -> list[np.ndarray]:
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"embeddings": embeddings})


@pytest.mark.parametrize("temperature", [1.0, 0.05, 3.0])
@pytest.mark.parametrize("name", HEAD_SETTINGS)
def test_model_equals_the_head(name: str, temperature: float, tmp_path: Path) -> None:
    bundle, embeddings = bundle_of(*HEAD_SETTINGS[name], 1, temperature=temperature)
    path = cellfeat.export_model(bundle, "onnx", tmp_path / "head.onnx")
    probabilities, label = run(path, embeddings[:, 0])
    expected = bundle.predict_proba(embeddings)
    assert probabilities.dtype == np.float32
    assert np.abs(probabilities - expected).max() < 1e-5
    assert np.array_equal(label, expected.argmax(axis=1))


@pytest.mark.parametrize("name", ["mlp", "logreg"])
def test_views_are_averaged_as_the_head_does(name: str, tmp_path: Path) -> None:
    bundle, embeddings = bundle_of(*HEAD_SETTINGS[name], 4, temperature=0.5)
    path = cellfeat.export_model(bundle, "onnx", tmp_path / "head.onnx")
    for n_views in (4, 2, 1):
        probabilities, _ = run(path, embeddings[:, :n_views])
        assert np.abs(probabilities - bundle.predict_proba(embeddings[:, :n_views])).max() < 1e-5


def test_class_that_was_absent_at_fitting_gets_0(tmp_path: Path) -> None:
    bundle, embeddings = bundle_of("logreg", {}, 1, classes=["c", "absent", "a", "b"], temperature=2.0)
    probabilities, _ = run(cellfeat.export_model(bundle, "onnx", tmp_path / "head.onnx"), embeddings[:, 0])
    assert (probabilities[:, 1] == 0).all()
    assert np.abs(probabilities - bundle.predict_proba(embeddings)).max() < 1e-5


def test_metadata_say_what_the_outputs_are(fitted: Bundle, tmp_path: Path) -> None:
    path = cellfeat.export_model(fitted, "onnx", tmp_path / "head.onnx")
    texts = runtime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    assert texts["classes"] == '["=1+1", "HeLa", "MCF7"]'
    assert texts["fingerprint"] == fitted.fingerprint
    assert '"passes": ["planes", "ER mito"]' in texts["recipe"]
    assert "balanced_accuracy" in texts["out_of_fold_scores"]


def test_metadata_name_the_columns_of_a_table(tmp_path: Path) -> None:
    label = np.array(["a", "b"])[np.arange(40) % 2]
    X = np.random.default_rng(0).normal(size=(40, 2))
    features = cellfeat.Features.from_arrays(X, names=["area", "texture"], labels=label)
    bundle, _ = cellfeat.fit(features, "logreg", design=cellfeat.Design(folds=2))
    path = cellfeat.export_model(bundle, "onnx", tmp_path / "head.onnx")
    assert runtime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map["columns"] == '["area", "texture"]'


@pytest.mark.parametrize("name", sorted(set(HEADS) - {name for name, _ in HEAD_SETTINGS.values()}))
def test_other_heads_are_refused(name: str, tmp_path: Path) -> None:
    bundle, _ = bundle_of(name, {}, 1)
    with pytest.raises(HeadError, match=f"{name}.*mlp, linear_relu, logreg"):
        cellfeat.export_model(bundle, "onnx", tmp_path / "head.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n_views", [1, 4])
def test_scaling_of_imported_columns_is_part_of_the_model(n_views: int, tmp_path: Path) -> None:
    embeddings = embeddings_of(n_views)
    embeddings[::7, :, 3] = np.nan
    embeddings[:, :, 5] = 2.5
    scaling = RobustScaling.fitted(embeddings)
    bundle, _ = bundle_of("logreg", {}, n_views, scaling=scaling, inputs=scaling(embeddings))
    probabilities, _ = run(cellfeat.export_model(bundle, "onnx", tmp_path / "head.onnx"), embeddings.squeeze())
    assert np.abs(probabilities - bundle.predict_proba(embeddings)).max() < 1e-5
