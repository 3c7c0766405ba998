"""Estimators in the format of skops: only types of scikit-learn, numpy and scipy are built."""

import io
import json
import sys
import zipfile

import numpy as np
import pytest

from cellfeat.errors import BundleError, HeadError, MissingExtraError
from cellfeat.heads.registry import make_head
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from cellfeat.heads.scikit_learn.saved import estimator_from_bytes
from tests.heads.saved.fitted_bundles import embeddings_of, fitted_bundle, plant

pytest.importorskip("skops")


def changed(content, change):
    """Change the schema of a skops file, as an attacker would."""
    old, out = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "schema.json":
                schema = json.loads(data)
                change(schema)
                data = json.dumps(schema).encode()
            new.writestr(name, data)
    return out.getvalue()


def foreign(module, kind, loader="ObjectNode"):
    def change(schema):
        schema["content"]["content"]["C"] = {
            "__class__": kind, "__module__": module, "__loader__": loader, "__id__": 1,
            "content": {"__class__": kind, "__module__": module, "__loader__": loader, "__id__": 2, "content": None},
        }  # fmt: skip

    return change


@pytest.fixture
def saved(tmp_path):
    save_bundle(fitted_bundle("sklearn:SVC"), tmp_path / "head")
    return tmp_path / "head"


def test_saved_head_predicts_the_same(saved):
    expected = fitted_bundle("sklearn:SVC").predict_proba(embeddings_of(1))
    assert np.array_equal(load_bundle(saved).predict_proba(embeddings_of(1)), expected)
    assert load_bundle(saved).params["class_weight"] == "balanced"


@pytest.mark.parametrize(
    ("module", "kind", "loader"),
    [
        ("posix", "system", "FunctionNode"),
        ("subprocess", "Popen", "ObjectNode"),
        ("builtins", "eval", "FunctionNode"),
        ("numpy", "load", "FunctionNode"),
        ("sklearn.datasets", "fetch_openml", "FunctionNode"),
        ("sklearn_evil", "Payload", "ObjectNode"),
    ],
)
def test_foreign_type_is_refused_by_name(saved, module, kind, loader):
    content = (saved / "estimator.skops").read_bytes()
    plant(saved, "estimator.skops", changed(content, foreign(module, kind, loader)))
    with pytest.raises(BundleError, match=f"{module}.{kind}"):
        load_bundle(saved)


def test_changed_file_is_refused_by_its_digest(saved):
    content = bytearray((saved / "estimator.skops").read_bytes())
    content[100] ^= 1
    (saved / "estimator.skops").write_bytes(content)
    with pytest.raises(BundleError, match=r"estimator\.skops.*digest"):
        load_bundle(saved)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip file" * 9], ids=["empty", "cut", "text"])
def test_damaged_file_is_refused(saved, content):
    plant(saved, "estimator.skops", content)
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(saved)


def test_estimator_of_another_class_is_refused(saved):
    state = make_head("sklearn:GaussianNB", {}).fit(embeddings_of(1)[:, 0], np.arange(60) % 3).get_state()
    plant(saved, "estimator.skops", state.estimator)
    with pytest.raises(BundleError, match="expected an estimator SVC, got GaussianNB"):
        load_bundle(saved)


def test_tree_with_nodes_that_do_not_exist_is_refused():
    X, y = embeddings_of(1)[:, 0], np.arange(60) % 3
    head = make_head("sklearn:HistGradientBoostingClassifier", {"max_iter": 1, "min_samples_leaf": 2}).fit(X, y)
    head.estimator_._predictors[0][0].nodes["left"][0] = 10_000
    with pytest.raises(HeadError, match="tree with nodes"):
        estimator_from_bytes(head.get_state().estimator)


def test_without_skops_the_extra_is_named(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(MissingExtraError, match=r"cellfeat\[skops\]"):
        load_bundle(saved)
